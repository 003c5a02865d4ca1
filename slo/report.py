"""What an objective achieved in a period: sums of its days against its target, the budget as time, and how much of it was seen. Pure."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from decimal import Decimal
from enum import StrEnum
from fractions import Fraction
from typing import Final

from slo.budget import Budget, budget
from slo.burn import MIN_COVERAGE
from slo.calendar import Period
from slo.days import DaySum
from slo.slices import SLICE_S, Slice, add_up, coverage
from slo.store import DUE_S

NEARLY: Final = Fraction(3, 4)
"""A budget of which more than this is spent is nearly spent."""


class Outcome(StrEnum):
    """How a promise ended, or stands."""

    KEPT = "kept"
    NEARLY_SPENT = "nearly spent"
    BROKEN = "broken"
    NO_DATA = "no data"
    """Nothing was observed: neither kept nor broken."""
    NO_TRAFFIC = "no traffic"
    """It was watched, and nothing happened: nothing could break."""
    INCOMPLETE = "incomplete"
    """Kept as far as it is known, but too little was observed to say so."""


@dataclass(frozen=True, slots=True)
class Sums:
    """One stretch of time of one objective: a day, or a whole period. `due_s` is how many of its seconds should have been observed."""

    whole: Slice
    excluded: Slice
    """Of `whole`, what lies in announced maintenance."""
    due_s: int

    @property
    def kept(self) -> Slice:
        """Without announced maintenance."""
        w, x = self.whole, self.excluded
        total = max(w.total - x.total, 0)
        return Slice(
            min(max(w.good - x.good, 0), total), total, max(w.expected - x.expected, 0), max(w.observed - x.observed, 0)
        )

    @property
    def coverage(self) -> Fraction | None:
        """Share of the due seconds that were observed; None when none are due."""
        return coverage(self.whole.observed, self.due_s)


@dataclass(frozen=True, slots=True)
class Account:
    """A promise in a period of `period_s` seconds, of which it has existed for `lived_s` so far."""

    target: Decimal
    period_s: int
    lived_s: int
    sums: Sums

    @property
    def achieved(self) -> Fraction | None:
        """Share that was good, without announced maintenance; None without traffic."""
        return share(self.sums.kept)

    @property
    def achieved_with(self) -> Fraction | None:
        """Share that was good, with announced maintenance counted like anything else."""
        return share(self.sums.whole)

    @property
    def budget(self) -> Budget:
        """The error budget without announced maintenance."""
        return budget(self.sums.kept, self.target, self.period_s, self.lived_s)

    @property
    def budget_with(self) -> Budget:
        """The error budget with announced maintenance."""
        return budget(self.sums.whole, self.target, self.period_s, self.lived_s)

    @property
    def outcome(self) -> Outcome:
        """What can be said."""
        return outcome(self.budget.spent, self.sums)


def outcome(spent: Fraction, sums: Sums) -> Outcome:
    """The word for a period, by what is spent of its budget and what was observed.

    Over the whole of a period more than the budget is spent exactly when less than the target was achieved; in one that is still running, or in which the
    objective began, the budget decides. What is broken is broken, however little was seen.
    """
    if not sums.whole.observed and not sums.whole.total:
        return Outcome.NO_DATA
    if spent > 1:
        return Outcome.BROKEN
    seen = sums.coverage
    if seen is not None and seen < MIN_COVERAGE:
        return Outcome.INCOMPLETE
    if not sums.kept.total:
        return Outcome.NO_TRAFFIC
    return Outcome.NEARLY_SPENT if spent > NEARLY else Outcome.KEPT


def day_sums(days: Sequence[DaySum], period: Period, born: int | None, now: float) -> tuple[tuple[Period, Sums], ...]:
    """Days with what should have been observed of them. `born` is the Unix second of the objective's first slice, None when it has none."""
    begin = period.end if born is None else max(born, period.begin)
    return tuple((d.day, _sums(d, begin, now)) for d in days)


def account(target: Decimal, period: Period, parts: Iterable[Sums], born: int | None, now: float) -> Account:
    """A period by the sums of its days."""
    known = tuple(parts)
    sums = Sums(
        add_up(part.whole for part in known),
        add_up(part.excluded for part in known),
        sum(part.due_s for part in known),
    )
    begin = period.end if born is None else min(max(born, period.begin), period.end)
    return Account(target, period.seconds, max(int(min(now, period.end)) - begin, 0), sums)


def _sums(one: DaySum, begin: int, now: float) -> Sums:
    until = min(one.day.end, int(now - DUE_S) // SLICE_S * SLICE_S)
    due = max(until - max(one.day.begin, begin), 0)
    return Sums(one.slice, add_up(one.excluded.values()), due)


def share(part: Slice) -> Fraction | None:
    """Good over total, exactly; None when nothing was due."""
    return Fraction(part.good, part.total) if part.total else None
