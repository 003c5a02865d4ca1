"""A batch of telemetry, folded."""

from hypothesis import given
from hypothesis import strategies as st

from fairlane.charts import Charts
from fairlane.tallies import Limits, Tallies
from ingestion.contracts.names import Lane
from ingestion.contracts.telemetry import MOVED_WITHIN_S, Kind, LanePartition, Population, ProbeReport
from slo.objective import Sli
from slo.presets import MOVED_WITHIN_S as PROMISED
from slo.seconds import Seconds
from slo.slices import Slice
from tests.support.telemetry import capture, outcomes, probe

MINUTE = 1_700_000_000 // 60
T0 = MINUTE * 60_000
LIMITS = Limits(30.0, 10_000)


def fold(*messages: tuple[object, int], last: dict[Sli, int] | None = None) -> Tallies:
    tallies = Tallies(LIMITS, last or {})
    for message, at_ms in messages:
        tallies.add(message, at_ms)
    return tallies


def test_outcomes_add_and_offsets_are_set() -> None:
    tallies = fold(
        (outcomes("p", MINUTE, {Kind.GOOD: 3}), T0),
        (outcomes("p", MINUTE, {Kind.GOOD: 4, Kind.DEAD: 1}), T0),
        (probe("p", T0, offsets={MINUTE: [5, 5]}), T0),
        (probe("p", T0, offsets={MINUTE: [5, 3]}), T0),
    )
    assert tallies.counts == {(MINUTE, "general", "protected", "good"): 7, (MINUTE, "general", "protected", "dead"): 1}
    assert tallies.offsets == {(MINUTE, 0): 5, (MINUTE, 1): 3}
    assert tallies.minutes() == {MINUTE}


@given(st.permutations([(Kind.GOOD, 3), (Kind.LATE, 2), (Kind.GOOD, 1), (Kind.DEAD, 1)]))
def test_the_order_of_outcomes_changes_nothing(rows: list[tuple[Kind, int]]) -> None:
    counts = fold(*((outcomes("p", MINUTE, {kind: n}), T0) for kind, n in rows)).counts
    assert counts == fold((outcomes("p", MINUTE, {Kind.GOOD: 4, Kind.LATE: 2, Kind.DEAD: 1}), T0)).counts


def test_a_second_is_bad_when_one_partition_is() -> None:
    tallies = fold(
        (probe("p", T0, ages=[1.0, 30.1], lags=[9_999, 0]), T0),
        (probe("p", T0, ages=[30.0, 0], lags=[10_000, 0]), T0 + 1000),
    )
    assert tallies.seconds[MINUTE, Sli.OLDEST_AGE] == Seconds(0b11, 0b01)
    assert tallies.seconds[MINUTE, Sli.LAG] == Seconds(0b11, 0b10)


def test_a_late_round_is_no_gap_but_a_long_silence_is() -> None:
    tallies = fold(*((probe("p", T0, ages=[0.0]), T0 + s * 1000) for s in (0, 3, 20)))
    assert tallies.seconds[MINUTE, Sli.LAG].observed == 0b1111 | 1 << 20
    assert fold((probe("p", T0, ages=[0.0]), T0 + 4000), last=tallies.last).seconds[MINUTE, Sli.LAG].observed == 1 << 4


def test_unknown_ages_are_not_observed() -> None:
    row = LanePartition(Lane.GENERAL, 0, 0, 5, 5, 0.0, "unknown")
    tallies = fold((ProbeReport("p", T0, (row,)), T0))
    assert (MINUTE, Sli.OLDEST_AGE) not in tallies.seconds
    assert tallies.seconds[MINUTE, Sli.LAG].slice == Slice(1, 1, 60, 1)


def test_other_lanes_do_not_count_against_general() -> None:
    row = LanePartition(Lane.OVERFLOW, 0, 0, 50_000, 50_000, 600.0, "exact")
    assert fold((ProbeReport("p", T0, (row,)), T0)).seconds == {}


def test_capture_speaks_for_its_interval() -> None:
    tallies = fold((capture("p", T0, 10, 2, interval_s=2.0), T0 + 5_000))
    assert tallies.seconds[MINUTE, Sli.CAPTURE_AVAILABILITY].observed == 0b110000
    assert tallies.counts[MINUTE, "capture", "all", "accepted"] == 10
    assert tallies.counts[MINUTE, "capture", "all", "failed"] == 2


def test_minutes_out_of_reach_are_counted_and_left() -> None:
    tallies = fold(
        (outcomes("p", MINUTE - 5_000, {Kind.LATE: 2}), T0), (outcomes("p", MINUTE + 100, {Kind.GOOD: 1}), T0)
    )
    assert tallies.counts == {}
    assert tallies.out_of_range == 3


def test_charts_keep_the_worst_of_a_step_and_carry_it_between_batches() -> None:
    charts = Charts()
    charts.add(probe("p", T0, ages=[1.0, 4.0], lags=[10, 20]), T0)
    assert charts.changed() == {
        ("lag.general", T0): 30,
        ("lag_max.general", T0): 20,
        ("oldest_age.general", T0): 4.0,
        ("lag.all", T0): 30,
        ("oldest_age.all", T0): 4.0,
    }
    charts.settled(T0)
    charts.add(probe("p", T0, ages=[2.0], lags=[40]), T0 + 4_999)
    assert charts.changed()["oldest_age.general", T0] == 4.0
    assert charts.changed()["lag.general", T0] == 40


def test_charts_draw_freshness_of_the_protected() -> None:
    charts = Charts()
    for _ in range(2):
        charts.add(outcomes("p", MINUTE, {Kind.GOOD: 50}, histogram={0: 49, 7: 1}), T0 + 1)
    charts.add(outcomes("p", MINUTE, {Kind.GOOD: 7}, population=Population.MOVED, lane=Lane.OVERFLOW), T0)
    points = charts.changed()
    assert 0 < points["freshness_p50.protected", T0] <= 0.1
    assert points["freshness_p99.protected", T0] > 10.0
    assert points["visible", T0] == 107
    assert points["visible.moved", T0] == 7


def test_what_is_promised_to_the_moved_is_one_number() -> None:
    assert MOVED_WITHIN_S == PROMISED


def test_a_broker_whose_clock_runs_ahead_moves_the_time_only_to_the_limit() -> None:
    day_ms = 86_400_000
    tallies = Tallies(LIMITS, {Sli.LAG: (T0 + day_ms) // 1000}, T0 + day_ms, limit_ms=T0)
    assert tallies.watermark_ms == T0, "what was stored while the clock ran ahead is not believed"
    assert tallies.last == {Sli.LAG: T0 // 1000}
    tallies.add(probe("p", T0, ages=[1.0]), T0 + 5 * day_ms)
    tallies.tick(T0 + day_ms)
    assert tallies.watermark_ms == T0
    assert {minute for minute, _ in tallies.seconds} == {MINUTE}
    tallies.add(outcomes("p", MINUTE, {Kind.GOOD: 1}), T0 + day_ms)
    assert tallies.out_of_range == 0
    assert sum(tallies.counts.values()) == 1


def test_numbers_that_no_database_holds_are_left_out() -> None:
    tallies = fold(
        (outcomes("p", MINUTE, {Kind.GOOD: 10**18}), T0),
        (probe("p", T0, offsets={MINUTE: [10**18, 5]}), T0),
        (capture("p", T0, accepted=10**18), T0),
    )
    assert not tallies.counts
    assert tallies.offsets == {(MINUTE, 1): 5}
    assert tallies.out_of_range > 0
