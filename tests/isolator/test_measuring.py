"""What telemetry is folded into: rates, rows, baselines, slots, active tokens."""

import base64

import numpy as np
import pytest
from datasketches import hll_sketch
from hypothesis import given
from hypothesis import strategies as st

from ingestion.contracts.names import Lane
from ingestion.contracts.telemetry import (
    ArrivalReport,
    LanePartition,
    PartitionLoad,
    ProbeReport,
    TokenLoad,
    WorkerReport,
)
from isolator import convert
from isolator.active import ActiveTokens
from isolator.baseline import Baseline
from isolator.columns import WorkerColumns
from isolator.constants import Policy
from isolator.interner import Floats, Interner, Ints
from isolator.observation import Observation, Tick
from isolator.observe import Observer
from isolator.rates import Bins, Decayed, Rows, exposure
from isolator.slots import Slot

POLICY = Policy(warm_s=15.0)
START = 1_700_000_000


class Flat:
    """The same is usual for everybody."""

    population_cost = 1e-3

    def general(self, ids: Ints) -> tuple[Floats, Floats]:
        return np.full(len(ids), 1.0), np.full(len(ids), 1e-3)

    def build(self, _: str) -> tuple[float, float]:
        return 1.0, 0.0


class Telemetry:
    """One partition, one token unless told otherwise; `second` says what happened in it."""

    def __init__(self) -> None:
        self.interner = Interner()
        self.observer = Observer("p", POLICY, self.interner)
        self.t = START

    def second(
        self, arrived: dict[str, int], handled: dict[str, tuple[int, float]], lag: int = 0, forwarded: int = 0, **load
    ) -> None:
        self.t += 1
        now = self.t * 1000
        rows = tuple(TokenLoad(t, 0, n, 100, keys=1, top_key_records=n) for t, n in arrived.items())
        done = tuple(TokenLoad(t, 0, n, 100, work_s=w) for t, (n, w) in handled.items())
        busy = sum(w for _, w in handled.values())
        part = PartitionLoad(
            0, 0, lag, 0, busy, sum(n for n, _ in handled.values()), forwarded, **{"assigned_s": 1e6, **load}
        )
        self.observer.fold(ArrivalReport("p", now, 1.0, rows), now)
        self.observer.fold(WorkerReport("p", now, 1.0, Lane.GENERAL, "0", "b", 0.1, (part,), done), now)
        self.observer.fold(ProbeReport("p", now, (LanePartition(Lane.GENERAL, 0, 0, lag, lag, 0.0, "exact"),)), now)

    def observe(self) -> Observation:
        return self.observer.observe(self.t * 1000, Flat())


def test_a_steady_rate_is_measured_without_a_cold_start_bias() -> None:
    one = Telemetry()
    for seconds in (2, 10, 60):
        for _ in range(seconds):
            one.second({"t": 40}, {"t": (40, 0.04)})
        seen = one.observe()
        assert seen.tokens.rate[0] == pytest.approx(40, rel=0.6 if seconds == 2 else 0.12)
        assert seen.tokens.cost[0] == pytest.approx(1e-3, rel=1e-3)


def test_a_sudden_rate_is_believed_after_two_seconds_and_one_spike_is_not() -> None:
    one, spike = Telemetry(), Telemetry()
    for who in (one, spike):
        for _ in range(60):
            who.second({"t": 10}, {"t": (10, 0.01)})
    one.second({"t": 2000}, {"t": (900, 0.9)})
    one.second({"t": 2000}, {"t": (900, 0.9)})
    assert one.observe().tokens.rate[0] > 1_700
    spike.second({"t": 2000}, {"t": (900, 0.9)})
    spike.second({"t": 10}, {"t": (900, 0.9)})
    assert spike.observe().tokens.rate[0] < 500


