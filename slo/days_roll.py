"""Keeps the sums of local days: each day that is over is added up from its minutes, and again when late data or maintenance changes it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal
from fractions import Fraction
from typing import Any, Final

from sqlalchemy import Connection, Engine, and_, delete, select

from slo.adjust import Adjustment, Adjustments
from slo.calendar import Calendar, Period, Unit
from slo.days import SOME, BadStep, bad_steps, exclusions, has_minutes, minute_sums, step_sums
from slo.resolution import RESOLUTIONS
from slo.schema import BAD_STEPS, DAYS, EXCLUSIONS, JOURNAL, TOTALS
from slo.slices import EMPTY, Slice
from slo.sql import upsert, writer
from slo.store import JOURNAL_S, LEDGER_S, LONGEST_DAY_S

MOST: Final = 2_000
"""Days of objectives that one call adds up, so that evaluations do not wait long."""
AGAIN_S: Final = 120
"""The journal is read so far back again: writers may commit out of their order."""
_FORGET_S: Final = RESOLUTIONS[-1].keep_s
_Key = tuple[str, date]


@dataclass(slots=True)
class Roller:
    """Adds up the days of `targets` (objective to target) in one zone. One thread uses it; call `roll` before old slices are merged.

    Whatever it has missed while nobody ran it, it finds again at its first call.
    """

    engine: Engine
    targets: Mapping[str, Decimal]
    zone: str
    most: int = MOST
    _pending: set[_Key] = field(default_factory=set)
    _now: float | None = None
    _known: set[str] = field(default_factory=set)

    @property
    def pending(self) -> int:
        """Days that wait for the next call."""
        return len(self._pending)

    def roll(self, now: float) -> int:
        """Add up what is over and not added up yet; returns how many days of objectives. Raises SQLAlchemyError; the next call then does it again."""
        calendar = Calendar(Unit.DAY, self.zone)
        today = calendar.at(now)
        with self.engine.connect() as conn:
            born = {row.slo: row.born for row in conn.execute(select(TOTALS.c.slo, TOTALS.c.born))}
            born = {slo: at for slo, at in born.items() if slo in self.targets}
            self._over(conn, calendar, today, born, now)
            self._revised(conn, calendar, today, now)
        self._adjusted(calendar, today, born, now)
        self._known, self._now = set(born), now
        chosen = sorted(self._pending, key=lambda key: (key[1], key[0]))[: self.most]
        announced = Adjustments(self.engine).all()
        days: dict[date, list[str]] = {}
        for slo, day in chosen:
            days.setdefault(day, []).append(slo)
        for day, slos in days.items():
            for start in range(0, len(slos), SOME):
                self._one(calendar.of(day), slos[start : start + SOME], announced, now)
        self._pending -= set(chosen)
        return len(chosen)

    def forget(self, now: float) -> int:
        """Drop bad steps that are older than the coarsest slices; returns how many."""
        with writer(self.engine).begin() as conn:
            return conn.execute(delete(BAD_STEPS).where(BAD_STEPS.c.at < now - _FORGET_S)).rowcount

    def _over(self, conn: Connection, calendar: Calendar, today: Period, born: Mapping[str, int], now: float) -> None:
        """Days that have ended since the last call; at the first one all that are not there, and those whose minutes are still told."""
        fresh = [slo for slo in born if slo not in self._known]
        old = self._now
        if old is not None:
            since = calendar.at(old)
            for day in _days(calendar, since.begin, today.begin):
                self._pending |= {(slo, day.first) for slo in born if slo not in fresh and day.end > born[slo]}
        for start in range(0, len(fresh), SOME):
            some = fresh[start : start + SOME]
            inside = and_(DAYS.c.slo.in_(some), DAYS.c.zone == self.zone)
            there = {(row.slo, row.day) for row in conn.execute(select(DAYS.c.slo, DAYS.c.day).where(inside))}
            for slo in some:
                for day in _days(calendar, max(born[slo], int(now) - _FORGET_S), today.begin):
                    if has_minutes(day, now) or (slo, day.first.isoformat()) not in there:
                        self._pending.add((slo, day.first))

    def _revised(self, conn: Connection, calendar: Calendar, today: Period, now: float) -> None:
        since = now - JOURNAL_S if self._now is None else self._now - AGAIN_S
        late = and_(JOURNAL.c.booked_s >= int(since), JOURNAL.c.at < today.begin)
        oldest = now - LEDGER_S - LONGEST_DAY_S
        for slo, at in conn.execute(select(JOURNAL.c.slo, JOURNAL.c.at).where(late).distinct()):
            day = calendar.at(at)
            # all of the day's minutes must still be there
            if slo in self.targets and day.begin >= oldest:
                self._pending.add((slo, day.first))

    def _adjusted(self, calendar: Calendar, today: Period, born: Mapping[str, int], now: float) -> None:
        since_ms = 0 if self._now is None else int((self._now - AGAIN_S) * 1000)
        for a in Adjustments(self.engine).changed_since(since_ms):
            for day in _days(calendar, a.begin, min(a.end, today.begin)):
                if has_minutes(day, now):
                    self._pending |= {(slo, day.first) for slo in born if a.covers(slo) and day.end > born[slo]}

    def _one(self, day: Period, slos: Sequence[str], announced: Sequence[Adjustment], now: float) -> None:
        with writer(self.engine).begin() as conn:
            there = self._there(conn, slos, day)
            if has_minutes(day, now):
                self._set(conn, day, slos, announced, now)
                return
            if day.begin >= now - LEDGER_S - LONGEST_DAY_S:
                # added up before, so its minutes have been kept since
                self._set(conn, day, [slo for slo in slos if slo in there], announced, now)
            if fresh := [slo for slo in slos if slo not in there]:
                sums = {slo: found.get(day, EMPTY) for slo, found in step_sums(conn, fresh, [day], now).items()}
                self._keep(conn, day, fresh, sums)
                self._keep_bad(conn, day, fresh, now, again=False)

    def _set(
        self, conn: Connection, day: Period, slos: Sequence[str], announced: Sequence[Adjustment], now: float
    ) -> None:
        """Add a day up from its minutes, whatever was kept of it."""
        if not slos:
            return
        self._keep(conn, day, slos, minute_sums(conn, slos, day.begin, day.end))
        self._keep_bad(conn, day, slos, now, again=True)
        keys = {"zone": self.zone, "day": day.first.isoformat()}
        table = EXCLUSIONS.c
        conn.execute(delete(EXCLUSIONS).where(table.slo.in_(slos), table.zone == self.zone, table.day == keys["day"]))
        rows = [
            {"adjustment": id_, "slo": slo, **keys, **_counts(part)}
            for slo in slos
            for id_, part in exclusions(conn, slo, day, announced).items()
        ]
        upsert(conn, EXCLUSIONS, rows)

    def _keep(self, conn: Connection, day: Period, slos: Sequence[str], sums: Mapping[str, Slice]) -> None:
        keys = {"zone": self.zone, "day": day.first.isoformat()}
        upsert(conn, DAYS, [{"slo": slo, **keys, **_counts(sums.get(slo, EMPTY))} for slo in slos])

    def _there(self, conn: Connection, slos: Sequence[str], day: Period) -> set[str]:
        """Those whose day was added up before."""
        mine = and_(DAYS.c.slo.in_(slos), DAYS.c.zone == self.zone, DAYS.c.day == day.first.isoformat())
        return {row.slo for row in conn.execute(select(DAYS.c.slo).where(mine))}

    def _keep_bad(self, conn: Connection, day: Period, slos: Sequence[str], now: float, *, again: bool) -> None:
        """Keep the steps that burn faster than allowed; coarser ones never take the place of minutes that are known."""
        inside = and_(BAD_STEPS.c.slo.in_(slos), BAD_STEPS.c.at >= day.begin, BAD_STEPS.c.at < day.end)
        known: set[str] = set()
        if again:
            conn.execute(delete(BAD_STEPS).where(inside))
        else:
            known = {row.slo for row in conn.execute(select(BAD_STEPS.c.slo).where(inside).distinct())}
        rows: list[dict[str, Any]] = []
        for slo, steps in bad_steps(conn, slos, [day], now, minutes=again).items():
            rows += [
                {"slo": slo, "at": s.at, "step_s": s.step_s, "good": s.good, "total": s.total}
                for s in steps
                if slo not in known and burns(s, self.targets[slo])
            ]
        upsert(conn, BAD_STEPS, rows)


def burns(step: BadStep, target: Decimal) -> bool:
    """Is a larger share of the step bad than the target allows?"""
    return bool(step.bad) and Fraction(step.bad, step.total) > 1 - Fraction(target)


def _days(calendar: Calendar, begin: int, end: int) -> list[Period]:
    """The days that meet [begin, end)."""
    found = []
    day = calendar.at(begin)
    while day.begin < end:
        found.append(day)
        day = calendar.at(day.end)
    return found


def _counts(part: Slice) -> dict[str, int]:
    return {"good": part.good, "total": part.total, "expected": part.expected, "observed": part.observed}
