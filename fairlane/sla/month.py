"""An SLA month as a document: whole numbers that everything else is worked out from, so that a signed one says the same for ever."""

import hashlib
from dataclasses import asdict, dataclass, replace
from decimal import Decimal
from fractions import Fraction
from typing import Any, Final

import orjson

from slo.budget import Budget, budget
from slo.objective import Audience, Sli
from slo.report import Account, Outcome, Sums, outcome
from slo.slices import Slice

CONTRACT: Final = 1
"""The document's version."""


@dataclass(frozen=True, slots=True)
class Counts:
    """What was counted, what of it lies in announced maintenance (`out_*`), and the seconds that should have been observed."""

    good: int = 0
    total: int = 0
    expected: int = 0
    observed_s: int = 0
    out_good: int = 0
    out_total: int = 0
    out_expected: int = 0
    out_observed_s: int = 0
    due_s: int = 0

    @staticmethod
    def of(sums: Sums) -> "Counts":
        """From the report's sums."""
        w, x = sums.whole, sums.excluded
        return Counts(w.good, w.total, w.expected, w.observed, x.good, x.total, x.expected, x.observed, sums.due_s)

    @property
    def sums(self) -> Sums:
        """For the report's arithmetic."""
        whole = Slice(self.good, self.total, self.expected, self.observed_s)
        return Sums(whole, Slice(self.out_good, self.out_total, self.out_expected, self.out_observed_s), self.due_s)


@dataclass(frozen=True, slots=True)
class Day:
    """A local day (`2026-10-25`) of `seconds` (23 to 25 hours)."""

    day: str
    seconds: int
    counts: Counts


@dataclass(frozen=True, slots=True)
class Before:
    """A month in the trend, without announced maintenance."""

    month: str
    good: int
    total: int
    observed_s: int
    signed: bool

    @property
    def achieved(self) -> Fraction | None:
        """Share that was good; None without traffic or data."""
        return Fraction(self.good, self.total) if self.total else None


@dataclass(frozen=True, slots=True)
class Promise:
    """One objective's month."""

    name: str
    title: str
    sli: str
    population: str
    unit: str
    owner: str
    target: str
    """Exactly, as decimal text."""
    threshold: float
    period_s: int
    lived_s: int
    counts: Counts
    days: tuple[Day, ...]
    trend: tuple[Before, ...] = ()
    """Up to twelve months, this one last."""

    @property
    def account(self) -> Account:
        """The arithmetic."""
        return Account(Decimal(self.target), self.period_s, self.lived_s, self.counts.sums)

    @property
    def outcome(self) -> Outcome:
        """How it ended, or stands."""
        return self.account.outcome

    @property
    def budget(self) -> Budget:
        """Without announced maintenance."""
        return self.account.budget

    @property
    def budget_difference(self) -> float:
        """Seconds of budget that announced maintenance would have spent."""
        return self.account.budget_with.spent_s - self.budget.spent_s

    @property
    def adjusted(self) -> bool:
        """Is any announced maintenance left out?"""
        return self.counts.out_total > 0 or self.counts.out_expected > 0

    def day_outcome(self, day: Day) -> Outcome:
        """How a day stands by itself, against the same target."""
        sums = day.counts.sums
        return outcome(budget(sums.kept, Decimal(self.target), day.seconds, day.seconds).spent, sums)

    def day_spent(self, day: Day) -> Fraction:
        """Share of the month's budget that a day spent."""
        bad = self.counts.sums.kept.bad
        return self.budget.spent * Fraction(day.counts.sums.kept.bad, bad) if bad else Fraction(0)


@dataclass(frozen=True, slots=True)
class Touched:
    """What an incident did to one promise."""

    slo: str
    bad: int
    bad_s: int
    spent_s: float
    """Of its budget, as time."""


@dataclass(frozen=True, slots=True)
class Incident:
    """A stretch of bad time (Unix seconds). `exact`: known to the minute. `moves` are ids of the isolator's verdicts, for those who may see them."""

    begin: int
    end: int
    exact: bool
    cause: str
    touched: tuple[Touched, ...]
    others_late_s: int
    """Seconds in which tokens that were not moved were late."""
    in_maintenance: bool = False
    moves: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Maintenance:
    """Announced maintenance; a cancelled one excludes nothing and is told all the same. `notice_s` negative: told afterwards."""

    id: str
    slo: str
    begin: int
    end: int
    by: str
    reason: str
    notice_s: float
    cancelled_by: str = ""
    cancelled_why: str = ""
    cancelled: bool = False


