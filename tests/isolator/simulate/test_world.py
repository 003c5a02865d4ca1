"""The world keeps its books: nothing is lost, nothing is idle, nothing overtakes, and the step does not matter."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from isolator.simulate.curve import Curve
from isolator.simulate.plan import Handover, Plan, Source
from isolator.simulate.recorder import Recorder
from isolator.simulate.world import World, cut
from tests.support.simulated import SMALL, plan, recorded, run, source

FLOOD = Curve.step(0.0, (10.0, 40.0, 300.0))


def waiting(world: World) -> float:
    return sum(q.waiting for lane in world.lanes for q in lane.queues)


def balance(world: World, recorder: Recorder) -> float:
    return recorder.arrived_events - recorder.handled_events - recorder.finish(world)


@pytest.mark.parametrize("reroute", [False, True], ids=["forwarding in the lane", "rerouting at capture"])
@pytest.mark.parametrize("noise", [False, True], ids=["mean", "poisson"])
def test_every_event_is_handled_or_waits_whatever_moves(reroute, noise):
    of = plan(source(rate=FLOOD), source("y", rate=50.0, share=(0, 0.5, 0.5, 0)))
    world, recorder = recorded(of, replace(SMALL, noise=noise), reroute=reroute)
    token = world.id_of(0)
    for wanted in ({}, {token: 1}, {token: 2}, {}, {token: 1, world.id_of(1): 2}, {3: 1}, {}):
        world.wanted = dict(wanted)
        run(world, 11.5)
        recorder_waits = recorder.arrived_events - recorder.handled_events
        assert recorder_waits == pytest.approx(waiting(world), abs=1e-6)
    assert balance(world, recorder) == pytest.approx(0.0, abs=1e-6)


def test_a_constant_overload_delays_by_rho_less_one_a_second():
    # lambda = 1.5 on a slot of 1: after t seconds the oldest record has waited t (1 - 1/rho)
    world, _ = recorded(plan(source(rate=150.0), utilisation=1e-6))
    run(world, 60.0)
    rho = 1.5
    assert world.lanes[0].queues[0].age(world.now_s) == pytest.approx(60 * (1 - 1 / rho), abs=1.0)
    backlog = sum(b.total_work * (1 - b.done) for b in world.lanes[0].queues[0].batches)
    assert backlog == pytest.approx(60 * (rho - 1), rel=0.01)


def test_innocents_behind_a_flood_are_late_from_when_the_closed_form_says():
    # an innocent that arrives at t waits (rho - 1) t: over 30 s from t = 60 on, with rho 1.5
    of = plan(source(rate=149.0, culprit=((0.0, 1e9),)), source("y", rate=1.0), utilisation=1e-9)
    world, recorder = recorded(of, replace(SMALL, tokens=1, rate=1e-9))
    run(world, 240.0)
    handled_by = 240 / 1.5
    recorder.finish(world)
    late = handled_by - 60.0
    # and of those still waiting everyone who came before 210
    late += 210.0 - handled_by
    assert recorder.innocents_late == pytest.approx(late, abs=2.0)


@pytest.mark.parametrize("step", [0.25, 0.5, 2.0, 5.0])
def test_the_step_does_not_matter(step):
    of = plan(source(rate=FLOOD, culprit=((10.0, 40.0),)), source("y", rate=20.0))

    def outcome(size: float) -> tuple[float, float, float, float]:
        world, recorder = recorded(of, replace(SMALL, slo_s=10.0))
        run(world, 30.0, size)
        world.wanted = {world.id_of(0): 1}
        run(world, 60.0, size)
        world.wanted = {}
        run(world, 60.0, size)
        recorder.finish(world)
        return recorder.innocents, recorder.innocents_late, recorder.worst_age_s, waiting(world)

    fine, coarse = outcome(1.0), outcome(step)
    assert coarse[0] == pytest.approx(fine[0])
    assert coarse[1] == pytest.approx(fine[1], rel=0.05, abs=step * 25)
    assert coarse[2] == pytest.approx(fine[2], abs=step)
    assert coarse[3] == pytest.approx(fine[3], abs=1e-6)


def test_forwarding_a_backlog_takes_its_time():
    world, _ = recorded(plan(source(rate=Curve.step(0.0, (0.0, 10.0, 20_000.0))), utilisation=1e-6))
    run(world, 10.0)
    put = waiting(world)
    assert put > 190_000
    world.wanted = {world.id_of(0): 1}
    run(world, 1.0)
    # a second of a slot of 1 forwards 1 / 7e-6 records
    assert world.lanes[1].queues[0].put == pytest.approx(1 / SMALL.forward_s, rel=0.01)
    run(world, 1.0)
    assert not world.lanes[0].queues[0].batches


def test_rerouting_at_capture_leaves_the_backlog_behind():
    world, _ = recorded(plan(source(rate=150.0), utilisation=1e-6), replace(SMALL, tokens=1, rate=1e-9), reroute=True)
    run(world, 20.0)
    backlog = world.lanes[0].queues[0].waiting
    world.wanted = {world.id_of(0): 1}
    run(world, 5.0)
    assert world.lanes[0].queues[0].waiting == pytest.approx(backlog - 500.0, rel=0.01)
    assert world.lanes[1].queues[0].put == pytest.approx(750.0)


def test_a_limit_refuses_the_rest_and_counts_it():
    world, recorder = recorded(plan(source(rate=150.0)))
    world.limits = {world.id_of(0): 100.0}
    run(world, 10.0)
    assert recorder.refused_events == pytest.approx(500.0)
    assert recorder.innocents_refused == pytest.approx(500.0), "the plan blames nobody"


def test_a_partition_that_nobody_owns_waits_and_its_next_owner_catches_up():
    handovers = (Handover(5.0, (0, 2), -1), Handover(15.0, (0, 2), 1))
    world, recorder = recorded(plan(source(rate=20.0), handovers=handovers))
    run(world, 14.0)
    assert world.lanes[0].queues[0].age(world.now_s) == pytest.approx(9.0)
    run(world, 20.0)
    assert waiting(world) == pytest.approx(0.0, abs=1e-6)
    assert recorder.worst_age_s == pytest.approx(10.0, abs=1.0)


def test_a_slow_build_costs_capacity():
    world, _ = recorded(plan(source(rate=60.0), slowness=Curve.flat(2.0), utilisation=1e-6))
    run(world, 30.0)
    assert world.lanes[0].queues[0].age(30.0) == pytest.approx(30 * (1 - 1 / 1.2), abs=1.0)


def test_a_hang_delays_its_slot_and_is_forwarded_when_its_token_was_moved_before():
    hangs = ((10.0, 15.0, 0), (30.0, 15.0, 0))
    made = Source("h", Curve.flat(1.0), Curve.flat(0.01), np.array([1.0, 0, 0, 0]), hangs=hangs)
    world, recorder = recorded(plan(made, source("y", rate=10.0, share=(0, 0, 1, 0))))
    run(world, 24.0)
    assert world.lanes[0].queues[2].age(24.0) == pytest.approx(14.0, abs=1.0)
    world.wanted = {world.id_of(0): 2}
    run(world, 20.0)
    assert not world.lanes[0].backlog()
    assert world.lanes[2].workers[0].hang is not None
    run(world, 30.0)
    assert balance(world, recorder) == pytest.approx(0.0, abs=1e-6)


def test_the_same_seed_gives_the_same_events_and_another_does_not():
    def counts(seed: int) -> list[float]:
        of: Plan = plan(source())
        world = World(of, replace(SMALL, noise=True), seed, [])
        return world.second(5.0).events.tolist()

    assert counts(1) == counts(1)
    assert counts(1) != counts(2)


@settings(max_examples=30, deadline=None)
@given(st.floats(0.05, 0.95))
def test_cutting_an_interval_loses_nothing(at):
    world, _ = recorded(plan(source()))
    some = world.second(1.0)
    first, rest = cut(some, at)
    assert (first.events + rest.events).tolist() == pytest.approx(some.events.tolist())
    assert (first.end_s, rest.begin_s, rest.end_s) == pytest.approx((at, at, 1.0))
