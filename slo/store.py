"""Where slices are kept: SQLite or PostgreSQL through SQLAlchemy Core. Windows are summed in SQL."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any, Final

from sqlalchemy import BigInteger, Connection, Engine, Integer, and_, bindparam, case, delete, func, select

from slo.burn import RECENT_MINUTES, WindowSum
from slo.resolution import RESOLUTIONS, cut, step_for
from slo.schema import BOOKED, SLICES, TOTALS
from slo.slices import SLICE_S, Slice
from slo.sql import upsert, writer

LEDGER_S: Final = 5 * 86_400
"""Minutes older than this must not be booked: what they were is forgotten."""
DUE_S: Final = 60
"""A minute's slice is due this long after its end: before that its absence says nothing."""

_COUNTS: Final = ("good", "total", "expected", "observed")


@dataclass(frozen=True, slots=True)
class Totals:
    """Sums since `born` (Unix seconds)."""

    born: int
    slice: Slice


@dataclass(frozen=True, slots=True)
class Rolling:
    """One objective's rolling windows by seconds, and in how many of the last minutes something was bad."""

    windows: Mapping[int, WindowSum]
    bad_minutes: int
    born: int


@dataclass(frozen=True, slots=True)
class Booking:
    """A minute's slice of one objective: set, never added. `born` is the first second that it tells of."""

    slo: str
    at: int
    slice: Slice
    born: int


class SliceStore:
    """Slices by objective name. Booking the same again changes nothing; booking a minute anew revises it, however far it has been merged."""

    def __init__(self, engine: Engine) -> None:
        self._read = engine
        self._write = writer(engine)

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
        merged = self._merged(conn, [key for key in changed if key not in there])
        fine: list[dict[str, Any]] = []
        coarse: list[dict[str, Any]] = []
        totals: dict[str, dict[str, Any]] = {}
        for key, booking in changed.items():
            old = known.get(key, Slice())
            delta = {name: getattr(booking.slice, name) - getattr(old, name) for name in _COUNTS}
            if key in merged:
                coarse.append({"b_slo": key[0], **merged[key], **{f"d_{name}": n for name, n in delta.items()}})
            else:
                fine.append(_row(booking.slo, booking.at, SLICE_S, booking.slice))
            total = totals.setdefault(
                booking.slo, {"slo": booking.slo, "born": booking.born, **dict.fromkeys(_COUNTS, 0)}
            )
            total["born"] = min(total["born"], booking.born)
            for name in _COUNTS:
                total[name] += delta[name]
        upsert(conn, SLICES, fine)
        if coarse:
            conn.execute(_REVISE, coarse)
        upsert(conn, BOOKED, [{"slo": b.slo, "at": b.at, **_counts(b.slice)} for b in changed.values()])
        self._add_totals(conn, list(totals.values()))
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
        upsert(conn, TOTALS, rows, add=_COUNTS, keep=("born",))
        for row in rows:
            older = TOTALS.update().where(TOTALS.c.slo == row["slo"], TOTALS.c.born > row["born"])
            conn.execute(older.values(born=row["born"]))

    def rolling(self, windows: Iterable[int], now: float) -> dict[str, Rolling]:
        """Every objective's windows that end at `now` (Unix seconds), in one statement; objectives that were never booked are absent.

        Sums take all slices that begin in the window. Coverage takes its closed minutes (DUE_S after their end) since the objective was born.
        """
        lengths = sorted(set(windows))
        due = int(now - DUE_S) // SLICE_S * SLICE_S
        at = SLICES.c.at
        columns: list[Any] = [TOTALS.c.slo, TOTALS.c.born]
        for w in lengths:
            inside = at >= int(now) - w
            columns += [
                func.coalesce(func.sum(case((inside, SLICES.c[name]), else_=0)), 0).label(f"{name}_{w}")
                for name in _COUNTS
            ]
            seen = case((and_(inside, at < due), SLICES.c.observed), else_=0)
            columns.append(func.coalesce(func.sum(seen), 0).label(f"due_{w}"))
        recent = and_(at >= int(now) - RECENT_MINUTES * 60, SLICES.c.step_s == SLICE_S, SLICES.c.total > SLICES.c.good)
        columns.append(func.coalesce(func.sum(case((recent, 1), else_=0)), 0).label("bad_minutes"))
        on = and_(SLICES.c.slo == TOTALS.c.slo, at >= int(now) - max(lengths), at <= int(now))
        query = select(*columns).select_from(TOTALS.outerjoin(SLICES, on)).group_by(TOTALS.c.slo, TOTALS.c.born)
        with self._read.connect() as conn:
            rows = conn.execute(query).mappings().all()
        found = {}
        for row in rows:
            sums = {}
            for w in lengths:
                step = step_for(w)
                begin = max(-(-(int(now) - w) // step) * step, row["born"])
                counts = [int(row[f"{name}_{w}"]) for name in _COUNTS]
                sums[w] = WindowSum(Slice(*counts), int(row[f"due_{w}"]), max(due - begin, 0))
            found[row["slo"]] = Rolling(sums, int(row["bad_minutes"]), row["born"])
        return found

    def totals(self) -> dict[str, Totals]:
        """Sums of each objective since it was born."""
        with self._read.connect() as conn:
            rows = conn.execute(select(TOTALS)).all()
        return {row.slo: Totals(row.born, Slice(row.good, row.total, row.expected, row.observed)) for row in rows}

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
                old = and_(SLICES.c.step_s == finer.step_s, SLICES.c.at < cut(now, finer.keep_s, coarser.step_s))
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
            conn.execute(delete(BOOKED).where(BOOKED.c.at < int(now) - LEDGER_S))
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


def _counts(part: Slice) -> dict[str, int]:
    return {name: getattr(part, name) for name in _COUNTS}


def _row(slo: str, at: int, step_s: int, part: Slice) -> dict[str, Any]:
    return {"slo": slo, "at": at, "step_s": step_s, **_counts(part)}
