"""Where slices are kept: SQLite or PostgreSQL through SQLAlchemy Core. Windows are summed in SQL."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any, Final

from sqlalchemy import BigInteger, Connection, Engine, Integer, and_, bindparam, case, delete, func, select

from slo.burn import LONGEST_BACK_S, RECENT_MINUTES, WindowSum
from slo.clock import Clock, SystemClock
from slo.resolution import RESOLUTIONS, cut, window_begin
from slo.schema import BOOKED, JOURNAL, SLICES, TOTALS
from slo.slices import SLICE_S, Slice
from slo.sql import upsert, writer

LEDGER_S: Final = 5 * 86_400
"""Minutes older than this must not be booked: what they were is forgotten a day later."""
LONGEST_DAY_S: Final = 26 * 3_600
"""Booked minutes are kept so much longer: a local day that may still be revised has all of its minutes."""
DUE_S: Final = 60
"""A minute's slice is due this long after its end: before that its absence says nothing."""
KEEP_MINUTES: Final = LONGEST_BACK_S // SLICE_S + RECENT_MINUTES
"""Minutes whose bad ones are told one by one: those of the longest time slice are known an hour after its first one."""
SLACK_S: Final = 7_200
"""Slices are merged this much later than windows need them: running sums that were not kept up for a while still find what leaves."""
JOURNAL_S: Final = 7_200
"""How long the journal is kept."""
LATELY_S: Final = 3_600
"""A revision of a minute that is not older: the windows over which anybody is woken hold what it takes back."""

_COUNTS: Final = ("good", "total", "expected", "observed")
_RAISED: Final = ("revised", "revised_late", "unseen")


@dataclass(frozen=True, slots=True)
class Totals:
    """Sums since `born` (Unix seconds), and three sums that only grow, so that counters made of both never go back.

    `revised` is what good and total must be raised by, both alike: bad events are exact. `lately` is its part that revisions of minutes of the last
    LATELY_S added. `unseen` is what observed must be raised by.
    """

    born: int
    slice: Slice
    revised: int = 0
    lately: int = 0
    unseen: int = 0


@dataclass(frozen=True, slots=True)
class Rolling:
    """One objective's rolling windows by seconds, and which of the last KEEP_MINUTES minutes (Unix seconds of their start) had something bad."""

    windows: Mapping[int, WindowSum]
    bad_at: tuple[int, ...]
    born: int

    def window(self, seconds: int, late_s: int = 0) -> WindowSum:
        """The window of so many seconds that ended `late_s` ago; nothing when it is not there."""
        whole = self.windows.get(seconds + late_s, WindowSum())
        return whole.less(self.windows.get(late_s, WindowSum())) if late_s else whole

    def bad_minutes(self, now: float, late_s: int = 0, open_s: int = 0) -> int:
        """How many of the RECENT_MINUTES minutes before `now` less `late_s` had something bad; those of the last `open_s` seconds count besides."""
        until = int(now) - late_s
        return sum(until - open_s - RECENT_MINUTES * 60 <= at <= until for at in self.bad_at)


@dataclass(frozen=True, slots=True)
class Booking:
    """A minute's slice of one objective: set, never added. `born` is the first second that it tells of."""

    slo: str
    at: int
    slice: Slice
    born: int


@dataclass(slots=True)
class _Change:
    """What one transaction adds to an objective's totals: of minutes of the last LATELY_S, and of older ones."""

    born: int
    lately: dict[str, int] = field(default_factory=lambda: dict.fromkeys(_COUNTS, 0))
    late: dict[str, int] = field(default_factory=lambda: dict.fromkeys(_COUNTS, 0))

    def take(self, booking: "Booking", delta: Mapping[str, int], *, late: bool) -> None:
        self.born = min(self.born, booking.born)
        side = self.late if late else self.lately
        for name, more in delta.items():
            side[name] += more

    def row(self, slo: str) -> dict[str, Any]:
        """As `upsert` adds it. Raising both sides by what either goes back keeps each side's sums, and so their sum, from going back."""
        sums = {name: self.lately[name] + self.late[name] for name in _COUNTS}
        lately, late = (max(0, -side["good"], -side["total"]) for side in (self.lately, self.late))
        raised = {"revised": lately + late, "revised_late": late, "unseen": max(0, -sums["observed"])}
        return {"slo": slo, "born": self.born, **sums, **raised}


