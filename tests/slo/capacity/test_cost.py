"""A month's money: 80, 100, 120 %, and a fifth more than last week."""

from datetime import UTC, datetime

import pytest

from slo.capacity.cost import account
from slo.capacity.limit import DAY, Budget
from slo.capacity.standing import Stage

BUDGET = Budget("warehouse", "Warehouse", 3_000.0, "EUR", "data")
NOW = datetime(2026, 11, 21, tzinfo=UTC).timestamp()
"""Twenty whole days of thirty are over."""
TODAY = int(NOW) // DAY


def daily(rate: float, last: float | None = None, days: int = 40) -> dict[int, float]:
    """A sample each noon; `last` is the rate of the last seven days."""
    return {(TODAY - n) * DAY + 12 * 3600: (last if last is not None and n <= 7 else rate) for n in range(1, days)}


@pytest.mark.parametrize(
    ("rate", "last", "expected", "why"),
    [
        (90.0, None, Stage.OK, ""),
        (101.0, None, Stage.YELLOW, "the month ends at 101 % of its budget at this pace"),
        (120.0, None, Stage.RED, "the month ends at 120 % of its budget at this pace"),
        (120.0, 90.0, Stage.YELLOW, "the month ends at"),
        (150.0, 70.0, Stage.YELLOW, "81 % of the month's budget is spent"),
        (151.0, None, Stage.RED, "101 % of the month's budget is spent"),
        (70.0, 83.0, Stage.OK, ""),
        (70.0, 85.0, Stage.YELLOW, "the last week cost 21 % more than the one before"),
    ],
    ids=["within", "over at the end", "a fifth over", "slowing down", "80 spent", "100 spent", "19 more", "21 more"],
)
def test_the_policy(rate: float, last: float | None, expected: Stage, why: str) -> None:
    found = account(BUDGET, daily(rate, last), NOW)
    assert found.stage is expected
    assert found.why.startswith(why)
    assert bool(found.why) == (expected is not Stage.OK)


def test_spent_forecast_and_week_are_what_the_days_add_up_to() -> None:
    found = account(BUDGET, daily(100.0, 120.0), NOW)
    assert found.spent == pytest.approx(13 * 100 + 7 * 120)
    assert found.forecast == pytest.approx(13 * 100 + 17 * 120)
    assert found.week == pytest.approx(1.2)
    assert (found.spent_ratio, found.known_days) == (pytest.approx(2140 / 3000), 20)


def test_a_day_without_a_sample_costs_what_the_others_do() -> None:
    some = {at: value for at, value in daily(100.0).items() if at // DAY % 3}
    assert account(BUDGET, some, NOW).spent == pytest.approx(2_000.0)


def test_half_a_day_counts_half() -> None:
    noon = NOW + DAY / 2
    assert account(BUDGET, {**daily(100.0), int(NOW): 100.0}, noon).spent == pytest.approx(2_050.0)


def test_no_data_is_unknown_and_a_young_budget_has_no_forecast() -> None:
    assert account(BUDGET, {}, NOW).stage is Stage.UNKNOWN
    assert account(BUDGET, daily(100.0), NOW + 3 * DAY).stage is Stage.UNKNOWN
    young = account(BUDGET, daily(100.0, days=4), NOW)
    assert (young.forecast, young.week) == (None, None)
    assert young.spent == pytest.approx(2_000.0)
