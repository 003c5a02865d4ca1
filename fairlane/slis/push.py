"""Minutes that somebody counted elsewhere and posts to us: set, never added, so that a repeated push changes nothing."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from sqlalchemy import Engine

from slo.clock import Clock
from slo.errors import Conflict, NotFound, UsageError
from slo.objective import Objective
from slo.sampling import by_timeslices
from slo.slices import SLICE_S, Slice
from slo.source import Push
from slo.store import LEDGER_S, Booking, SliceStore

MOST: Final = 1_500
"""Minutes in one push: a day and an hour."""
AHEAD_S: Final = 60
"""A clock may be so far ahead of ours."""
LARGEST: Final = 2**53
"""Counts beyond this are no longer exact in every JSON reader."""


@dataclass(frozen=True, slots=True)
class Minute:
    """What happened in the minute that begins at `at` (Unix seconds). `total` 0 tells of no traffic, which is not the same as no push."""

    at: int
    good: int
    total: int


@dataclass(frozen=True, slots=True)
class Taken:
    """What a push did: minutes that were new, that revised what was known, and that said the same again."""

    new: int
    revised: int
    same: int


class Pushes:
    """Takes minutes of the objectives whose source is a push."""

    def __init__(self, objectives: Sequence[Objective], clock: Clock) -> None:
        self._objectives = {o.name: o for o in objectives}
        self._clock = clock

    def take(self, engine: Engine, name: str, minutes: Sequence[Minute]) -> Taken:
        """Book them, all or none.

        Raises NotFound, Conflict for an objective that is measured here, UsageError for minutes that make no sense, SQLAlchemyError.
        """
        objective = self._objectives.get(name)
        if objective is None:
            pushed = sorted(o.name for o in self._objectives.values() if isinstance(o.source, Push))
            there = f"those that take pushes are {', '.join(pushed)}" if pushed else "no objective takes pushes here"
            raise NotFound(f"there is no objective {name!r}; {there}. `fairlane slo list` names all")
        if not isinstance(objective.source, Push):
            raise Conflict(f"{name} is measured by {type(objective.source).__name__.lower()}: it takes no pushes")
        self._check(minutes)
        known = {m.at: Slice(m.good, m.total, m.total, SLICE_S) for m in minutes}
        if objective.timeslices is not None:
            whole = by_timeslices(known, objective.timeslices)
            if len(whole) < len(known):
                raise UsageError(
                    f"slices: {name} is judged by time slices of {objective.timeslices.slice_s} s: push all minutes of a time slice together"
                )
            known = whole
        store = SliceStore(engine, self._clock)
        before = store.booked(name, known)
        changed = store.book([Booking(name, at, part, min(known)) for at, part in known.items()])
        revised = sum(b.at in before for b in changed)
        return Taken(len(changed) - revised, revised, len(known) - len(changed))

    def _check(self, minutes: Sequence[Minute]) -> None:
        now = self._clock.now()
        if not 0 < len(minutes) <= MOST:
            raise UsageError(f"slices: send 1 to {MOST:,} minutes in one push, not {len(minutes):,}")
        for n, m in enumerate(minutes):
            where = f"slices.{n}"
            if m.at % SLICE_S:
                raise UsageError(f"{where}.at: a slice begins at a whole minute, not at second {m.at % SLICE_S}")
            if m.at > now + AHEAD_S:
                raise UsageError(
                    f"{where}.at: {m.at - int(now)} s in the future; push a minute when it has begun, and check this machine's clock"
                )
            if m.at < now - LEDGER_S + SLICE_S:
                raise UsageError(f"{where}.at: older than {LEDGER_S // 86_400} days: what it was is settled")
            if not 0 <= m.good <= m.total <= LARGEST:
                raise UsageError(
                    f"{where}: 0 <= good <= total <= 2^53 must hold, not good {m.good} and total {m.total}"
                )
        if len({m.at for m in minutes}) < len(minutes):
            raise UsageError("slices: a minute stands twice in the push; add its counts up")