class SliceStore:
    """Slices by objective name. Booking the same again changes nothing; booking a minute anew revises it, however far it has been merged."""

    def __init__(self, engine: Engine, clock: Clock | None = None) -> None:
        self._read = engine
        self._write = writer(engine)
        self._clock = clock or SystemClock()

    def book(self, bookings: Sequence[Booking], conn: Connection | None = None) -> list[Booking]:
        """Set minutes; returns those that changed anything. In the caller's transaction when `conn` is given.

        Minutes older than LEDGER_S must not be booked. Raises sqlalchemy.exc.SQLAlchemyError.
        """
        if conn is None:
            with self._write.begin() as own:
                return self._book(own, bookings)
        return self._book(conn, bookings)

    def _book(self, conn: Connection, bookings: Sequence[Booking]) -> list[Booking]:
        known = self._ledger(conn, {(b.slo, b.at) for b in bookings})
        changed = {(b.slo, b.at): b for b in bookings if known.get((b.slo, b.at)) != b.slice}
        if not changed:
            return []
        there = self._fine(conn, changed)
        # what was never booked is in no coarser slice: a fine one joins them when it is merged in its turn
        merged = self._merged(conn, [key for key in changed if key not in there and key in known])
        fine: list[dict[str, Any]] = []
        coarse: list[dict[str, Any]] = []
        journal: list[dict[str, Any]] = []
        booked_s = int(self._clock.now())
        totals: dict[str, _Change] = {}
        for key, booking in changed.items():
            old = known.get(key, Slice())
            delta = {name: getattr(booking.slice, name) - getattr(old, name) for name in _COUNTS}
            journal.append({"slo": booking.slo, "at": booking.at, "booked_s": booked_s, **delta})
            if key in merged:
                coarse.append({"b_slo": key[0], **merged[key], **{f"d_{name}": n for name, n in delta.items()}})
            else:
                fine.append(_row(booking.slo, booking.at, SLICE_S, booking.slice))
            total = totals.setdefault(booking.slo, _Change(booking.born))
            total.take(booking, delta, late=booking.at < booked_s - LATELY_S)
        upsert(conn, SLICES, fine)
        if coarse:
            conn.execute(_REVISE, coarse)
        upsert(conn, BOOKED, [{"slo": b.slo, "at": b.at, **_counts(b.slice)} for b in changed.values()])
        conn.execute(JOURNAL.insert(), journal)
        self._add_totals(conn, [change.row(slo) for slo, change in totals.items()])
        return list(changed.values())

    @staticmethod
    def _ledger(conn: Connection, keys: set[tuple[str, int]]) -> dict[tuple[str, int], Slice]:
        if not keys:
            return {}
        slos, minutes = {slo for slo, _ in keys}, {at for _, at in keys}
        rows = conn.execute(select(BOOKED).where(BOOKED.c.slo.in_(slos), BOOKED.c.at.in_(minutes)))
        return {(row.slo, row.at): Slice(row.good, row.total, row.expected, row.observed) for row in rows}

    @staticmethod
    def _fine(conn: Connection, keys: Collection[tuple[str, int]]) -> set[tuple[str, int]]:
        """Which of the minutes still stand as such."""
        slos, minutes = {slo for slo, _ in keys}, {at for _, at in keys}
        where = and_(SLICES.c.slo.in_(slos), SLICES.c.at.in_(minutes), SLICES.c.step_s == SLICE_S)
        return {(row.slo, row.at) for row in conn.execute(select(SLICES.c.slo, SLICES.c.at).where(where))}

    @staticmethod
    def _merged(conn: Connection, keys: Sequence[tuple[str, int]]) -> dict[tuple[str, int], dict[str, int]]:
        """The coarser slice that holds each minute, if there is one."""
        found = {}
        for slo, at in keys:
            covering = [
                and_(SLICES.c.at == at // r.step_s * r.step_s, SLICES.c.step_s == r.step_s) for r in RESOLUTIONS[1:]
            ]
            row = conn.execute(
                select(SLICES.c.at, SLICES.c.step_s)
                .where(SLICES.c.slo == slo, covering[0] if len(covering) == 1 else covering[0] | covering[1])
                .order_by(SLICES.c.step_s)
            ).first()
            if row is not None:
                found[slo, at] = {"b_at": row.at, "b_step": row.step_s}
        return found

    @staticmethod
    def _add_totals(conn: Connection, rows: list[dict[str, Any]]) -> None:
        upsert(conn, TOTALS, rows, add=(*_COUNTS, *_RAISED), keep=("born",))
        for row in rows:
            older = TOTALS.update().where(TOTALS.c.slo == row["slo"], TOTALS.c.born > row["born"])
            conn.execute(older.values(born=row["born"]))

    def rolling(self, windows: Iterable[int], now: float) -> dict[str, Rolling]:
        """Every objective's windows that end at `now` (Unix seconds), added up anew; objectives that were never booked are absent.

        Sums take all slices that begin in the window. Coverage takes its closed minutes (DUE_S after their end) since the objective was born.
        """
        lengths = sorted(set(windows))
        due = int(now - DUE_S) // SLICE_S * SLICE_S
        at = SLICES.c.at
        columns: list[Any] = [TOTALS.c.slo, TOTALS.c.born]
        for w in lengths:
            inside = at >= window_begin(now, w)
            columns += [
                func.coalesce(func.sum(case((inside, SLICES.c[name]), else_=0)), 0).label(f"{name}_{w}")
                for name in _COUNTS
            ]
            seen = case((and_(inside, at < due), SLICES.c.observed), else_=0)
            columns.append(func.coalesce(func.sum(seen), 0).label(f"due_{w}"))
        on = and_(SLICES.c.slo == TOTALS.c.slo, at >= window_begin(now, max(lengths)), at <= int(now))
        query = select(*columns).select_from(TOTALS.outerjoin(SLICES, on)).group_by(TOTALS.c.slo, TOTALS.c.born)
        with self._read.connect() as conn:
            rows = conn.execute(query).mappings().all()
            recent = and_(
                at >= first_minute(now), at <= int(now), SLICES.c.step_s == SLICE_S, SLICES.c.total > SLICES.c.good
            )
            bad: dict[str, list[int]] = {}
            for slo, minute in conn.execute(select(SLICES.c.slo, at).where(recent).order_by(at)).all():
                bad.setdefault(slo, []).append(minute)
        found = {}
        for row in rows:
            sums = {}
            for w in lengths:
                begin = max(window_begin(now, w), row["born"])
                counts = [int(row[f"{name}_{w}"]) for name in _COUNTS]
                sums[w] = WindowSum(Slice(*counts), int(row[f"due_{w}"]), max(due - begin, 0))
            found[row["slo"]] = Rolling(sums, tuple(bad.get(row["slo"], ())), row["born"])
        return found

    def totals(self) -> dict[str, Totals]:
        """Sums of each objective since it was born."""
        with self._read.connect() as conn:
            rows = conn.execute(select(TOTALS)).all()
        return {
            row.slo: Totals(
                row.born,
                Slice(row.good, row.total, row.expected, row.observed),
                row.revised,
                row.revised - row.revised_late,
                row.unseen,
            )
            for row in rows
        }

    def booked(self, slo: str, minutes: Collection[int]) -> set[int]:
        """Which of the minutes (Unix seconds of their start) were booked before; they must not be older than LEDGER_S."""
        with self._read.connect() as conn:
            return {at for _, at in self._ledger(conn, {(slo, at) for at in minutes})}

    def slices(self, slo: str, begin: int, end: int) -> dict[int, Slice]:
        """The slices of one objective that begin in [begin, end), by start, as fine as they are kept."""
        query = select(SLICES).where(SLICES.c.slo == slo, SLICES.c.at >= begin, SLICES.c.at < end).order_by(SLICES.c.at)
        with self._read.connect() as conn:
            found: dict[int, Slice] = {}
            for row in conn.execute(query):
                found[row.at] = found.get(row.at, Slice()) + Slice(row.good, row.total, row.expected, row.observed)
        return found

    def compact(self, now: float) -> int:
        """Merge what has become too old for its resolution, drop what is older than the coarsest is kept; returns how many slices went."""
        gone = 0
        with self._write.begin() as conn:
            for finer, coarser in pairwise(RESOLUTIONS):
                before = cut(now, finer.keep_s + SLACK_S, coarser.step_s)
                old = and_(SLICES.c.step_s == finer.step_s, SLICES.c.at < before)
                start = (SLICES.c.at - SLICES.c.at % coarser.step_s).label("start")
                sums = [func.cast(func.sum(SLICES.c[name]), BigInteger).label(name) for name in _COUNTS]
                merged = conn.execute(select(SLICES.c.slo, start, *sums).where(old).group_by(SLICES.c.slo, start)).all()
                rows = [
                    {
                        "slo": m.slo,
                        "at": int(m.start),
                        "step_s": coarser.step_s,
                        **{name: int(getattr(m, name)) for name in _COUNTS},
                    }
                    for m in merged
                ]
                upsert(conn, SLICES, rows, add=_COUNTS)
                gone += conn.execute(delete(SLICES).where(old)).rowcount
            last = RESOLUTIONS[-1]
            gone += conn.execute(delete(SLICES).where(SLICES.c.at < cut(now, last.keep_s, last.step_s))).rowcount
            conn.execute(delete(BOOKED).where(BOOKED.c.at < int(now) - LEDGER_S - LONGEST_DAY_S))
            conn.execute(delete(JOURNAL).where(JOURNAL.c.booked_s < int(self._clock.now()) - JOURNAL_S))
        return gone


_REVISE: Final = (
    SLICES.update()
    .where(
        SLICES.c.slo == bindparam("b_slo"),
        SLICES.c.at == bindparam("b_at", type_=BigInteger),
        SLICES.c.step_s == bindparam("b_step", type_=Integer),
    )
    .values({name: SLICES.c[name] + bindparam(f"d_{name}", type_=BigInteger) for name in _COUNTS})
)


def first_minute(now: float) -> int:
    """The first of the minutes that are told one by one."""
    return (int(now) // SLICE_S - KEEP_MINUTES) * SLICE_S


def _counts(part: Slice) -> dict[str, int]:
    return {name: getattr(part, name) for name in _COUNTS}


def _row(slo: str, at: int, step_s: int, part: Slice) -> dict[str, Any]:
    return {"slo": slo, "at": at, "step_s": step_s, **_counts(part)}