def test_recent_forgets_a_flood_after_ten_seconds_though_the_half_life_does_not() -> None:
    one = Telemetry()
    for _ in range(20):
        one.second({"t": 2000}, {"t": (900, 0.9)})
    for _ in range(12):
        one.second({"u": 1}, {"t": (900, 0.9)})
    seen = one.observe()
    assert seen.tokens.recent[0] == 0
    assert seen.tokens.rate[0] > 100


def test_what_waits_is_bounded_by_the_measured_lag() -> None:
    one = Telemetry()
    for _ in range(10):
        one.second({"t": 100, "u": 10}, {"t": (50, 0.05)}, lag=550)
    waiting = one.observe().rows.waiting
    assert waiting.sum() == pytest.approx(550, rel=0.15)
    one.second({"t": 1}, {"t": (1, 0.001)}, lag=0)
    assert one.observe().rows.waiting.sum() == 0


def test_a_record_that_runs_too_long_is_blamed_before_it_ends() -> None:
    one = Telemetry()
    for _ in range(30):
        one.second({"t": 5, "stuck": 1}, {"t": (5, 0.005), "stuck": (1, 0.001)})
    for running in range(1, 13):
        one.second({"t": 5}, {}, lag=5 * running, in_flight_token="stuck", in_flight_s=float(running))
    seen = one.observe()
    stuck = one.interner.find("stuck")
    assert stuck is not None
    assert seen.tokens.cost[stuck] == 12.0
    assert seen.in_flight[stuck] == (0, 12.0)
    assert seen.slots.busy[0] > 0.9, "a thread that runs one record is busy"


def test_what_a_dead_worker_was_running_blames_nobody_for_ever() -> None:
    one = Telemetry()
    for _ in range(30):
        one.second({"t": 5, "stuck": 1}, {"t": (5, 0.005), "stuck": (1, 0.001)})
    gone = PartitionLoad(0, 0, 0, 0, 0.0, 0, 0, in_flight_token="stuck", in_flight_s=15.0)
    one.observer.fold(WorkerReport("p", one.t * 1000, 1.0, Lane.GENERAL, "gone", "b", 0.1, (gone,)), one.t * 1000)
    stuck = one.interner.find("stuck")
    assert stuck is not None
    assert one.observe().tokens.cost[stuck] == 15.0
    for _ in range(12):
        one.second({"t": 5, "stuck": 1}, {"t": (5, 0.005), "stuck": (1, 0.001)})
    seen = one.observe()
    assert seen.tokens.cost[stuck] == pytest.approx(1e-3, rel=1e-3)
    assert not seen.in_flight


def test_of_several_running_records_of_a_token_the_longest_counts() -> None:
    one = Telemetry()
    loads = tuple(
        PartitionLoad(p, 0, 0, 0, 0.0, 0, 0, in_flight_token="t", in_flight_s=s) for p, s in ((3, 70.0), (4, 2.0))
    )
    one.observer.fold(WorkerReport("p", one.t * 1000, 1.0, Lane.GENERAL, "0", "b", 0.1, loads), one.t * 1000)
    assert list(one.observe().in_flight.values()) == [(3, 70.0)]


def test_slots_whose_names_change_at_every_restart_are_not_remembered_for_ever() -> None:
    observer = Observer("p", POLICY, Interner())
    for restart in range(50):
        now_ms = (START + 300 * restart) * 1000
        observer.fold(WorkerReport("p", now_ms, 1.0, Lane.GENERAL, f"pod-{restart}", "dev", 0.05, (), ()), now_ms)
        observer.observe(now_ms, Flat())
    assert len(observer._slots) == 13, "those of the last hour"


def test_without_a_scout_the_workers_rows_stand_in_for_arrivals() -> None:
    observer = Observer("p", POLICY, Interner())
    for t in range(START, START + 40):
        rows = (TokenLoad("t", 0, 20, 100, work_s=0.02),)
        part = (PartitionLoad(0, 0, 0, 0, 0.02, 20, 0, assigned_s=1e6),)
        observer.fold(WorkerReport("p", t * 1000, 1.0, Lane.GENERAL, "0", "b", 0.1, part, rows), t * 1000)
    seen = observer.observe((START + 39) * 1000, Flat())
    assert seen.tokens.rate[0] == pytest.approx(20, rel=0.2)
    assert seen.arrivals_age_s == float("inf")


