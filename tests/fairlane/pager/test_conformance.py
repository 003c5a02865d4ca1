"""What the built-in pager says of the machinery is what Prometheus says: the cases that promtool executes, judged here too."""

import re

import pytest

from alerts.config import AlertSettings
from alerts.rules import alerts
from fairlane.pager.machinery import Machinery, rules
from fairlane.pager.promql.samples import Samples
from tests.alerts.test_health import CASES
from tests.support.promtool import Expect, Series

STEP_S = 15
PART = re.compile(r"(?P<start>-?[\d.]+|_|stale)(?:(?P<step>[+-][\d.]+))?(?:x(?P<count>\d+))?")


def values(text: str) -> list[float | None]:
    """promtool's notation: `0+10x3` is 0 10 20 30, `5x2` is 5 5 5, `_x2` is nothing twice."""
    found: list[float | None] = []
    for part in text.split():
        match = PART.fullmatch(part)
        assert match, part
        times = int(match["count"] or 0)
        if match["start"] in {"_", "stale"}:
            found += [None] * max(times, 1)
        else:
            found += [float(match["start"]) + n * float(match["step"] or 0) for n in range(times + 1)]
    return found


def seconds(text: str) -> int:
    return sum(int(n) * {"m": 60, "s": 1}[unit] for n, unit in re.findall(r"(\d+)([ms])", text))


def firing(series: list[Series], until: int) -> dict[int, set[tuple[str, frozenset[tuple[str, str]]]]]:
    """By second, the alerts that fire and their labels."""
    rows = [(one.name, frozenset(one.labels.items()), values(one.values)) for one in series]
    samples, machinery = Samples(began=-10_000), Machinery(AlertSettings())
    found = {}
    for n in range(until // STEP_S + 1):
        at = float(n * STEP_S)
        for name, labels, row in rows:
            if n < len(row) and row[n] is not None:
                samples.put(at, name, labels, row[n])
        round_ = machinery.judge(samples, at, at)
        found[n * STEP_S] = {
            (one.alert, frozenset({*one.labels, ("tier", str(one.tier)), ("area", one.area)}))
            for one in round_.findings
        }
    return found


OURS = {rule.alert.name for rule in rules()}
JUDGED = {name: case for name, case in CASES.items() if {expect.alert for expect in case[1]} <= OURS}


@pytest.mark.parametrize(("series", "expected"), JUDGED.values(), ids=JUDGED.keys())
def test_the_pager_speaks_of(series: list[Series], expected: list[Expect]) -> None:
    found = firing(series, max(seconds(expect.at) for expect in expected))
    for expect in expected:
        some = [labels for alert, labels in found[seconds(expect.at)] if alert == expect.alert]
        wanted = [frozenset(one.items()) for one in expect.labels]
        assert len(some) == len(wanted), (expect, some)
        assert all(any(one <= labels for labels in some) for one in wanted), (expect, some)


def test_every_alert_that_needs_no_recorded_series_is_judged_here() -> None:
    needs_prometheus = {alert.name for alert in alerts()} - OURS
    assert needs_prometheus == {
        "FairlaneBudgetBurnPage",
        "FairlaneBudgetBurnTicket",
        "FairlaneMismatch",
        "FairlaneWatchdog",
    }
    assert len(JUDGED) >= 20
