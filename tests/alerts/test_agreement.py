"""The database and Prometheus judge the same minutes alike: slices of every length, late outcomes, revisions, restarts. Executed by promtool on what a scrape showed."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from decimal import Decimal
from fractions import Fraction
from pathlib import Path

import pytest

from alerts import burn
from slo import metrics
from slo.burn import Severity
from slo.objective import Audience, Objective, Sli
from slo.presets import pipeline_objectives
from slo.slices import Slice
from slo.source import Timeslices
from slo.store import Booking
from slo.windows import HOUR, MINUTE, Pair, Tier
from tests.support.twins import STEP_S, Twins, live

pytestmark = pytest.mark.prometheus

T0 = 1_700_000_000 // HOUR * HOUR
PAIRS = {
    1 * MINUTE: (HOUR, 5 * MINUTE),
    2 * MINUTE: (HOUR, 5 * MINUTE),
    5 * MINUTE: (HOUR, 30 * MINUTE),
    10 * MINUTE: (2 * HOUR, 30 * MINUTE),
    1 * HOUR: (6 * HOUR, 2 * HOUR),
}
"""Time slice to the windows over which it pages; all of them are recorded for the presets anyway."""
FACTOR = Fraction(10)
TARGET = Decimal("0.99")
NAMES = {burn.PAGE: Severity.PAGE, burn.TICKET: Severity.TICKET}
Good = Callable[[str, int], Slice]
"""An objective's minute (seconds since T0)."""


def sliced(seconds: int, long_s: int, short_s: int) -> Objective:
    custom = (Pair(long_s, short_s, FACTOR, Tier.PAGE),)
    return Objective(f"s{seconds}", "shop", Sli.EXTERNAL, TARGET, 0, custom=custom, timeslices=Timeslices(seconds))


SLICED = tuple(sliced(seconds, *pair) for seconds, pair in PAIRS.items())


def whole(objectives: Sequence[Objective], minute: Good) -> Callable[[float], list[Booking]]:
    """Time slices are known as a whole 35 s after their end, as when they are read."""
    known = {o.name: T0 for o in objectives}  # born when the first scrape is: both know the same past

    def told(now: float) -> list[Booking]:
        found: list[Booking] = []
        for o in objectives:
            slice_s = o.timeslices.slice_s if o.timeslices else MINUTE
            end = int(now - 35) // slice_s * slice_s
            found += [Booking(o.name, at, minute(o.name, at - T0), T0) for at in range(known[o.name], end, MINUTE)]
            known[o.name] = max(known[o.name], end)
        return found

    return told


def fires(slo: str, alert: str) -> str:
    return f'sum by (pair) (ALERTS{{alertname="{alert}", alertstate="firing", slo="{slo}"}})'


def settled(twins: Twins, slo: str, at: int, slack_s: int) -> bool:
    """Has the database said the same for so long, and will it?"""
    around = [
        twins.evaluations[t][slo] for t in range(at - slack_s, at + slack_s + 1, STEP_S) if t in twins.evaluations
    ]
    return len({frozenset((p.pair, p.severity) for p in e.pairs) for e in around}) == 1


def expected(
    twins: Twins, slack_s: Mapping[str, int], every_s: int = 5 * MINUTE, first: int = HOUR
) -> Iterator[tuple[int, str, dict[str, float]]]:
    """What promtool must find wherever the database's answer is no transition."""
    for slo, slack in slack_s.items():
        for at in range(first, max(twins.evaluations), every_s):
            if settled(twins, slo, at, slack):
                pairs = twins.evaluations[at][slo].pairs
                for alert, severity in NAMES.items():
                    yield at, fires(slo, alert), {p.pair: 1 for p in pairs if p.severity is severity}


