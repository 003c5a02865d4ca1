"""What an account says: kept, broken, nearly spent, unknown; with and without maintenance."""

from datetime import date
from decimal import Decimal
from fractions import Fraction

import pytest

from slo.calendar import Calendar, Unit
from slo.days import DaySum
from slo.report import Account, Outcome, Sums, account, day_sums
from slo.slices import EMPTY, Slice
from slo.windows import DAY, HOUR

MONTH = Calendar(Unit.MONTH).of(date(2026, 10, 1))
TARGET = Decimal("0.99")


def of(whole: Slice, excluded: Slice = EMPTY, due_s: int = 100, lived: int = MONTH.seconds) -> Account:
    return Account(TARGET, MONTH.seconds, lived, Sums(whole, excluded, due_s))


@pytest.mark.parametrize(
    ("told", "word"),
    [
        (of(Slice(1000, 1000, 1000, 100)), Outcome.KEPT),
        (of(Slice(990, 1000, 1000, 100)), Outcome.NEARLY_SPENT),
        (of(Slice(989, 1000, 1000, 100)), Outcome.BROKEN),
        (of(Slice(989, 1000, 1000, 10)), Outcome.BROKEN),
        (of(Slice(1000, 1000, 1000, 89)), Outcome.INCOMPLETE),
        (of(Slice(0, 0, 0, 100)), Outcome.NO_TRAFFIC),
        (of(Slice(0, 0, 0, 0)), Outcome.NO_DATA),
        (of(Slice(900, 1000, 1000, 100), lived=MONTH.seconds // 31), Outcome.KEPT),
        (of(Slice(900, 1000, 1000, 100), Slice(0, 100, 100, 10)), Outcome.KEPT),
    ],
    ids=[
        "kept",
        "to the last event",
        "one event more",
        "broken is broken, however little was seen",
        "too little was seen",
        "no traffic",
        "no data",
        "a bad first day does not break a month",
        "what maintenance broke is left out",
    ],
)
def test_the_word(told: Account, word: Outcome) -> None:
    assert told.outcome is word


def test_both_numbers_are_told() -> None:
    told = of(Slice(900, 1000, 1000, 100), Slice(0, 100, 100, 10))
    assert (told.achieved, told.achieved_with) == (Fraction(1), Fraction(9, 10))
    assert (told.budget.spent, told.budget_with.spent) == (0, 10)


def test_only_what_the_objective_lived_through_is_due() -> None:
    days = [DaySum(day) for day in Calendar(Unit.DAY).days(MONTH)]
    born, now = MONTH.begin + 2 * DAY + HOUR, MONTH.begin + 4 * DAY
    parts = day_sums(days, MONTH, born, now)
    assert [part.due_s for _, part in parts[:5]] == [0, 0, 23 * HOUR, DAY - 60, 0]
    told = account(TARGET, MONTH, (part for _, part in parts), born, now)
    assert (told.lived_s, told.sums.due_s) == (2 * DAY - HOUR, 2 * DAY - HOUR - 60)


def test_an_objective_that_was_never_booked_is_due_nothing() -> None:
    parts = day_sums([DaySum(day) for day in Calendar(Unit.DAY).days(MONTH)], MONTH, None, MONTH.end + DAY)
    told = account(TARGET, MONTH, (part for _, part in parts), None, MONTH.end + DAY)
    assert (told.lived_s, told.sums.due_s, told.sums.coverage, told.outcome) == (0, 0, None, Outcome.NO_DATA)
