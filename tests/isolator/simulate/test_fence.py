"""Who may change lanes when."""

import numpy as np
import pytest

from isolator.simulate.fence import Fence
from isolator.simulate.lane import LaneModel
from isolator.simulate.queue import HERE, HOLD, Batch

TOKEN = 3


@pytest.fixture
def lanes() -> list[LaneModel]:
    return [LaneModel(code, 2, 1, 1.0) for code in range(3)]


@pytest.fixture
def fence(lanes) -> Fence:
    return Fence(5, 2, 2.0, lanes)


def forward(fence: Fence, lanes: list[LaneModel], lane: int = 1) -> None:
    lanes[lane].queues[0].append(Batch(0, 1, np.array([TOKEN]), np.full(1, 10.0), np.full(1, 1.0)))
    fence.forwarded(0, TOKEN, lane)


def decided(fence: Fence, wanted: dict[int, int], now: float) -> int:
    choice = fence.choice(0, wanted, now, 7e-6)
    return HERE if choice is None else int(choice.lane[TOKEN])


def test_a_moved_token_is_forwarded_at_once(fence):
    assert decided(fence, {TOKEN: 1}, 0.0) == 1


def test_a_token_that_comes_back_is_held_then_forwarded_then_held_longer_apart(fence, lanes):
    forward(fence, lanes)
    seen = [decided(fence, {}, float(t)) for t in range(12)]
    assert seen == [HOLD, HOLD, 1, 1, HOLD, HOLD, 1, 1, 1, 1, HOLD, HOLD]


def test_a_token_comes_back_as_soon_as_its_lane_has_drained(fence, lanes):
    forward(fence, lanes)
    assert decided(fence, {}, 0.0) == HOLD
    lanes[1].serve(0.0, 5.0, [1.0], [None, None], lambda _p, _x: None)
    assert decided(fence, {}, 1.0) == HERE
    assert fence.simple({})


def test_a_token_goes_from_one_side_lane_to_another_only_when_the_first_has_drained(fence, lanes):
    forward(fence, lanes)
    assert not fence.simple({TOKEN: 2})
    assert decided(fence, {TOKEN: 2}, 0.0) == HOLD
    lanes[1].serve(0.0, 5.0, [1.0], [None, None], lambda _p, _x: None)
    assert decided(fence, {TOKEN: 2}, 1.0) == 2
