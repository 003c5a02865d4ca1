"""How a month's money stands: spent so far, where it ends at this pace, and this week against the last. Pure."""

from calendar import monthrange
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final

from slo.capacity.limit import DAY, Budget
from slo.capacity.standing import STALE_S, Stage

TOLD, SPENT, STOP = 0.8, 1.0, 1.2
"""Shares of the month's budget: told, a ticket, nothing more may be spent on it."""
JUMP: Final = 1.2
"""A week that costs this many times the one before has a cause."""
WEEK: Final = 7
LEAST_DAYS: Final = 5
"""Days of a week that must be known for it to be compared."""


@dataclass(frozen=True, slots=True)
class Cost:
    """One budget at one time; None where too little is known."""

    budget: Budget
    at_s: float
    stage: Stage
    spent: float | None
    """In the budget's currency, since the month (UTC) began."""
    known_days: int
    """Days of the month, today included, of which there are samples."""
    forecast: float | None
    """For the whole month, at the pace of the last seven whole days."""
    week: float | None
    """Cost of the last seven whole days over that of the seven before."""

    @property
    def spent_ratio(self) -> float | None:
        """Of the month's budget."""
        return None if self.spent is None else self.spent / self.budget.monthly

    @property
    def forecast_ratio(self) -> float | None:
        """Of the month's budget."""
        return None if self.forecast is None else self.forecast / self.budget.monthly

    @property
    def why(self) -> str:
        """The stage's reason in words; empty when ok."""
        spent, ends, week = self.spent_ratio, self.forecast_ratio, self.week
        if spent is not None and spent >= SPENT:
            return f"{spent * 100:.0f} % of the month's budget is spent"
        if ends is not None and ends >= STOP:
            return f"the month ends at {ends * 100:.0f} % of its budget at this pace"
        if week is not None and week > JUMP:
            return f"the last week cost {week * 100 - 100:.0f} % more than the one before"
        if spent is not None and spent >= TOLD:
            return f"{spent * 100:.0f} % of the month's budget is spent"
        if ends is not None and ends >= SPENT:
            return f"the month ends at {ends * 100:.0f} % of its budget at this pace"
        return "no sample for two days" if self.stage is Stage.UNKNOWN else ""


def account(budget: Budget, samples: Mapping[int, float], at_s: float) -> Cost:
    """How `budget` stands at `at_s`; `samples` are hourly values of what a day costs, by the hour's Unix second.

    A day's cost is the mean of its samples; a day of the month without any costs what the known days cost on average.
    """
    seen = {at: value for at, value in samples.items() if at <= at_s}
    if not seen or at_s - max(seen) > STALE_S:
        return Cost(budget, at_s, Stage.UNKNOWN, None, 0, None, None)
    sums: dict[int, list[float]] = {}
    for at, value in seen.items():
        sums.setdefault(at // DAY, []).append(value)
    rate = {day: sum(values) / len(values) for day, values in sums.items()}
    now = datetime.fromtimestamp(at_s, UTC)
    today = int(at_s) // DAY
    first = today - (now.day - 1)
    known = [rate[day] for day in range(first, today) if day in rate]
    passed = (at_s - first * DAY) / DAY
    rates = [*known, *([rate[today]] if today in rate else [])]
    mean = sum(rates) / len(rates) if rates else 0.0
    whole = sum(rate.get(day, mean) for day in range(first, today))
    spent = whole + rate.get(today, mean) * (passed - (today - first))
    last = [rate[day] for day in range(today - WEEK, today) if day in rate]
    before = [rate[day] for day in range(today - 2 * WEEK, today - WEEK) if day in rate]
    enough = len(last) >= LEAST_DAYS
    left = monthrange(now.year, now.month)[1] - passed
    ends = spent + left * sum(last) / len(last) if enough else None
    paid = sum(before) / len(before) if len(before) >= LEAST_DAYS else 0.0
    week = sum(last) / len(last) / paid if enough and paid > 0 else None
    stage = _stage(spent / budget.monthly, None if ends is None else ends / budget.monthly, week)
    return Cost(budget, at_s, stage, spent, len(rates), ends, week)


def _stage(spent: float, ends: float | None, week: float | None) -> Stage:
    """Red: overspent, or will be by a fifth. Yellow: 80 % spent, will be overspent, or a fifth dearer than the week before."""
    if spent >= SPENT or (ends is not None and ends >= STOP):
        return Stage.RED
    if spent >= TOLD or (ends is not None and ends >= SPENT) or (week is not None and week > JUMP):
        return Stage.YELLOW
    return Stage.OK
