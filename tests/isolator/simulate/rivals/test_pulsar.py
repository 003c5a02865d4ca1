"""Pulsar PIP-474."""

import pytest

from isolator.simulate.contender import Reports
from isolator.simulate.rivals.pulsar import Pulsar
from tests.support.telling import drive, second, site

EVEN = dict.fromkeys(range(40), 100.0)


def late(queue: dict[int, float], lag: float, *, age: float = 0.0) -> list[Reports]:
    return [second(t, queue if t == 1 else {}, lags=[lag, 0], ages=[age, 0.0]) for t in (1, 2)]


@pytest.mark.parametrize(
    ("slots", "lag", "moved"),
    [
        # 2,000 for each consumer
        pytest.param(2, 3_199, False, id="two consumers: 3,199 records are under 80 % of 4,000"),
        pytest.param(2, 3_200, True, id="two consumers: 3,200 records reach it"),
        pytest.param(20, 15_999, False, id="twenty consumers: 15,999 are under 80 % of 20,000"),
        pytest.param(20, 16_000, True, id="twenty consumers: 16,000 reach it"),
    ],
)
def test_the_watermark(slots: int, lag: float, *, moved: bool) -> None:
    assert bool(drive(Pulsar()(site(slots=slots)), late({7: lag}, lag))) is moved


def test_the_top_ten_go_only_when_they_are_half_of_the_queue() -> None:
    assert drive(Pulsar()(site(40)), late(EVEN, 4_000)) == []
    half = {**dict.fromkeys(range(10), 200.0), **dict.fromkeys(range(10, 40), 66.0)}
    assert drive(Pulsar()(site(40)), late(half, 4_000))[0][1].move == tuple(range(10))
    assert drive(Pulsar()(site(40)), late(half, 4_100)) == []


def test_the_tuned_one_is_gated_by_age_and_takes_only_who_makes_up_the_half() -> None:
    rule = Pulsar("tuned", tuned=True)
    queue = {7: 60.0, **dict.fromkeys(range(10, 20), 4.0)}
    assert drive(rule(site()), late(queue, 100, age=7.9)) == []
    assert drive(rule(site()), late(queue, 100, age=8.0))[0][1].move == (7,)
    assert len(drive(Pulsar()(site(slots=2)), late({k: 40 * n for k, n in queue.items()}, 4_000))[0][1].move) == 10


@pytest.mark.parametrize(
    ("drained_at", "back_at"),
    [
        pytest.param(10, 61, id="drained early, it cools down for a minute"),
        pytest.param(200, 200, id="drained late, it comes back then"),
    ],
)
def test_release_needs_an_empty_queue_and_a_minute(drained_at: int, back_at: int) -> None:
    flood = second(1, {7: 4_000.0}, lags=[4_000, 0])
    rest = [second(t, {}, lags=[0, 0], side_lag=max(drained_at - t, 0)) for t in range(2, 300)]
    orders = drive(Pulsar()(site(slots=2)), [flood, *rest])
    assert [(t, o.move, o.restore) for t, o in orders] == [(1, (7,), ()), (back_at, (), (7,))]