@dataclass(frozen=True, slots=True)
class Moved:
    """The population that was moved out of the others' way: its share of the traffic, and how it fared."""

    tokens: int
    """Distinct tokens that the isolator moved."""
    expected: int
    of: int
    """Events of everybody."""
    good: int
    total: int
    active: int | None = None
    """The most tokens that were active within one minute of the month; None when nobody counted."""
    counted_h: int = 0
    """Hours in which they were counted ..."""
    due_h: int = 0
    """... of so many."""

    @property
    def share(self) -> Fraction | None:
        """Of the traffic; None without any."""
        return Fraction(self.expected, self.of) if self.of else None

    @property
    def token_share(self) -> Fraction | None:
        """Of the tokens, at most: all tokens of the month are at least those of its busiest minute. None when nobody counted."""
        return min(Fraction(self.tokens, self.active), Fraction(1)) if self.active else None

    @property
    def counted(self) -> Fraction | None:
        """Share of the hours in which active tokens were counted; None when none was due."""
        return min(Fraction(self.counted_h, self.due_h), Fraction(1)) if self.due_h else None

    @property
    def achieved(self) -> Fraction | None:
        """Share within what is promised to moved tokens; None when nothing was moved."""
        return Fraction(self.good, self.total) if self.total else None


@dataclass(frozen=True, slots=True)
class Month:
    """The whole document. `begin` and `end` are Unix seconds; `as_of` is when it was put together, at most `end` plus the days in which data may come late."""

    pipeline: str
    month: str
    zone: str
    begin: int
    end: int
    as_of: int
    promises: tuple[Promise, ...]
    incidents: tuple[Incident, ...]
    small: int
    """Further incidents that spent next to nothing ..."""
    small_s: float
    """... and what they spent together, of the budget they hurt most."""
    maintenance: tuple[Maintenance, ...]
    moved: Moved | None
    contract: int = CONTRACT

    def promise(self, sli: Sli, population: Audience) -> Promise | None:
        """The pipeline's own promise of that kind."""
        return next((p for p in self.promises if (p.sli, p.population) == (sli, population)), None)

    @property
    def observed_s(self) -> int:
        """Observed seconds, of all promises."""
        return sum(p.counts.observed_s for p in self.promises)

    @property
    def complete(self) -> Fraction | None:
        """Share of the due seconds that were observed, of all promises together; None when none are due."""
        due = sum(p.counts.due_s for p in self.promises)
        seen = sum(min(p.counts.observed_s, p.counts.due_s) for p in self.promises)
        return Fraction(seen, due) if due else None

    def canonical(self) -> bytes:
        """As JSON, the same bytes for the same document: keys sorted, no blanks."""
        return orjson.dumps(asdict(self), option=orjson.OPT_SORT_KEYS)

    @property
    def sha256(self) -> str:
        """Of the canonical JSON."""
        return hashlib.sha256(self.canonical()).hexdigest()

    def public(self) -> "Month":
        """Without what leads to tenants: ids of verdicts."""
        return replace(self, incidents=tuple(replace(i, moves=()) for i in self.incidents))


def decode(text: str | bytes) -> Month:
    """The document of its JSON. Raises ValueError, KeyError or TypeError when it is none."""
    raw = orjson.loads(text)
    if raw.get("contract") != CONTRACT:
        raise ValueError(f"this is version {raw.get('contract')} of an SLA month; version {CONTRACT} is understood")
    raw["promises"] = tuple(_promise(p) for p in raw["promises"])
    raw["incidents"] = tuple(_incident(i) for i in raw["incidents"])
    raw["maintenance"] = tuple(Maintenance(**m) for m in raw["maintenance"])
    raw["moved"] = Moved(**raw["moved"]) if raw["moved"] else None
    return Month(**raw)


def _promise(raw: dict[str, Any]) -> Promise:
    days = tuple(Day(d["day"], d["seconds"], Counts(**d["counts"])) for d in raw["days"])
    trend = tuple(Before(**b) for b in raw["trend"])
    return Promise(**{**raw, "counts": Counts(**raw["counts"]), "days": days, "trend": trend})


def _incident(raw: dict[str, Any]) -> Incident:
    return Incident(**{**raw, "touched": tuple(Touched(**t) for t in raw["touched"]), "moves": tuple(raw["moves"])})
