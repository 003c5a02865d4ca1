"""SQS fair queues."""

import pytest

from isolator.simulate.contender import Reports
from isolator.simulate.rivals.sqs import FairQueues
from tests.support.telling import drive, second, site

LATE = [4.0, 0.0]
CROWD = dict.fromkeys(range(2, 20), 20.0)
"""360 a second, 5.6 % each"""


def run(handled: dict[int, float], seconds: int = 10, **rest: object) -> list[Reports]:
    return [second(t, {1: 1.0}, handled=handled, ages=LATE, **rest) for t in range(1, seconds)]  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("handled", "work", "moved"),
    [
        pytest.param({**CROWD, 1: 39.0}, {}, False, id="39 of 399 in flight are under 10 %"),
        pytest.param({**CROWD, 1: 41.0}, {}, True, id="41 of 401 in flight are over 10 %"),
        pytest.param({2: 29.0, 3: 40.0}, {2: 0.001, 3: 0.1}, False, id="29 in flight are too few whatever their share"),
        pytest.param(
            {**CROWD, 1: 1.0}, {1: 0.041}, True, id="one slow record of more than 10 % of the processing time"
        ),
        pytest.param({**CROWD, 1: 1.0}, {1: 0.039}, False, id="one slow record of less than 10 % of it"),
    ],
)
def test_who_is_noisy(handled: dict[int, float], work: dict[int, float], *, moved: bool) -> None:
    orders = drive(FairQueues(site()), run(handled, work={**{i: n * 1e-3 for i, n in handled.items()}, **work}))
    noisy = {i for _, o in orders for i in o.move}
    assert (1 in noisy or 2 in noisy) is moved


def test_nobody_is_put_back_while_nothing_waits() -> None:
    calm = [second(t, {1: 500.0}, handled={1: 500.0}, ages=[3.0, 0.0]) for t in range(1, 60)]
    assert drive(FairQueues(site()), calm) == []


def test_a_noisy_group_stays_back_while_it_is_noisy_and_comes_back_when_its_backlog_is_gone() -> None:
    noisy = [second(t, {1: 500.0}, handled={**CROWD, 1: 400.0}, ages=LATE) for t in range(1, 31)]
    quiet = [second(t, {}, handled=CROWD, ages=LATE, side_lag=max(180 - t, 0)) for t in range(31, 400)]
    orders = drive(FairQueues(site()), [*noisy, *quiet])
    assert [(t, o.move, o.restore) for t, o in orders] == [(1, (1,), ()), (180, (), (1,))]


def test_a_group_comes_back_five_minutes_after_it_was_noisy_last() -> None:
    noisy = [second(t, {1: 500.0}, handled={**CROWD, 1: 400.0}, ages=LATE) for t in range(1, 31)]
    quiet = [second(t, {}, handled=CROWD, ages=LATE, side_lag=7) for t in range(31, 400)]
    orders = drive(FairQueues(site()), [*noisy, *quiet])
    assert orders[-1][1].restore == (1,)
    assert orders[-1][0] == pytest.approx(30 + 300, abs=5)
