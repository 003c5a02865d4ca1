"""A partition as a fluid in order of arrival."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from isolator.simulate.queue import HOLD, Batch, Choice, Portion, Queue


def batch(at: float, **events: float) -> Batch:
    """Tokens `t0=...` of a tenth of a second of work an event, arriving in [at, at + 1)."""
    tokens = np.array([int(name[1:]) for name in events])
    counts = np.array(list(events.values()), dtype=np.float64)
    return Batch(at, at + 1, tokens, counts, counts * 0.1)


def queue(*batches: Batch) -> Queue:
    made = Queue()
    for one in batches:
        made.append(one)
    return made


def choice(*lanes: int) -> Choice:
    return Choice(np.array(lanes), 0.001, HOLD in lanes)


def test_the_oldest_is_served_first_and_its_age_is_exact():
    made = queue(batch(0, t0=10), batch(1, t0=10))
    taken = list(made.serve(1.5, 5.0, 1.0, None))
    assert [(p.first, p.last) for p in taken] == [(0.0, 1.0), (0.0, pytest.approx(0.5))]
    # its first event arrived at 0 and is taken at 5, its last arrived at 1 and is taken at 6
    assert taken[0].ages() == pytest.approx((5.0, 5.0))
    assert taken[1].ages() == pytest.approx((5.0, 5.0))
    assert made.waiting == pytest.approx(5.0)


def test_forwarded_tokens_cost_their_forwarding_only():
    made = queue(batch(0, t0=10, t1=10))
    assert made.demand(100, None) == pytest.approx(2.0)
    assert made.demand(100, choice(0, 1)) == pytest.approx(1.01)
    (portion,) = made.serve(5.0, 0.0, 1.0, choice(0, 1))
    assert portion.lanes is not None
    assert portion.lanes.tolist() == [0, 1]


def test_nothing_is_taken_from_the_first_held_record_on():
    made = queue(batch(0, t0=10), batch(1, t1=10), batch(2, t0=10))
    assert made.demand(100, choice(0, HOLD)) == pytest.approx(1.0)
    assert len(list(made.serve(5.0, 3.0, 1.0, choice(0, HOLD)))) == 1
    assert made.waiting == pytest.approx(20.0)


def test_a_record_that_wants_a_worker_alone_is_not_served_as_a_fluid():
    alone = Batch(0, 0, np.array([1]), np.ones(1), np.array([20.0]), alone=True)
    made = queue(batch(0, t0=10), alone)
    assert len(list(made.serve(50.0, 1.0, 1.0, None))) == 1
    assert made.hanging(None) is alone
    assert made.hanging(choice(0, 1)) is None
    assert len(list(made.serve(50.0, 1.0, 1.0, choice(0, 1)))) == 1


@pytest.mark.parametrize(
    ("ages", "late"),
    [((40.0, 35.0), 1.0), ((10.0, 29.0), 0.0), ((20.0, 40.0), 0.5), ((40.0, 20.0), 0.5)],
    ids=["all over", "none over", "half grows over", "half shrinks under"],
)
def test_the_share_over_the_limit_is_exact(ages, late):
    one = Batch(0.0, 0.0, np.array([0]), np.ones(1), np.ones(1))
    assert Portion(one, 0.0, 1.0, ages[0], ages[1], None).late(30.0) == pytest.approx(late)


@given(
    st.lists(st.lists(st.floats(0.1, 50), min_size=2, max_size=2), min_size=1, max_size=5),
    st.lists(st.floats(0.0, 3.0), min_size=1, max_size=12),
    st.sampled_from([None, (0, 1), (2, 0), (1, 2)]),
)
def test_every_event_is_taken_once_and_in_order_however_it_is_served(amounts, budgets, lanes):
    made = queue(*(batch(i, t0=a, t1=b) for i, (a, b) in enumerate(amounts)))
    chosen = choice(*lanes) if lanes else None
    taken = [p for budget in [*budgets, 1e9] for p in list(made.serve(budget, 10.0, 1.0, chosen))]
    total = sum(p.part * p.batch.total_events for p in taken)
    assert total == pytest.approx(sum(a + b for a, b in amounts))
    places = [(p.batch.begin_s + p.first, p.batch.begin_s + p.last) for p in taken]
    assert places == sorted(places)
    assert made.waiting == pytest.approx(0.0, abs=1e-6)
    assert not made.batches
