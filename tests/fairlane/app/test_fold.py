"""Telemetry folded into lanes, partitions and the last 15 minutes."""

import pytest

from fairlane.app.fold import Fold
from ingestion.contracts.names import CANARY_TOKEN, Lane
from ingestion.contracts.telemetry import (
    FRESHNESS_BUCKETS_S,
    OTHER,
    ArrivalReport,
    LanePartition,
    PartitionLoad,
    ProbeReport,
    SliCounts,
    TokenLoad,
    WorkerReport,
)

NOW = 1_800_000_000.0
MS = int(NOW * 1000)


def probe(general: float, overflow: float, kind: str = "exact", lag: int = 10) -> ProbeReport:
    rows = tuple(LanePartition(Lane.GENERAL, p, 0, lag, lag, general if p else 0.1, kind) for p in range(2))
    return ProbeReport("events", MS, (*rows, LanePartition(Lane.OVERFLOW, 0, 0, 5, 5, overflow, kind)))


def worker(slot: str = "0", busy: float = 0.25, token: str = "acme") -> WorkerReport:
    loads = tuple(PartitionLoad(p, 1, 2, 0, busy, 50, 3) for p in range(2))
    return WorkerReport(
        "events",
        MS,
        1.0,
        Lane.GENERAL,
        slot,
        "b",
        0.0,
        loads,
        (TokenLoad(token, 1, 40, 1, 0.2), TokenLoad(OTHER, 1, 10, 1, 0.3)),
    )


def histogram(bucket: int, count: int) -> SliCounts:
    counts = [0] * (len(FRESHNESS_BUCKETS_S) + 1)
    counts[bucket] = count
    return SliCounts("events", MS, Lane.GENERAL, (), tuple(counts))


def test_nothing_seen_is_nothing_known() -> None:
    fold = Fold()
    assert (fold.seen_s, fold.lanes(NOW), fold.partitions(NOW), fold.history(NOW), fold.arrivals(NOW)) == (
        None,
        (),
        (),
        (),
        None,
    )


def test_a_lane_sums_lag_and_takes_the_worst_age() -> None:
    fold = Fold()
    fold.add(probe(4.0, 90.0), NOW)
    general, overflow, quarantine = fold.lanes(NOW)
    assert (general.lag, general.oldest_age_s, overflow.oldest_age_s) == (20, 4.0, 90.0)
    assert (quarantine.lag, quarantine.oldest_age_s) == (None, None)


def test_an_unknown_age_is_not_an_age() -> None:
    fold = Fold()
    fold.add(probe(0.0, 0.0, kind="unknown"), NOW)
    assert fold.lanes(NOW)[0].oldest_age_s is None
    assert fold.history(NOW)[0].general_s is None


def test_the_charts_tell_general_from_everyone() -> None:
    fold = Fold()
    fold.add(probe(4.0, 90.0), NOW)
    fold.add(histogram(1, 10), NOW)
    (point,) = fold.history(NOW)
    assert (point.general_s, point.everyone_s) == (4.0, 90.0)
    assert point.fresh_p50_s == pytest.approx(0.175)


def test_busy_and_rate_are_of_all_workers_of_the_lane() -> None:
    fold = Fold()
    fold.add(probe(1.0, 1.0), NOW)
    for slot in "01":
        fold.add(worker(slot), NOW)
    lane = fold.lanes(NOW)[0]
    assert (lane.workers, lane.busy, lane.rate, lane.forwarded) == (2, 0.5, 200.0, 12.0)


def test_a_worker_that_fell_silent_is_not_counted() -> None:
    fold = Fold()
    fold.add(probe(1.0, 1.0), NOW)
    fold.add(worker(), NOW)
    assert fold.lanes(NOW + 11)[0].workers == 0


def test_other_is_not_a_culprit_but_counts_in_the_whole() -> None:
    fold = Fold()
    fold.add(probe(1.0, 1.0), NOW)
    fold.add(worker(), NOW)
    row = fold.partitions(NOW)[1]
    assert (row.token, row.share) == ("acme", pytest.approx(0.4))
    assert fold.partitions(NOW)[0].token == ""


def test_canaries_are_no_traffic() -> None:
    fold = Fold()
    fold.add(ArrivalReport("events", MS, 1.0, (TokenLoad(CANARY_TOKEN, 0, 12, 1),)), NOW)
    assert fold.arrivals(NOW) == 0
    fold.add(ArrivalReport("events", MS, 1.0, (TokenLoad("acme", 0, 12, 1),)), NOW)
    assert fold.arrivals(NOW) == 6


def test_without_traffic_the_canaries_tell_how_fresh_it_would_be() -> None:
    fold = Fold()
    fold.add(ProbeReport("events", MS, probe(0.0, 0.0).lanes, ((0, 0.2), (1, 0.3), (2, 0.9))), NOW)
    assert fold.lanes(NOW)[0].freshness_s == 0.3
    fold.add(histogram(0, 5), NOW)
    assert fold.lanes(NOW)[0].freshness_s == pytest.approx(0.05)


def test_old_steps_are_forgotten() -> None:
    fold = Fold()
    for age in range(3_000, -1, -5):
        fold.add(probe(1.0, 1.0), NOW - age)
    assert len(fold.history(NOW)) <= 194