def test_an_old_report_counts_for_nothing_and_a_future_one_is_read_as_of_now() -> None:
    observer = Observer("p", POLICY, Interner())
    report = ArrivalReport("p", START * 1000, 1.0, (TokenLoad("t", 0, 5, 1),))
    assert not observer.fold(report, (START + 100) * 1000)
    assert observer.fold(report, (START - 100) * 1000)
    seen = observer.observe((START - 100) * 1000, Flat())
    assert seen.tokens.seen[0] == pytest.approx(5)


def worked(busy_s: float, records: int, behind: int = 0, interval_s: float = 1.0) -> WorkerColumns:
    part = PartitionLoad(0, 0, behind, 0, busy_s, records, 0)
    rows = (TokenLoad("t", 0, records, 0, busy_s),)
    report = WorkerReport("p", 0, interval_s, Lane.GENERAL, "0", "b", 0.1 * interval_s, (part,), rows)
    return convert.worker(report, Interner())


def test_capacity_is_what_overhead_and_unbilled_time_leave() -> None:
    slot = Slot("0")
    for _ in range(40):
        slot.fold(worked(0.72, 700, behind=50_000))
    assert slot.capacity == pytest.approx(0.72, rel=0.02), "with a backlog, what it does is all that it can do"
    idle = Slot("1")
    for _ in range(40):
        idle.fold(worked(0.1, 100))
    assert idle.capacity == pytest.approx(0.9, rel=0.02)


@given(st.lists(st.tuples(st.integers(0, 4), st.floats(0, 100), st.floats(0, 30)), max_size=30))
def test_decayed_sums_do_not_depend_on_when_they_are_advanced(additions: list[tuple[int, float, float]]) -> None:
    one, often = Decayed(10.0), Decayed(10.0)
    one.advance(1000.0)
    often.advance(1000.0)
    at = 1000.0
    for token, count, wait in additions:
        at += wait
        for sums in (one, often):
            sums.add(np.array([token]), np.array([count]), at, 5)
        often.advance(at)
    one.advance(at)
    np.testing.assert_allclose(one.upto(5), often.upto(5), rtol=1e-6, atol=1e-9)


def test_exposure_grows_to_the_half_lifes_time() -> None:
    assert exposure(10.0, 0.0) > 0
    assert exposure(10.0, 1.0) == pytest.approx(1.0, rel=0.05)
    assert exposure(10.0, 1e6) == pytest.approx(10 / np.log(2))


def test_bins_forget_after_a_turn_of_the_ring() -> None:
    bins = Bins()
    bins.add(np.array([0]), np.array([5.0]), 100.5, 1)
    bins.add(np.array([0]), np.array([7.0]), 101.2, 1)
    assert np.array(bins.last(3, 101.9, 1))[:, 0].tolist() == [7, 5, 0]
    assert np.array(bins.last(2, 200.0, 1))[:, 0].tolist() == [0, 0]
    bins.add(np.array([0]), np.array([9.0]), 100.0, 1)
    assert np.sum(bins.last(12, 200.0, 1)) == 0, "what comes too late is dropped"


def test_faded_rows_are_forgotten_and_those_with_a_backlog_kept() -> None:
    rows = Rows(10.0)
    rows.advance(0.0)
    found = rows.find(np.arange(5000), np.zeros(5000, dtype=np.int64))
    rows.arrive(found, np.ones(5000), np.ones(5000), 0.0)
    rows.wait(found[100:], -np.ones(4900))
    rows.advance(500.0)
    tokens, _ = rows.all()
    assert tokens.tolist() == list(range(100))
    assert rows.find(np.array([7]), np.array([0])).tolist() == [7]


