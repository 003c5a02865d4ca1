"""Telemetry says what real telemetry would: exact for the top, `other` for the rest, nothing that falls into a gap."""

from dataclasses import replace

import numpy as np
import pytest

from ingestion.contracts.names import Lane
from isolator.simulate.meter import START_S, Meter, top
from isolator.simulate.plan import Gap, Plan
from isolator.simulate.settings import Settings
from isolator.simulate.world import World
from tests.support.simulated import plan, source

WIDE = Settings(partitions=4, slots=2, capacity=1.5, side_slots=1, tokens=2_000, rate=2_000.0)


def metered(of: Plan, settings: Settings = WIDE) -> tuple[World, Meter]:
    witnesses: list[Meter] = []
    world = World(of, settings, 1, witnesses)
    meter = Meter("p", world, 1)
    witnesses.append(meter)
    return world, meter


def test_arrivals_are_exact_for_the_top_and_complete_with_the_rest():
    world, meter = metered(plan(source(rate=500.0), utilisation=0.5))
    some = world.second(1.0)
    world.advance(some)
    told = meter.reports(world.now_s, 0.3)
    assert told.at_s == pytest.approx(START_S + 1.3)
    assert told.arrivals is not None
    per_partition = np.bincount(told.arrivals.partition, told.arrivals.records, 4) + told.arrivals.other
    assert per_partition == pytest.approx(np.bincount(some.partition, some.events, 4))
    assert (np.bincount(told.arrivals.partition) <= 64).all()
    assert told.arrivals.other.sum() > 0
    mine = told.arrivals.token == world.id_of(0)
    assert told.arrivals.records[mine].sum() == pytest.approx(some.events[some.token == world.id_of(0)].sum())


def test_workers_report_the_work_that_they_did_by_slot():
    world, meter = metered(plan(source(rate=500.0, cost=0.001), utilisation=0.5))
    some = world.second(1.0)
    world.advance(some)
    told = meter.reports(world.now_s, 0.3)
    general = [w for w in told.workers if w.lane is Lane.GENERAL]
    assert [w.slot for w in general] == ["0", "1"]
    assert [w.partitions.tolist() for w in general] == [[0, 2], [1, 3]]
    work = sum(float(w.work_s.sum() + w.other_work_s.sum()) for w in general)
    assert work == pytest.approx(some.work.sum())
    assert sum(float(w.busy_s.sum()) for w in general) == pytest.approx(some.work.sum())
    assert general[0].concurrency == 2
    assert general[0].overhead_s == pytest.approx(0.5), "what is missing from two threads"


@pytest.mark.parametrize("backlog", [False, True], ids=["as it comes", "from a backlog"])
def test_forwards_are_told_apart_and_do_no_work(backlog):
    world, meter = metered(plan(source(rate=500.0, cost=0.01), utilisation=0.1))
    if backlog:
        world.advance(world.second(1.0))
        meter.reports(world.now_s, 0.0)
    world.wanted = {world.id_of(0): 1}
    for _ in range(3):
        world.advance(world.second(1.0))
    told = meter.reports(world.now_s, 0.0)
    (overflow,) = (w for w in told.workers if w.lane is Lane.OVERFLOW)
    assert overflow.work_s.sum() > 0
    assert set(overflow.token.tolist()) == {world.id_of(0)}
    forwarded = handled = 0.0
    for worker in (w for w in told.workers if w.lane is Lane.GENERAL):
        mine = worker.token == world.id_of(0)
        forwarded += float(worker.forwarded[mine].sum())
        handled += float(worker.work_s[mine].sum())
    # with 64 busier tokens on its partition a forwarded one is only counted among the others
    assert handled == 0.0
    assert forwarded == 0.0 or forwarded == pytest.approx(world.lanes[1].queues[0].put)


@pytest.mark.parametrize("kind", ["arrivals", "workers", "probe"])
def test_what_falls_into_a_gap_never_arrives(kind):
    world, meter = metered(plan(source(), gaps=(Gap(kind, 1.0, 2.0),)))
    world.advance(world.second(1.0))
    told = meter.reports(1.0, 0.0)
    assert (told.arrivals is None, not told.workers, told.probe is None) == (
        kind == "arrivals",
        kind == "workers",
        kind == "probe",
    )
    world.advance(world.second(1.0))
    later = meter.reports(2.0, 0.0)
    assert later.arrivals is not None
    assert later.workers
    assert later.probe is not None


def test_the_probe_sees_lag_and_age_of_every_lane():
    quiet = replace(WIDE, noise=False, capacity=1.0)
    world, meter = metered(plan(source(rate=1000.0, cost=0.01), utilisation=1e-6), quiet)
    for _ in range(10):
        world.advance(world.second(1.0))
    told = meter.reports(10.0, 0.0)
    assert told.probe is not None
    rows = {(row.lane, row.partition): row for row in told.probe.lanes}
    assert len(rows) == 12
    assert rows[Lane.GENERAL, 0].oldest_age_s == pytest.approx(9.0, abs=0.2)
    assert rows[Lane.GENERAL, 0].lag == pytest.approx(world.lanes[0].queues[0].waiting, rel=0.05)
    assert rows[Lane.OVERFLOW, 0].lag == 0


def test_a_clock_that_is_off_shows_in_its_workers_reports_only():
    world, meter = metered(plan(source(), skew_s=((1, -20.0),)))
    world.advance(world.second(1.0))
    told = meter.reports(1.0, 0.0)
    times = {(w.lane, w.slot): w.at_ms for w in told.workers}
    assert times[Lane.GENERAL, "1"] == times[Lane.GENERAL, "0"] - 20_000
    assert times[Lane.OVERFLOW, "0"] == times[Lane.GENERAL, "0"]


def test_top_is_by_partition_and_largest_first():
    bounds = np.array([0, 2, 5, 5, 6])
    key = np.array([1.0, 2.0, 5.0, 9.0, 7.0, 1.0])
    assert top(bounds, key, most=2).tolist() == [1, 0, 3, 4, 5]
    assert top(bounds * 0, key[:0]).tolist() == []
