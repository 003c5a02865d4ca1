"""Every alert on the machinery, executed: it fires when it should, ends when it should, and is silent beside it."""

from pathlib import Path

import pytest

from alerts import burn
from alerts.config import AlertSettings
from alerts.rules import alerts, rules
from ingestion.lanes import metrics as lanes
from ingestion.probe import metrics as probe
from isolator import metrics as isolator
from slo import metrics as slo
from slo.catalogue import Metric
from tests.support.promtool import Expect, Series, execute

pytestmark = pytest.mark.prometheus

P = {"pipeline": "events"}
EVENTS = [P]
GENERAL = {**P, "lane": "general"}
OVERFLOW = {**P, "lane": "overflow", "partition": "3"}
CLOCK = "0+15x240"
"""A Unix time that follows the scrape's."""


def one(metric: Metric, labels: dict[str, str], values: str) -> list[Series]:
    return [Series(metric.name, labels, values)]


def watched(values: str = CLOCK) -> list[Series]:
    return one(isolator.LAST_TICK, P, values)


CASES = {
    "a controller that stops ticking": (
        watched("0+15x20 300x60"),
        [Expect("5m", "FairlaneBlindController"), Expect("7m", "FairlaneBlindController", EVENTS)],
    ),
    "a controller that has died": (
        watched("0+15x20 _x60"),
        [Expect("5m", "FairlaneBlindController"), Expect("15m", "FairlaneBlindController", EVENTS)],
    ),
    "a controller that comes back": (
        watched("0+15x20 300x20 600+15x40"),
        [Expect("9m", "FairlaneBlindController", EVENTS), Expect("12m", "FairlaneBlindController")],
    ),
    "a controller that never was": (
        one(probe.LAST_ROUND, P, CLOCK),
        [Expect("2m", "FairlaneBlindController", [{"tier": "page"}])],
    ),
    "a probe that has died": (
        [*watched(), *one(probe.LAST_ROUND, P, "0+15x20 _x60")],
        [Expect("5m", "FairlaneStaleTelemetry"), Expect("9m", "FairlaneStaleTelemetry", [{**P, "source": "probe"}])],
    ),
    "a booking that stands still": (
        one(slo.BOOKED_AT, P, "0+15x20 300x60"),
        [Expect("9m", "FairlaneStaleTelemetry", [{**P, "source": "booking"}])],
    ),
    "an evaluation that stands still": (
        one(slo.LAST_EVALUATION, {}, "0+15x20 300x60"),
        [Expect("9m", "FairlaneStaleTelemetry", [{"source": "evaluation"}])],
    ),
    "a broker whose clock is ahead": (
        one(slo.BOOKED_AT, P, "30+15x60"),
        [Expect("1m", "FairlaneClockSkew"), Expect("4m", "FairlaneClockSkew", [{**P, "source": "broker"}])],
    ),
    "clocks that agree": (
        [*watched(), *one(probe.LAST_ROUND, P, CLOCK), *one(slo.BOOKED_AT, P, CLOCK)],
        [
            Expect("10m", "FairlaneClockSkew"),
            Expect("10m", "FairlaneStaleTelemetry"),
            Expect("10m", "FairlaneBlindController"),
        ],
    ),
    "an overflow that takes half an hour": (
        # 10 records/s done, 18,000 wait
        [*one(probe.LAG, OVERFLOW, "18000x60"), *one(probe.COMMITTED, OVERFLOW, "0+150x60")],
        [Expect("12m", "FairlaneOverflowWillNotDrain", [{**P, "lane": "overflow"}])],
    ),
    "an overflow that stands still": (
        [*one(probe.LAG, OVERFLOW, "5x60"), *one(probe.COMMITTED, OVERFLOW, "100x60")],
        [Expect("12m", "FairlaneOverflowWillNotDrain", [{**P, "lane": "overflow"}])],
    ),
    "an overflow that drains in five minutes": (
        [*one(probe.LAG, OVERFLOW, "3000x60"), *one(probe.COMMITTED, OVERFLOW, "0+150x60")],
        [Expect("12m", "FairlaneOverflowWillNotDrain")],
    ),
    "an empty overflow": (
        [*one(probe.LAG, OVERFLOW, "0x60"), *one(probe.COMMITTED, OVERFLOW, "-1x60")],
        [Expect("12m", "FairlaneOverflowWillNotDrain")],
    ),
    "records deleted before they were handled": (
        one(probe.LOG_START_AHEAD, OVERFLOW, "0x4 7x20"),
        [
            Expect("45s", "FairlaneLogStartPastCommitted"),
            Expect("2m", "FairlaneLogStartPastCommitted", [{**P, "lane": "overflow", "partition": "3"}]),
        ],
    ),
    "dead letters": (
        one(lanes.RECORDS, {**GENERAL, "outcome": "dead"}, "0x8 3x80")
        + one(lanes.RECORDS, {**GENERAL, "outcome": "handled"}, "0+100x88"),
        [
            Expect("2m", "FairlaneDeadLetters"),
            Expect("4m", "FairlaneDeadLetters", [GENERAL]),
            Expect("20m", "FairlaneDeadLetters"),
        ],
    ),
    "dead letters of a worker that had none before": (
        one(lanes.RECORDS, {**GENERAL, "outcome": "dead"}, "_x8 3x80"),
        [
            Expect("1m", "FairlaneDeadLetters"),
            Expect("4m", "FairlaneDeadLetters", [GENERAL]),
            Expect("20m", "FairlaneDeadLetters"),
        ],
    ),
    "a paused lane": (
        one(lanes.PAUSED, GENERAL, "0x4 1x8 0x20"),
        [Expect("2m", "FairlaneLanePaused", [GENERAL]), Expect("6m", "FairlaneLanePaused")],
    ),
    "a lost fence": (
        one(lanes.WILDCARD, GENERAL, "0x4 2x8 0x20"),
        [Expect("2m30s", "FairlaneWildcardHold", [GENERAL]), Expect("6m", "FairlaneWildcardHold")],
    ),
    "a full fence, as the worker says": (
        one(lanes.MOVES_REFUSED, GENERAL, "0x4 1x20"),
        [Expect("1m", "FairlaneMovesRefused"), Expect("4m", "FairlaneMovesRefused", EVENTS)],
    ),
    "a full fence, as the controller says": (
        one(isolator.MOVES_REFUSED, P, "1x20"),
        [Expect("4m", "FairlaneMovesRefused", EVENTS)],
    ),
    "a moved token": (
        one(isolator.MOVED_TOKENS, {**P, "lane": "overflow"}, "0x4 1x8 0x20"),
        [
            Expect("45s", "FairlaneTokenMoved"),
            Expect("2m", "FairlaneTokenMoved", [{**P, "tier": "notify"}]),
            Expect("6m", "FairlaneTokenMoved"),
        ],
    ),
    "the watchdog": ([], [Expect("1m", "FairlaneWatchdog", [{"tier": "heartbeat"}])]),
}


@pytest.mark.parametrize(("series", "expected"), CASES.values(), ids=CASES.keys())
def test_an_alert_speaks_of(series: list[Series], expected: list[Expect], tmp_path: Path) -> None:
    execute(tmp_path, rules(AlertSettings()), series, expected)


def test_every_alert_is_executed_and_fires_in_some_case() -> None:
    fired = {expect.alert for _, expected in CASES.values() for expect in expected if expect.labels}
    assert fired | {burn.PAGE, burn.TICKET} == {alert.name for alert in alerts()}
