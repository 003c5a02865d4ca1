"""A lane's workers: work conservation, fair shares, hangs."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from isolator.simulate.lane import LaneModel, fair
from isolator.simulate.queue import Batch, Portion

SHARES = st.lists(st.floats(0, 10), min_size=1, max_size=8)


def lane(partitions: int = 4, slots: int = 1) -> tuple[LaneModel, list[tuple[int, Portion]]]:
    return LaneModel(0, partitions, slots, 1.0), []


def put(into: LaneModel, partition: int, work: float, at: float = 0.0) -> None:
    into.queues[partition].append(Batch(at, at, np.array([partition]), np.array([work * 10]), np.array([work])))


def serve(of: LaneModel, begin: float, end: float, taken: list[tuple[int, Portion]], speed: float = 1.0) -> None:
    of.serve(begin, end, [speed] * len(of.workers), [None] * len(of.queues), lambda p, x: taken.append((p, x)))


@given(SHARES, st.floats(0.1, 20))
def test_a_fair_division_wastes_nothing_and_starves_nobody(demands, budget):
    given_ = fair(demands, budget)
    assert sum(given_) == pytest.approx(min(sum(demands), budget))
    assert all(g <= d + 1e-9 for g, d in zip(given_, demands, strict=True))
    least = min((g for g, d in zip(given_, demands, strict=True) if g < d - 1e-6), default=None)
    if least is not None:
        # whoever is not satisfied has as much as anybody
        assert least >= max(given_) - 1e-6


def test_a_worker_with_a_backlog_is_never_idle():
    model, taken = lane()
    put(model, 0, 0.1)
    put(model, 1, 5.0)
    serve(model, 0.0, 1.0, taken)
    assert model.busy.sum() == pytest.approx(1.0)
    assert model.busy.tolist() == pytest.approx([0.1, 0.9, 0.0, 0.0])


def test_a_slow_build_takes_longer_and_is_as_busy():
    model, taken = lane()
    put(model, 0, 5.0)
    model.serve(0.0, 1.0, [1.0], [None] * 4, lambda p, x: taken.append((p, x)), 2.0)
    assert sum(x.part * x.batch.total_work for _, x in taken) == pytest.approx(0.5)
    assert model.busy.sum() == pytest.approx(1.0)


def test_a_stalled_worker_does_little_and_is_not_busy():
    model, taken = lane()
    put(model, 0, 5.0)
    serve(model, 0.0, 1.0, taken, speed=0.2)
    assert model.busy.sum() == pytest.approx(0.2)


def hang(into: LaneModel, partition: int, seconds: float) -> None:
    into.queues[partition].append(Batch(0.0, 0.0, np.array([9]), np.ones(1), np.array([seconds]), alone=True))


def test_a_hanging_record_occupies_its_worker_and_no_other():
    model, taken = lane(4, slots=2)
    hang(model, 0, 10.0)
    for p in (1, 2, 3):
        put(model, p, 20.0)
    for t in range(8):
        serve(model, t, t + 1, taken)
    done = {p: sum(x.part * x.batch.total_work for q, x in taken if q == p) for p in range(4)}
    assert done[2] < 1.0, "its neighbour on the same worker waits"
    assert done[1] + done[3] == pytest.approx(8.0)
    for t in range(8, 12):
        serve(model, t, t + 1, taken)
    assert any(x.batch.alone for _, x in taken)


def test_the_watchdog_gives_a_record_up_and_the_worker_comes_back():
    model, taken = lane(1)
    hang(model, 0, 1e9)
    for t in range(70):
        serve(model, t, t + 1, taken)
    ((_, portion),) = taken
    assert portion.lanes is not None
    assert portion.lanes.tolist() == [2], "the second try is quarantine's"
    assert model.workers[0].hang is None
    assert model.assigned_s[0] == pytest.approx(65.0, abs=1.1)
