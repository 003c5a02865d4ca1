"""A seed's plan is always the same, and holds what a run needs."""

import pytest

from ingestion.contracts.names import Lane
from ingestion.lanes.hooks import Point
from tests.chaos.plan import MEANING, NAMED, POINTS, Kind, draw


def test_a_seed_always_gives_the_same_plan() -> None:
    assert draw(7) == draw(7)
    assert draw(7) != draw(8)


@pytest.mark.parametrize("seed", range(20))
def test_every_plan_kills_broker_and_controller_and_is_in_order_of_time(seed: int) -> None:
    plan = draw(seed, length_s=30.0, faults=12)
    assert len(plan.steps) == 12
    assert {Kind.BROKER, Kind.CONTROLLER} <= {step.kind for step in plan.steps}
    assert [step.at_s for step in plan.steps] == sorted(step.at_s for step in plan.steps)
    assert all(step.at_s <= plan.length_s for step in plan.steps)


def test_any_five_seeds_in_a_row_kill_a_worker_at_every_named_point() -> None:
    kills = {
        step.point
        for seed in range(31, 36)
        for step in draw(seed, faults=4).steps
        if step.kind is Kind.KILL and step.lane is Lane.GENERAL
    }
    assert kills == set(NAMED)


def test_side_workers_are_never_struck_at_points_of_forwarding() -> None:
    steps = [step for seed in range(200) for step in draw(seed).steps if step.lane is not Lane.GENERAL]
    assert steps
    assert not [s for s in steps if s.point in {Point.PRODUCED, Point.FLUSHED} or s.forwarding]


def test_every_kind_and_every_point_is_drawn_by_some_seed() -> None:
    steps = [step for seed in range(200) for step in draw(seed).steps]
    assert {step.kind for step in steps} == set(Kind) == set(MEANING)
    assert {(s.kind, s.point) for s in steps if s.point} == {(k, p) for k, points in POINTS.items() for p in points}
