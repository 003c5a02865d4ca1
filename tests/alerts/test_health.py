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
from slo.capacity import metrics as capacity
from slo.catalogue import Metric
from tests.support.promtool import Expect, Series, execute

pytestmark = pytest.mark.prometheus

P = {"pipeline": "events"}
EVENTS = [P]
DISK = {"limit": "disk"}
MONEY = {"budget": "warehouse"}
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
    "a capture that has died, which freezes its availability": (
        [*one(slo.BOOKED_AT, P, "0+15x80"), *one(slo.CAPTURED_AT, P, "0+15x20 300x60")],
        [Expect("5m", "FairlaneStaleTelemetry"), Expect("9m", "FairlaneStaleTelemetry", [{**P, "source": "capture"}])],
    ),
    "a booking that stands still and hears of no capture": (
        [*one(slo.BOOKED_AT, P, "0+15x20 300x60"), *one(slo.CAPTURED_AT, P, "0+15x20 300x60")],
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
    "an event type that lacks a field, beside one that is as it should be": (
        one(slo.QUALITY, {**P, "type": "buy", "signal": "nulls"}, "0x4 0.02x80 0.01x40")
        + one(slo.QUALITY, {**P, "type": "view", "signal": "duplicates"}, "0.04x124")
        + one(slo.QUALITY_LIMIT, {"signal": "nulls"}, "0.01x124")
        + one(slo.QUALITY_LIMIT, {"signal": "duplicates"}, "0.05x124"),
        [
            Expect("10m", "FairlaneDataQuality"),
            Expect("14m", "FairlaneDataQuality", [{**P, "type": "buy", "signal": "nulls"}]),
            Expect("25m", "FairlaneDataQuality"),
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
    "a limit that is reached before it can be raised": (
        one(capacity.SLACK, DISK, "86400x20 -86400x80 86400x40"),
        [
            Expect("5m", "FairlaneCapacityTooLate"),
            Expect("22m", "FairlaneCapacityTooLate", [{**DISK, "tier": "ticket"}]),
            Expect("30m", "FairlaneCapacityTooLate"),
        ],
    ),
    "a limit past its trigger": (
        one(capacity.STATE, DISK, "0x20 1x80 0x40"),
        [
            Expect("5m", "FairlaneCapacityYellow"),
            Expect("22m", "FairlaneCapacityYellow", [{**DISK, "tier": "notify"}]),
            Expect("30m", "FairlaneCapacityYellow"),
        ],
    ),
    "a limit that is not measured any more": (
        [*one(capacity.STATE, DISK, "0x20 3x120"), *one(capacity.SAMPLED, DISK, "100x140")],
        [Expect("5m", "FairlaneCapacityUnknown"), Expect("22m", "FairlaneCapacityUnknown", [DISK])],
    ),
    "a limit that never was": (one(capacity.STATE, DISK, "3x140"), [Expect("30m", "FairlaneCapacityUnknown")]),
    "a budget that is nearly spent": (
        one(capacity.COST_SPENT, MONEY, "0.79x20 0.8x120"),
        [
            Expect("5m", "FairlaneCostNotice"),
            Expect("22m", "FairlaneCostNotice", [{**MONEY, "tier": "notify"}]),
            Expect("22m", "FairlaneCostOverspent"),
        ],
    ),
    "a month that will end above its budget": (
        one(capacity.COST_FORECAST, MONEY, "0.99x20 1.1x120"),
        [Expect("5m", "FairlaneCostNotice"), Expect("22m", "FairlaneCostNotice", [MONEY])],
    ),
    "a budget that is spent": (
        one(capacity.COST_SPENT, MONEY, "0.99x20 1.01x120"),
        [
            Expect("5m", "FairlaneCostOverspent"),
            Expect("22m", "FairlaneCostOverspent", [MONEY]),
            Expect("22m", "FairlaneCostRunaway"),
        ],
    ),
    "a budget that is far overspent": (
        one(capacity.COST_SPENT, MONEY, "1.1x20 1.2x120"),
        [Expect("5m", "FairlaneCostRunaway"), Expect("22m", "FairlaneCostRunaway", [MONEY])],
    ),
    "a week that cost a fifth more": (
        one(capacity.COST_WEEK, MONEY, "1.2x20 1.25x80 1x40"),
        [
            Expect("5m", "FairlaneCostJump"),
            Expect("22m", "FairlaneCostJump", [MONEY]),
            Expect("30m", "FairlaneCostJump"),
        ],
    ),
    "the watchdog": ([], [Expect("1m", "FairlaneWatchdog", [{"tier": "heartbeat"}])]),
}


@pytest.mark.parametrize(("series", "expected"), CASES.values(), ids=CASES.keys())
def test_an_alert_speaks_of(series: list[Series], expected: list[Expect], tmp_path: Path) -> None:
    execute(tmp_path, rules(AlertSettings()), series, expected)


def test_every_alert_is_executed_and_fires_in_some_case() -> None:
    fired = {expect.alert for _, expected in CASES.values() for expect in expected if expect.labels}
    assert fired | {burn.PAGE, burn.TICKET, burn.MISMATCH} == {alert.name for alert in alerts()}
