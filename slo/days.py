"""Local days: what each of them added up to, from the durable sums where there are some, else from slices. Months, quarters and 28 days are sums of days.

A day begins and ends at local midnight, so it lasts 23, 24 or 25 hours where clocks are changed; every minute belongs to exactly one of them.
"""

from bisect import bisect_right
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Final

from sqlalchemy import Connection, Engine, and_, func, select

from slo.adjust import Adjustment, Adjustments, holding
from slo.calendar import Calendar, Period, Unit, midnight
from slo.schema import BAD_STEPS, BOOKED, DAYS, EXCLUSIONS, SLICES, TOTALS
from slo.slices import EMPTY, SLICE_S, Slice
from slo.store import LEDGER_S

COUNTS: Final = ("good", "total", "expected", "observed")
SOME: Final = 200
"""Objectives that one statement asks for."""


@dataclass(frozen=True, slots=True)
class BadStep:
    """A minute (or the coarser step that is left of it) with something bad, from `at` (Unix seconds) for `step_s` seconds."""

    at: int
    step_s: int
    good: int
    total: int

    @property
    def end(self) -> int:
        """The first second after it."""
        return self.at + self.step_s

    @property
    def bad(self) -> int:
        """What was due and not good."""
        return self.total - self.good


@dataclass(frozen=True, slots=True)
class DaySum:
    """One objective's local day. `excluded` is what announced maintenance held of it, by adjustment; `slice` has it in."""

    day: Period
    slice: Slice = EMPTY
    excluded: Mapping[str, Slice] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Days:
    """The days of one zone, read only. `now` (Unix seconds) is where knowledge ends: what begins later is left out."""

    engine: Engine
    zone: str

    def read(self, slos: Iterable[str], period: Period, now: float) -> dict[str, list[DaySum]]:
        """Each objective's days of `period` that have begun, in order; a day of which nothing is known is EMPTY. Raises SQLAlchemyError."""
        names = sorted(set(slos))
        days = [day for day in Calendar(Unit.DAY, self.zone).days(period) if day.begin < now]
        announced = Adjustments(self.engine).between(period.begin, period.end)
        found: dict[str, list[DaySum]] = {}
        with self.engine.connect() as conn:
            for start in range(0, len(names), SOME):
                found |= self._some(conn, names[start : start + SOME], days, announced, now)
        return found

    def bad(self, slos: Iterable[str], period: Period, now: float) -> dict[str, list[BadStep]]:
        """Each objective's steps with something bad in `period`, in order: at least those that burn faster than allowed. Raises SQLAlchemyError."""
        names = sorted(set(slos))
        days = [day for day in Calendar(Unit.DAY, self.zone).days(period) if day.begin < now]
        found: dict[str, list[BadStep]] = {}
        with self.engine.connect() as conn:
            for start in range(0, len(names), SOME):
                some = names[start : start + SOME]
                rolled = {slo: {day for s, day in self._rolled(conn, some, days) if s == slo} for slo in some}
                kept = self._kept_bad(conn, some, period)
                for slo in some:
                    open_ = [day for day in days if day.first.isoformat() not in rolled[slo]]
                    fresh = bad_steps(conn, [slo], open_, now)[slo] if open_ else []
                    found[slo] = sorted([*kept[slo], *fresh], key=lambda step: step.at)
        return found

    def born(self) -> dict[str, int]:
        """The Unix second of each objective's first slice."""
        with self.engine.connect() as conn:
            return {row.slo: row.born for row in conn.execute(select(TOTALS.c.slo, TOTALS.c.born))}

    def last(self, count: int, now: float) -> Period:
        """The last `count` whole local days before today."""
        until = Calendar(Unit.DAY, self.zone).at(now).first
        first = until - timedelta(days=count)
        return Period(first, until, midnight(first, self.zone), midnight(until, self.zone))

    def _some(
        self,
        conn: Connection,
        slos: Sequence[str],
        days: Sequence[Period],
        announced: Sequence[Adjustment],
        now: float,
    ) -> dict[str, list[DaySum]]:
        if not days:
            return {slo: [] for slo in slos}
        rolled = self._rolled(conn, slos, days)
        excluded = self._excluded(conn, slos, days)
        holds = {a.id for a in announced if a.holds}
        births = conn.execute(select(TOTALS.c.slo, TOTALS.c.born).where(TOTALS.c.slo.in_(slos)))
        born: dict[str, int] = {row.slo: row.born for row in births}
        found = {}
        for slo in slos:
            # the hour of the first minute may begin on the day before
            since = born.get(slo, now)
            open_ = [day for day in days if (slo, day.first.isoformat()) not in rolled and day.end > since]
            fresh = step_sums(conn, [slo], open_, now)[slo] if open_ else {}
            sums = []
            for day in days:
                key = slo, day.first.isoformat()
                if key in rolled:
                    out = {id_: part for id_, part in excluded[key].items() if id_ in holds}
                    sums.append(DaySum(day, rolled[key], out))
                else:
                    out = exclusions(conn, slo, day, announced)
                    sums.append(DaySum(day, fresh.get(day, EMPTY), out))
            found[slo] = sums
        return found

    def _rolled(self, conn: Connection, slos: Sequence[str], days: Sequence[Period]) -> dict[tuple[str, str], Slice]:
        if not days:
            return {}
        first, last = days[0].first.isoformat(), days[-1].first.isoformat()
        inside = and_(DAYS.c.slo.in_(slos), DAYS.c.zone == self.zone, DAYS.c.day >= first, DAYS.c.day <= last)
        return {
            (row.slo, row.day): Slice(row.good, row.total, row.expected, row.observed)
            for row in conn.execute(select(DAYS).where(inside))
        }

    def _excluded(
        self, conn: Connection, slos: Sequence[str], days: Sequence[Period]
    ) -> dict[tuple[str, str], dict[str, Slice]]:
        first, last = days[0].first.isoformat(), days[-1].first.isoformat()
        table = EXCLUSIONS.c
        inside = and_(table.slo.in_(slos), table.zone == self.zone, table.day >= first, table.day <= last)
        found: dict[tuple[str, str], dict[str, Slice]] = defaultdict(dict)
        for row in conn.execute(select(EXCLUSIONS).where(inside)):
            found[row.slo, row.day][row.adjustment] = Slice(row.good, row.total, row.expected, row.observed)
        return found

    @staticmethod
    def _kept_bad(conn: Connection, slos: Sequence[str], period: Period) -> dict[str, list[BadStep]]:
        inside = and_(BAD_STEPS.c.slo.in_(slos), BAD_STEPS.c.at >= period.begin, BAD_STEPS.c.at < period.end)
        found: dict[str, list[BadStep]] = {slo: [] for slo in slos}
        for row in conn.execute(select(BAD_STEPS).where(inside)):
            found[row.slo].append(BadStep(row.at, row.step_s, row.good, row.total))
        return found


