"""Sentry's budgets."""

import pytest

from isolator.simulate.rivals.sentry import Sentry, tuned
from tests.support.telling import drive, second, site


@pytest.mark.parametrize(
    ("work", "at"),
    [
        pytest.param(5.0, None, id="five seconds of work a second is within the budget"),
        # 120 s * 5 = 600 s of work, and one more
        pytest.param(6.0, 101, id="six exceed it after 100 s"),
        pytest.param(60.0, 11, id="sixty exceed it after 10 s"),
    ],
)
def test_five_seconds_of_work_a_second_over_two_minutes(work: float, at: int | None) -> None:
    orders = drive(Sentry()(site()), [second(t, {}, handled={3: 10.0}, work={3: work}) for t in range(1, 300)])
    assert [(t, o.move) for t, o in orders] == ([] if at is None else [(at, (3,))])


def test_a_demoted_project_is_looked_at_again_after_five_minutes() -> None:
    busy = [second(t, {}, handled={3: 10.0}, work={3: 60.0}) for t in range(1, 21)]
    calm = [second(t, {}) for t in range(21, 700)]
    orders = drive(Sentry()(site()), [*busy, *calm])
    assert [(t, o.move, o.restore) for t, o in orders] == [(11, (3,), ()), (311, (), (3,))]


def test_who_is_still_over_budget_then_is_kept_for_five_minutes_more() -> None:
    busy = [second(t, {}, handled={3: 10.0}, work={3: 60.0}) for t in range(1, 321)]
    calm = [second(t, {}) for t in range(321, 900)]
    orders = drive(Sentry()(site()), [*busy, *calm])
    assert [(t, o.move, o.restore) for t, o in orders] == [(11, (3,), ()), (611, (), (3,))]


def test_a_record_that_runs_on_is_charged_its_running_time_each_second() -> None:
    hung = [second(t, {}, running=((3, 0, float(t)),)) for t in range(1, 60)]
    orders = drive(Sentry()(site()), hung)
    # n(n+1)/2 > 600 for n = 35
    assert [(t, o.move) for t, o in orders] == [(35, (3,))]


def test_the_tuned_budget_is_a_tenth_of_all_consumers_and_spares_every_usual_tenant() -> None:
    assert tuned(site(slots=4)) == pytest.approx(0.4)
    assert tuned(site(slots=4, rates={1: 1_000.0})) == pytest.approx(1.5)
