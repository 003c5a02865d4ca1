"""Data quality from the reports of capture to the series, on both databases."""

import pytest
from prometheus_client import CollectorRegistry
from sqlalchemy import Engine

from fairlane.ledger import Ledger, Place
from fairlane.quality import KEEP_S, QualityWatch, findings, forget_types
from fairlane.tallies import Limits, Tallies
from ingestion.contracts.telemetry import CaptureReport, TypeCount, decode, encode
from slo.clock import ManualClock
from slo.quality import LIMITS, Signal
from slo.store import SliceStore

NOW = 1_800_000_000 // 600 * 600 + 30
HOUR = 3600


class Capture:
    """Books what a capture process tells."""

    def __init__(self, engine: Engine) -> None:
        self.ledger = Ledger(engine, "p", partitions=2, slo_s=30.0)
        self.place = Place("c", {})

    def tell(self, at: int, *types: TypeCount, accepted: int = 0, invalid: int = 0) -> None:
        tallies = Tallies(Limits(30.0, 10_000))
        report = CaptureReport("p", at * 1000, 1.0, accepted=accepted, invalid=invalid, types=types)
        told = decode(encode(report))
        assert told == report
        tallies.add(told, at * 1000)
        after = Place("c", {0: self.place.next.get(0, 0) + 1})
        self.ledger.enter(tallies, "t", self.place, after, {})
        self.place = after


@pytest.fixture
def week(engine: Engine) -> Capture:
    """Seven days of 600 events an hour of `buy` and of `view`."""
    capture = Capture(engine)
    for day in range(7, 0, -1):
        for minutes in (15, 35, 65):
            at = NOW - day * 86_400 - minutes * 60
            capture.tell(at, TypeCount("buy", 200), TypeCount("view", 200))
    return capture


def test_a_type_that_went_quiet_and_one_with_nulls_are_found(engine: Engine, week: Capture) -> None:
    week.tell(NOW - 40 * 60, TypeCount("view", 500, nulls=50, duplicates=5), accepted=500, invalid=20)
    week.tell(NOW - 100 * 60, TypeCount("buy", 9_999, nulls=9_999), accepted=500, invalid=400)
    week.tell(NOW - 60, TypeCount("buy", 9_999), accepted=9_999)
    found = findings(engine, "p", NOW)
    assert [(f.type, f.signal, round(f.value, 4)) for f in found if f.over] == [
        ("view", Signal.NULLS, 0.1),
        ("", Signal.INVALID, round(20 / 520, 4)),
        ("buy", Signal.VOLUME_DROP, 1.0),
    ]
    assert findings(engine, "other", NOW) == []


def test_a_quiet_hour_without_a_past_says_nothing(engine: Engine) -> None:
    assert findings(engine, "p", NOW) == []


def test_a_day_without_the_type_counts_as_none_of_it_when_the_pipeline_was_seen(engine: Engine) -> None:
    capture = Capture(engine)
    for day in range(1, 8):
        types = [TypeCount("view", 500)] + ([TypeCount("rare", 500)] if day == 1 else [])
        capture.tell(NOW - day * 86_400 - 40 * 60, *types)
    capture.tell(NOW - 40 * 60, TypeCount("view", 500))
    assert [f for f in findings(engine, "p", NOW) if f.over] == [], "what came on one day of seven is not missed"


def test_the_series_show_the_worst_and_forget_what_has_gone(engine: Engine, week: Capture) -> None:
    registry, clock = CollectorRegistry(), ManualClock(NOW)
    week.tell(NOW - 40 * 60, TypeCount("view", 500, nulls=50))
    watch = QualityWatch(engine, "p", clock, registry)
    watch.go()
    labels = {"pipeline": "p", "type": "view", "signal": "nulls"}
    assert registry.get_sample_value("fairlane_quality_ratio", labels) == 0.1
    assert registry.get_sample_value("fairlane_quality_limit_ratio", {"signal": "nulls"}) == LIMITS[Signal.NULLS]
    clock.advance(3 * HOUR)
    watch.go()
    assert registry.get_sample_value("fairlane_quality_ratio", labels) is None


def test_the_objectives_of_quality_are_booked_by_the_minute(engine: Engine) -> None:
    Capture(engine).tell(NOW - 60, TypeCount("buy", 90, nulls=9, duplicates=4), TypeCount("view", 10), accepted=100)
    totals = {name: t.slice for name, t in SliceStore(engine).totals().items()}
    assert (totals["p-complete"].good, totals["p-complete"].total) == (91, 100)
    assert (totals["p-unique"].good, totals["p-unique"].total) == (96, 100)


def test_what_is_compared_no_more_is_dropped(engine: Engine, week: Capture) -> None:
    assert forget_types(engine, NOW) == 0
    assert forget_types(engine, NOW + KEEP_S - 3 * 86_400) > 0
    assert forget_types(engine, NOW + KEEP_S) > 0
    assert findings(engine, "p", NOW) == []
