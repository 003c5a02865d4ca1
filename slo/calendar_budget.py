"""The budget of an objective that has a calendar: what its period, which began at a midnight, has counted so far."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final

from sqlalchemy import Engine, func, select

from slo.calendar import Period
from slo.objective import Objective
from slo.schema import SLICES
from slo.slices import Slice

EVERY_S: Final = 60.0
"""Sums of months are taken anew this often: a minute changes them little."""
_COUNTS: Final = ("good", "total", "expected", "observed")


@dataclass(frozen=True, slots=True)
class PeriodSum:
    """What a calendar period (Unix seconds, [begin, end)) has counted up to now."""

    begin: int
    end: int
    slice: Slice

    @property
    def length_s(self) -> int:
        """Seconds of the whole period: a month of 31 days is longer than one of 30, a day of a DST change is not 24 h."""
        return self.end - self.begin


class CalendarSums:
    """The present periods of the objectives that have a calendar. One thread uses it.

    A slice belongs to the period in which it begins; hours that a zone's midnight cuts in half count to the day before.
    """

    def __init__(self, engine: Engine, objectives: Iterable[Objective]) -> None:
        self._read = engine
        self._objectives = [o for o in objectives if o.calendar is not None]
        self._found: dict[str, PeriodSum] = {}
        self._read_at = float("-inf")
        self._began: list[int] = []

    def at(self, now: float) -> dict[str, PeriodSum]:
        """By objective; those that were never booked have an empty sum. Raises SQLAlchemyError."""
        periods = {o.name: _period(o, now) for o in self._objectives}
        begins = [p.begin for p in periods.values()]
        if begins != self._began or not 0 <= now - self._read_at < EVERY_S:
            self._found = self._add_up(periods, now)
            self._read_at, self._began = now, begins
        return self._found

    def _add_up(self, periods: dict[str, Period], now: float) -> dict[str, PeriodSum]:
        by_begin: dict[int, list[str]] = {}
        for name, period in periods.items():
            by_begin.setdefault(period.begin, []).append(name)
        found = {name: PeriodSum(p.begin, p.end, Slice()) for name, p in periods.items()}
        with self._read.connect() as conn:
            for begin, names in by_begin.items():
                for some in _parts(names):
                    sums = [func.coalesce(func.sum(SLICES.c[one]), 0) for one in _COUNTS]
                    query = (
                        select(SLICES.c.slo, *sums)
                        .where(SLICES.c.slo.in_(some), SLICES.c.at >= begin, SLICES.c.at <= int(now))
                        .group_by(SLICES.c.slo)
                    )
                    for name, *counts in conn.execute(query):
                        found[name] = PeriodSum(begin, periods[name].end, Slice(*map(int, counts)))
        return found


def _period(objective: Objective, now: float) -> Period:
    assert objective.calendar is not None
    return objective.calendar.at(now)


def _parts(names: Sequence[str], most: int = 500) -> Iterable[Sequence[str]]:
    return (names[n : n + most] for n in range(0, len(names), most))