def has_minutes(day: Period, now: float) -> bool:
    """Are all of the day's minutes still told one by one?"""
    return day.begin >= now - LEDGER_S


def minute_sums(conn: Connection, slos: Sequence[str], begin: int, end: int) -> dict[str, Slice]:
    """The minutes of [begin, end), added up; objectives without any are absent."""
    sums = [func.sum(BOOKED.c[name]).label(name) for name in COUNTS]
    inside = and_(BOOKED.c.slo.in_(slos), BOOKED.c.at >= begin, BOOKED.c.at < end)
    rows = conn.execute(select(BOOKED.c.slo, *sums).where(inside).group_by(BOOKED.c.slo))
    return {row.slo: Slice(*(int(getattr(row, name)) for name in COUNTS)) for row in rows}


def step_sums(
    conn: Connection, slos: Sequence[str], days: Sequence[Period], now: float
) -> dict[str, dict[Period, Slice]]:
    """Slices (as fine as they are kept) that begin in each of `days`, which are in order, and not after `now`, added up by objective and day."""
    begins = [day.begin for day in days]
    inside = and_(SLICES.c.slo.in_(slos), SLICES.c.at >= begins[0], SLICES.c.at < min(days[-1].end, int(now) + 1))
    columns = [SLICES.c[name] for name in COUNTS]
    sums: dict[str, dict[int, list[int]]] = {slo: {} for slo in slos}
    for slo, at, *counts in conn.execute(select(SLICES.c.slo, SLICES.c.at, *columns).where(inside)):
        place = bisect_right(begins, at) - 1
        if at >= days[place].end:
            continue
        known = sums[slo].setdefault(place, [0, 0, 0, 0])
        for n, count in enumerate(counts):
            known[n] += count
    return {slo: {days[place]: Slice(*counts) for place, counts in known.items()} for slo, known in sums.items()}


def bad_steps(
    conn: Connection, slos: Sequence[str], days: Sequence[Period], now: float, *, minutes: bool | None = None
) -> dict[str, list[BadStep]]:
    """Every step with something bad that begins in one of `days`: minutes where they are still told (or `minutes` says so), else slices."""
    found: dict[str, list[BadStep]] = {slo: [] for slo in slos}
    for day in days:
        if has_minutes(day, now) if minutes is None else minutes:
            inside = and_(BOOKED.c.slo.in_(slos), BOOKED.c.at >= day.begin, BOOKED.c.at < min(day.end, int(now) + 1))
            query = select(BOOKED.c.slo, BOOKED.c.at, BOOKED.c.good, BOOKED.c.total).where(inside)
            for row in conn.execute(query.where(BOOKED.c.total > BOOKED.c.good)):
                found[row.slo].append(BadStep(row.at, SLICE_S, row.good, row.total))
        else:
            inside = and_(SLICES.c.slo.in_(slos), SLICES.c.at >= day.begin, SLICES.c.at < min(day.end, int(now) + 1))
            for row in conn.execute(select(SLICES).where(inside, SLICES.c.total > SLICES.c.good)):
                found[row.slo].append(BadStep(row.at, row.step_s, row.good, row.total))
    return found


def exclusions(conn: Connection, slo: str, day: Period, announced: Sequence[Adjustment]) -> dict[str, Slice]:
    """What each adjustment that holds excludes of an objective's day, to the minute."""
    found = {}
    for a in holding(announced, slo, day.begin, day.end):
        found[a.id] = minute_sums(conn, [slo], max(a.begin, day.begin), min(a.end, day.end)).get(slo, EMPTY)
    return found
