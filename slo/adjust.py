"""Announced maintenance: windows that an objective's report also tells without. Who approved it and why stands beside the numbers, and both numbers are shown."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

from sqlalchemy import Engine, Row, Select, or_, select, update

from slo.errors import Conflict, NotFound, UsageError
from slo.schema import ADJUSTMENTS
from slo.slices import SLICE_S
from slo.sql import Beside, alone, writer
from slo.store import LEDGER_S

LONGEST_S: Final = 7 * 86_400
"""A window ends by itself: it lasts at most a week."""


@dataclass(frozen=True, slots=True)
class Adjustment:
    """Maintenance of one objective, or of all (`slo` empty), in [begin, end) (Unix seconds, whole minutes). A cancelled one excludes nothing."""

    id: str
    slo: str
    begin: int
    end: int
    by: str
    """Who approved it."""
    reason: str
    recorded_ms: int
    cancelled_ms: int | None = None
    cancelled_by: str = ""
    cancelled_why: str = ""

    @property
    def holds(self) -> bool:
        """Does it exclude anything?"""
        return self.cancelled_ms is None

    @property
    def notice_s(self) -> float:
        """How long before its beginning it was announced; negative: it was told afterwards."""
        return self.begin - self.recorded_ms / 1000

    def covers(self, slo: str) -> bool:
        """Is the objective meant?"""
        return self.slo in {"", slo}

    def meets(self, other: "Adjustment") -> bool:
        """Do both exclude the same minute of the same objective?"""
        same = self.slo == other.slo or "" in {self.slo, other.slo}
        return same and self.begin < other.end and other.begin < self.end


class Adjustments:
    """The announced maintenance in the database."""

    def __init__(self, engine: Engine) -> None:
        self._read = engine
        self._write = writer(engine)

    def announce(self, new: Adjustment, beside: Beside = alone) -> None:
        """Keep it, with what `beside` writes.

        Raises what `beside` raises; UsageError without an approver or a reason, for a window that is no whole minutes, over before it begins, longer than LONGEST_S, or begins so
        long ago that its minutes are forgotten; Conflict for one that overlaps another.
        """
        if not new.by.strip() or not new.reason.strip():
            raise UsageError("maintenance needs who approved it (--by) and why (--reason)")
        if new.begin % SLICE_S or new.end % SLICE_S:
            raise UsageError("maintenance is told to the minute: give times such as 2026-10-06T02:00")
        if not 0 < new.end - new.begin <= LONGEST_S:
            raise UsageError(
                f"maintenance lasts up to {LONGEST_S // 86_400} days and ends after it begins, not {(new.end - new.begin) / 86_400:.3g} days"
            )
        if new.begin < new.recorded_ms / 1000 - LEDGER_S:
            raise UsageError(
                f"maintenance can be told until {LEDGER_S // 86_400} days after it began: after that its minutes can no longer be told apart"
            )
        with self._write.begin() as conn:
            rows = conn.execute(select(ADJUSTMENTS).where(ADJUSTMENTS.c.cancelled_ms.is_(None)))
            if clash := next((old for old in map(_adjustment, rows) if old.meets(new)), None):
                raise Conflict(f"it overlaps maintenance {clash.id} ({clash.reason}); cancel that first")
            conn.execute(
                ADJUSTMENTS.insert().values(
                    id=new.id,
                    slo=new.slo,
                    begin_s=new.begin,
                    end_s=new.end,
                    by=new.by,
                    reason=new.reason,
                    recorded_ms=new.recorded_ms,
                    cancelled_ms=None,
                    cancelled_by="",
                    cancelled_why="",
                )
            )
            beside(conn)

    def cancel(self, id_: str, at_ms: int, by: str, why: str, beside: Beside = alone) -> Adjustment:
        """It excludes nothing any more; it stays on record, with what `beside` writes.

        Raises UsageError without `by` or `why`, NotFound for one that is not there or cancelled; what `beside` raises.
        """
        if not by.strip() or not why.strip():
            raise UsageError("a cancellation needs who (--by) and why (--reason)")
        with self._write.begin() as conn:
            there = (ADJUSTMENTS.c.id == id_, ADJUSTMENTS.c.cancelled_ms.is_(None))
            change = update(ADJUSTMENTS).where(*there).values(cancelled_ms=at_ms, cancelled_by=by, cancelled_why=why)
            if conn.execute(change).rowcount != 1:
                raise NotFound(f"there is no maintenance '{id_}' that holds; `fairlane sla adjustments` lists it")
            beside(conn)
            return _adjustment(conn.execute(select(ADJUSTMENTS).where(ADJUSTMENTS.c.id == id_)).one())

    def all(self) -> list[Adjustment]:
        """Everything ever announced, by its beginning."""
        with self._read.connect() as conn:
            return [_adjustment(row) for row in conn.execute(_ordered())]

    def between(self, begin: int, end: int) -> list[Adjustment]:
        """Those whose window meets [begin, end), cancelled ones too."""
        inside = (ADJUSTMENTS.c.begin_s < end, ADJUSTMENTS.c.end_s > begin)
        with self._read.connect() as conn:
            return [_adjustment(row) for row in conn.execute(_ordered().where(*inside))]

    def changed_since(self, at_ms: int) -> list[Adjustment]:
        """Those announced or cancelled since then."""
        fresh = or_(ADJUSTMENTS.c.recorded_ms >= at_ms, ADJUSTMENTS.c.cancelled_ms >= at_ms)
        with self._read.connect() as conn:
            return [_adjustment(row) for row in conn.execute(_ordered().where(fresh))]


def holding(adjustments: Sequence[Adjustment], slo: str, begin: int, end: int) -> list[Adjustment]:
    """Those that exclude minutes of the objective in [begin, end)."""
    return [a for a in adjustments if a.holds and a.covers(slo) and a.begin < end and a.end > begin]


def _ordered() -> Select[Any]:
    return select(ADJUSTMENTS).order_by(ADJUSTMENTS.c.begin_s, ADJUSTMENTS.c.id)


def _adjustment(row: Row[Any]) -> Adjustment:
    return Adjustment(
        row.id,
        row.slo,
        row.begin_s,
        row.end_s,
        row.by,
        row.reason,
        row.recorded_ms,
        row.cancelled_ms,
        row.cancelled_by,
        row.cancelled_why,
    )