def test_time_slices_of_every_length_page_in_both(tmp_path: Path) -> None:
    """Two hours of bad ones. A slice comes to Prometheus whole, and leaves a window whole: they may differ by a tenth of a slice, where the burn crosses its factor."""
    begin, end = HOUR, 3 * HOUR

    def minute(_: str, at: int) -> Slice:
        return Slice(0 if begin <= at < end else 60, 60, 60, 60)

    twins = live(SLICED, whole(SLICED, minute), T0, 6 * HOUR + 30 * MINUTE)
    slack = {o.name: 3 * MINUTE + o.timeslices.slice_s // 10 // STEP_S * STEP_S for o in SLICED if o.timeslices}
    wanted = list(expected(twins, slack))
    for o in SLICED:
        paged = [at for at, expr, values in wanted if expr == fires(o.name, burn.PAGE) and values]
        silent = [at for at, expr, values in wanted if expr == fires(o.name, burn.PAGE) and not values]
        assert len(paged) >= 15, f"{o.name} is looked at while it pages"
        assert len(silent) >= 15, f"{o.name} is looked at while it does not"
    twins.check(tmp_path, wanted)


def test_half_hour_slices_are_no_mismatch(tmp_path: Path) -> None:
    """Every other one is bad. The hour holds two whole ones in Prometheus, and in the database one and a part of another."""
    one = sliced(30 * MINUTE, 6 * HOUR, HOUR)

    def minute(_: str, at: int) -> Slice:
        return Slice(60 if at // (30 * MINUTE) % 2 else 0, 60, 60, 60)

    twins = live([one], whole([one], minute), T0, 4 * HOUR)
    twins.check(tmp_path, [(at, fires(one.name, burn.MISMATCH), {}) for at in range(HOUR, 4 * HOUR, 2 * MINUTE)])


def test_what_is_known_a_quarter_of_an_hour_late_pages_in_both_by_every_pair(tmp_path: Path) -> None:
    """For an hour half of the moved tokens' events are never seen: nobody knows before their quarter of an hour and its grace are over."""
    moved = next(o for o in pipeline_objectives("events") if o.population is Audience.MOVED)
    begin, end, known_s = HOUR, 2 * HOUR, moved.late_s

    def told(now: float) -> list[Booking]:
        found = []
        for last in sorted({(int(now) - T0 - age) // MINUTE * MINUTE for age in (MINUTE, known_s)}):
            seen = 50 if begin <= last < end else 100
            due = seen if now - T0 < last + known_s else 100
            if last >= 0:
                found.append(Booking(moved.name, T0 + last, Slice(seen, due, 100, 60), T0))
        return found

    twins = live([moved], told, T0, 4 * HOUR)
    # the two hold the same bad events; what is due, an hour of Prometheus' tells a little earlier
    wanted = list(expected(twins, {moved.name: 6 * MINUTE}, every_s=2 * MINUTE))
    paged = [values for _, expr, values in wanted if expr == fires(moved.name, burn.PAGE)]
    assert [set(values) for values in paged].count({"1h/5m", "6h/30m"}) >= 10
    assert paged.count({}) >= 10
    wanted += [(at, fires(moved.name, burn.MISMATCH), {}) for at in range(HOUR, 4 * HOUR, 2 * MINUTE)]
    twins.check(tmp_path, wanted)


REVISED_AT = HOUR + 20 * MINUTE
RESTARTED_AT = REVISED_AT + MINUTE
PAST_S = 20 * MINUTE
"""The last minutes before REVISED_AT, which it revises."""


def plain(name: str) -> Objective:
    return Objective(name, "shop", Sli.EXTERNAL, TARGET, 0, custom=(Pair(HOUR, 5 * MINUTE, FACTOR, Tier.PAGE),))


REVISED: Mapping[str, tuple[Slice, Slice, Slice]] = {
    "removed": (Slice(100, 100, 100, 60), Slice(100, 100, 100, 60), Slice(40, 40, 40, 60)),
    "excused": (Slice(100, 100, 100, 60), Slice(60, 100, 100, 60), Slice(60, 60, 60, 60)),
    "not-theirs": (Slice(99, 100, 100, 60), Slice(99, 1_000, 1_000, 60), Slice(99, 100, 100, 60)),
    "half-seen": (Slice(99, 100, 100, 60), Slice(99, 100, 100, 60), Slice(49, 50, 50, 30)),
}
"""Objective to a minute of its usual traffic, to what the past minutes were first booked as, and to what they were revised to."""


def revising(now: float) -> list[Booking]:
    """Every minute half a minute after its end; all past ones again at REVISED_AT."""
    at = int(now) - T0
    found: list[Booking] = []
    for name, (usual, first, then) in REVISED.items():
        past = range(REVISED_AT - PAST_S, REVISED_AT, MINUTE)
        last = at // MINUTE * MINUTE - MINUTE
        if last >= 0:
            found.append(Booking(name, T0 + last, first if last in past and at < REVISED_AT else usual, T0))
        if at == REVISED_AT:
            found = [b for b in found if b.slo != name] + [Booking(name, T0 + one, then, T0) for one in past]
    return [b for b in found if at <= REVISED_AT or b.at >= T0 + REVISED_AT]


def labelled(expr: str) -> str:
    return f'label_replace({expr}, "pair", "it", "", "")'


def test_a_revision_downwards_and_a_restart_make_no_bad_events(tmp_path: Path) -> None:
    objectives = [plain(name) for name in REVISED]
    twins = live(objectives, revising, T0, 3 * HOUR, restarts=[RESTARTED_AT])
    severity = {name: {at: found[name].severity for at, found in twins.evaluations.items()} for name in REVISED}
    burnt = severity["excused"][REVISED_AT - STEP_S], severity["not-theirs"][REVISED_AT - STEP_S]
    assert burnt == (Severity.PAGE, Severity.PAGE), "what was unknown was bad"
    assert {s for found in severity.values() for at, s in found.items() if at >= REVISED_AT} == {Severity.NONE}
    wanted: list[tuple[int, str, dict[str, float]]] = [
        (at, fires(name, alert), {})
        for at in range(REVISED_AT + MINUTE, max(twins.evaluations), 2 * MINUTE)
        for name in REVISED
        for alert in NAMES
    ]
    for name in REVISED:
        ours, theirs = (
            f'max by (slo) ({series}{{slo="{name}", window="1h"}})' for series in (burn.BURN, "fairlane_slo_burn_rate")
        )
        off = f"abs({ours} - {theirs}) > bool 0.05 + 0.05 * {theirs}"
        bad = f'max({burn.BAD}{{slo="{name}", window="1h"}} > bool 100)'
        for at in range(REVISED_AT + MINUTE, max(twins.evaluations), 5 * MINUTE):
            wanted.append((at, labelled(bad), {"it": 0}))
            # a window that begins among the revised minutes holds the revision and not all that it takes back
            if not REVISED_AT - PAST_S <= at - HOUR <= REVISED_AT + 2 * MINUTE:
                wanted.append((at, labelled(f"max({off})"), {"it": 0}))
    twins.check(tmp_path, wanted)


@pytest.mark.parametrize("told", [True, False], ids=["told", "an exporter that does not tell it"])
def test_a_page_outlasts_a_revision_of_more_than_its_short_window_holds(tmp_path: Path, told: bool) -> None:
    """Half of an earlier twenty minutes turns out to be another's while events are lost: nobody is told that it is over."""
    one = plain("lossy")
    past = range(HOUR - PAST_S, HOUR, MINUTE)

    def booked(now: float) -> list[Booking]:
        at = int(now) - T0
        last = at // MINUTE * MINUTE - MINUTE
        usual, first = Slice(40 if last >= HOUR else 100, 100, 100, 60), Slice(200, 200, 200, 60)
        found = [Booking(one.name, T0 + last, first if last in past else usual, T0)] if last >= 0 else []
        again = past if at == REVISED_AT else ()
        return found + [Booking(one.name, T0 + minute, Slice(100, 100, 100, 60), T0) for minute in again]

    twins = live([one], booked, T0, 2 * HOUR)
    if not told:
        twins.scraped = {key: seen for key, seen in twins.scraped.items() if key[0] != metrics.REVISIONS.name}
    paging = range(REVISED_AT - 5 * MINUTE, 2 * HOUR, MINUTE)
    assert {twins.evaluations[at][one.name].severity for at in paging} == {Severity.PAGE}
    twins.check(tmp_path, [(at, fires(one.name, burn.PAGE), {"1h/5m": 1}) for at in paging])