def tick(events: dict[int, float], elapsed: float = 5.0) -> Tick:
    ids = np.array(sorted(events), dtype=np.int64)
    counts = np.array([events[i] for i in sorted(events)])
    return Tick(elapsed, ids, counts, ids, counts, counts * 2e-3, 0.0)


def learned(ticks: int, calm: bool = True, held: tuple[int, ...] = ()) -> Baseline:
    interner = Interner()
    interner.ids(["a", "b", "new"])
    baseline = Baseline(POLICY, interner)
    for _ in range(ticks):
        baseline.offer(tick({0: 50.0, 1: 5.0}), 2, np.array(held, dtype=np.int64), calm=calm)
    return baseline


def test_baselines_are_the_calm_rate_and_a_new_token_has_the_populations() -> None:
    usual = learned(200).usual()
    assert usual.rate[0] == pytest.approx(10.0, rel=0.02)
    assert usual.rate[1] == pytest.approx(1.0, rel=0.02)
    assert usual.cost[0] == pytest.approx(2e-3, rel=0.02)
    assert usual.population_rate == pytest.approx(5.5, rel=0.02)
    assert usual.rate[2] < usual.population_rate, "not seen in all that time, it is a rare one"
    fresh = learned(4).usual()
    assert fresh.rate[2] == pytest.approx(1 / (10.0 + 1 / 5.5), rel=0.05)
    assert usual.dispersion[0] == POLICY.dispersion_max


def test_nothing_is_learned_from_a_tick_that_turns_out_to_be_the_start_of_trouble() -> None:
    baseline = learned(10)
    before = baseline.usual()
    baseline.offer(tick({0: 1e6}), 2, np.zeros(0, dtype=np.int64), calm=True)
    baseline.offer(tick({0: 1e6}), 2, np.zeros(0, dtype=np.int64), calm=False)
    for _ in range(3):
        baseline.offer(tick({0: 50.0, 1: 5.0}), 2, np.zeros(0, dtype=np.int64), calm=True)
    assert baseline.usual().rate[0] == pytest.approx(before.rate[0], rel=0.1)


def test_nothing_is_learned_of_a_token_under_suspicion() -> None:
    baseline = learned(50)
    before = baseline.usual()
    for _ in range(50):
        baseline.offer(tick({0: 5e4, 1: 5.0}), 2, np.array([0]), calm=True)
    after = baseline.usual()
    assert after.rate[0] == pytest.approx(before.rate[0], rel=0.02)
    assert after.rate[1] == pytest.approx(before.rate[1], rel=0.05)


def test_warm_comes_with_time_and_stays() -> None:
    assert not learned(2).usual().warm
    baseline = learned(4)
    assert baseline.usual().warm
    baseline.offer(tick({}), 2, np.zeros(0, dtype=np.int64), calm=False)
    assert baseline.usual().warm
    assert not learned(50, calm=False).usual().warm


def test_a_night_asleep_is_neither_learned_nor_does_it_make_warm() -> None:
    baseline = learned(2)
    assert not baseline.usual().warm
    nobody = np.zeros(0, dtype=np.int64)
    baseline.offer(tick({0: 50.0, 1: 5.0}, elapsed=8 * 3600.0), 2, nobody, calm=True)
    assert not baseline.usual().warm
    for _ in range(50):
        baseline.offer(tick({0: 50.0, 1: 5.0}), 2, nobody, calm=True)
    assert baseline.usual().rate[0] == pytest.approx(10.0, rel=0.05)


def test_active_tokens_are_counted_over_the_last_minute_and_rubbish_is_skipped() -> None:
    active = ActiveTokens()
    for second in range(100):
        sketch = hll_sketch(12)
        for i in range(50):
            sketch.update(f"token-{second * 50 + i}")
        active.add(base64.b64encode(sketch.serialize_compact()).decode(), float(second))
    assert 1_000 <= active.estimate() <= 3_100
    active.add("rubbish!", 100.0)
    active.add("AAAA", 100.0)
    assert active.unreadable == 2
