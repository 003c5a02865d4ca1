"""Running sums: every objective's rolling windows kept up by what entered and what left, so that a tick costs the same after a day and after a year.

What enters comes from the journal (late revisions included), what leaves is read from the slices at the window's far end. Everything is whole numbers: sums
never drift, and equal what `SliceStore.rolling` would add up anew (a property test).
"""

from collections import deque
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray
from sqlalchemy import Connection, Engine, and_, func, select

from slo.burn import WindowSum
from slo.clock import Clock, SystemClock
from slo.resolution import window_begin
from slo.schema import JOURNAL, SLICES, TOTALS
from slo.slices import SLICE_S, Slice
from slo.store import DUE_S, JOURNAL_S, Rolling, first_minute

Counts = NDArray[np.int64]
Entry = tuple[str, int, int, int, int, int]
"""Objective, slice's start (Unix seconds), and what was added to good, total, expected and observed."""
GOOD, TOTAL, EXPECTED, OBSERVED = range(4)

OVERLAP_S: Final = 60.0
"""Seconds for which the journal is read again: writers may commit out of the order of their sequence numbers."""
OVERLAP_ROWS: Final = 50_000
"""Journal rows that may still be uncommitted behind the newest one when the sums are first read."""
_COLUMNS: Final = (SLICES.c.good, SLICES.c.total, SLICES.c.expected, SLICES.c.observed)


@dataclass(frozen=True, slots=True)
class Sums:
    """Every objective's windows at one time. Columns (objectives,), in the order of `names`; do not change them."""

    at: float
    names: Sequence[str]
    born: Counts
    """Unix second of each objective's first slice."""
    windows: Mapping[int, Counts]
    """Window (seconds) -> good, total, expected, observed (4, objectives)."""
    due_observed: Mapping[int, Counts]
    """Window -> observed seconds of its due part (objectives,)."""
    due: Mapping[int, Counts]
    """Window -> seconds that are due, since the objective was born (objectives,)."""
    bad: Mapping[int, Counts]
    """Minute (Unix second of its start) -> bad events (objectives,), for the last KEEP_MINUTES."""

    def rolling(self, index: int) -> Rolling:
        """One objective's windows."""
        sums = {}
        for window, counts in self.windows.items():
            good, total, expected, observed = (int(n) for n in counts[:, index])
            due = int(self.due_observed[window][index]), int(self.due[window][index])
            sums[window] = WindowSum(Slice(good, total, expected, observed), *due)
        bad_at = sorted(at for at, bad in self.bad.items() if at <= self.at and bad[index] > 0)
        return Rolling(sums, tuple(bad_at), int(self.born[index]))


class RunningSums:
    """Sums of `windows` (seconds) that follow the database. One thread uses it.

    Reads all of the windows once at the start, and again when it has not been asked for nearly as long as the journal is kept.
    """

    def __init__(self, engine: Engine, windows: Iterable[int], clock: Clock | None = None) -> None:
        # one snapshot for the journal and the slices: what the one tells, the other holds
        snapshot = "REPEATABLE READ" if engine.dialect.name == "postgresql" else None
        self._engine = engine.execution_options(isolation_level=snapshot) if snapshot else engine
        self._clock = clock or SystemClock()
        self._lengths = tuple(sorted(set(windows)))
        self._names: list[str] = []
        self._index: dict[str, int] = {}
        self._born = np.zeros(0, dtype=np.int64)
        self._sums = {w: np.zeros((4, 0), dtype=np.int64) for w in self._lengths}
        self._begin: dict[int, int] = {}
        self._minutes: dict[int, Counts] = {}
        self._ahead: list[Entry] = []
        self._seen: set[int] = set()
        self._marks: deque[tuple[float, int]] = deque()
        self._now: float | None = None
        self._read_at = 0.0

    def refresh(self, now: float) -> Sums:
        """The sums at `now` (Unix seconds). Raises sqlalchemy.exc.SQLAlchemyError; the next call then goes on where this one stood."""
        monotonic = self._clock.monotonic()
        lost = self._now is None or now < self._now or monotonic - self._read_at > JOURNAL_S / 2
        with self._engine.connect() as conn:
            if lost:
                self._rebuild(conn, now)
            else:
                rows = self._journal(conn)
                self._follow(conn, rows, now)
        self._read_at = monotonic
        self._now = now
        return self._view(now)

    def rolling(self, windows: Iterable[int], now: float, /) -> dict[str, Rolling]:
        """As `SliceStore.rolling`. Raises ValueError for a window that is not kept."""
        if missing := set(windows) - set(self._lengths):
            raise ValueError(f"no running sums are kept for windows of {sorted(missing)} s")
        sums = self.refresh(now)
        return {name: sums.rolling(n) for n, name in enumerate(sums.names)}

    # reading
    def _rebuild(self, conn: Connection, now: float) -> None:
        last = conn.execute(select(func.max(JOURNAL.c.seq))).scalar() or 0
        self._names, self._index = [], {}
        self._minutes, self._ahead = {}, []
        low = max(last - OVERLAP_ROWS, 0)
        self._marks = deque([(self._clock.monotonic(), low)])
        self._seen = {row[0] for row in conn.execute(select(JOURNAL.c.seq).where(JOURNAL.c.seq > low))}
        self._resize(conn)
        # each slice is read once: a longer window is the next shorter one and what lies before it
        end, known = int(now) + 1, np.zeros((4, len(self._names)), dtype=np.int64)
        for w in self._lengths:
            begin = window_begin(now, w)
            known = known + self._between(conn, begin, end)
            self._begin[w], self._sums[w] = begin, known.copy()
            end = begin
        for at in range(first_minute(now), int(now) + 1, SLICE_S):
            self._minutes[at] = self._between(conn, at, at + 1)
        later = select(SLICES.c.slo, SLICES.c.at, *_COLUMNS).where(SLICES.c.at > int(now))
        self._ahead = [(row[0], row[1], row[2], row[3], row[4], row[5]) for row in conn.execute(later)]

    def _journal(self, conn: Connection) -> list[Entry]:
        monotonic = self._clock.monotonic()
        while len(self._marks) > 1 and self._marks[1][0] <= monotonic - OVERLAP_S:
            self._marks.popleft()
        low = self._marks[0][1]
        table = JOURNAL.c
        query = select(table.seq, table.slo, table.at, table.good, table.total, table.expected, table.observed)
        rows = conn.execute(query.where(table.seq > low)).all()
        fresh = [row for row in rows if row[0] not in self._seen]
        self._seen = {row[0] for row in rows}
        self._marks.append((monotonic, max(self._seen, default=low)))
        return [(row[1], row[2], row[3], row[4], row[5], row[6]) for row in fresh]

    def _between(self, conn: Connection, begin: int, end: int) -> Counts:
        """Sums (4, objectives) of the slices that begin in [begin, end)."""
        found = np.zeros((4, len(self._names)), dtype=np.int64)
        if end <= begin:
            return found
        sums = [func.sum(column) for column in _COLUMNS]
        inside = and_(SLICES.c.at >= begin, SLICES.c.at < end)
        query: Any = select(SLICES.c.slo, *sums).where(inside).group_by(SLICES.c.slo)
        if end - begin <= SLICE_S:
            # at most one slice an objective: nothing to group
            query = select(SLICES.c.slo, *_COLUMNS).where(inside)
        rows = [row for row in conn.execute(query).all() if row[0] in self._index]
        if rows:
            where = np.fromiter((self._index[row[0]] for row in rows), np.int64, len(rows))
            counts = np.array([[int(n) for n in row[1:]] for row in rows], dtype=np.int64).T
            _add(found, where, counts, np.ones(len(where), dtype=np.bool_))
        return found

    def _resize(self, conn: Connection) -> None:
        """Take in objectives that were booked for the first time, and what is known of when each was born."""
        for slo, born in conn.execute(select(TOTALS.c.slo, TOTALS.c.born)).all():
            if slo not in self._index:
                self._index[slo] = len(self._names)
                self._names.append(slo)
                self._born = np.append(self._born[: len(self._names) - 1], born)
            self._born[self._index[slo]] = born
        more = len(self._names)
        for columns in (self._sums, self._minutes):
            for key, counts in columns.items():
                columns[key] = np.pad(counts, ((0, 0), (0, more - counts.shape[1])))

    # following
    def _follow(self, conn: Connection, rows: list[Entry], now: float) -> None:
        if rows:
            self._resize(conn)
        waiting = [*self._ahead, *rows]
        self._ahead = [row for row in waiting if row[1] > now]
        # first what entered the windows as they were: the slices that now leave them hold it too
        self._enter([row for row in waiting if row[1] <= now])
        gone: dict[tuple[int, int], Counts] = {}
        for w in self._lengths:
            span = self._begin[w], window_begin(now, w)
            if span[1] <= span[0]:
                continue
            if span not in gone:
                gone[span] = self._between(conn, *span)
            self._sums[w] -= gone[span]
            self._begin[w] = span[1]
        oldest = first_minute(now)
        self._minutes = {at: counts for at, counts in self._minutes.items() if at >= oldest}

    def _enter(self, rows: list[Entry]) -> None:
        if not rows:
            return
        where = np.fromiter((self._index[row[0]] for row in rows), np.int64, len(rows))
        at = np.fromiter((row[1] for row in rows), np.int64, len(rows))
        counts = np.array([row[2:] for row in rows], dtype=np.int64).T
        for w in self._lengths:
            _add(self._sums[w], where, counts, at >= self._begin[w])
        for minute in np.unique(at).tolist():
            known = self._minutes.setdefault(minute, np.zeros((4, len(self._names)), dtype=np.int64))
            _add(known, where, counts, at == minute)

    def _view(self, now: float) -> Sums:
        due = int(now - DUE_S) // SLICE_S * SLICE_S
        open_ = [counts[OBSERVED] for at, counts in self._minutes.items() if due <= at <= now]
        undue = np.sum(open_, axis=0) if open_ else np.zeros(len(self._names), dtype=np.int64)
        born = self._born.copy()
        return Sums(
            now,
            tuple(self._names),
            born,
            {w: self._sums[w].copy() for w in self._lengths},
            {w: self._sums[w][OBSERVED] - undue for w in self._lengths},
            {w: np.maximum(due - np.maximum(self._begin[w], born), 0) for w in self._lengths},
            {at: counts[TOTAL] - counts[GOOD] for at, counts in self._minutes.items()},
        )


def _add(to: Counts, where: Counts, counts: Counts, mask: NDArray[np.bool_]) -> None:
    """Add rows (4, rows) to columns (4, objectives); one objective may come several times."""
    if mask.any():
        for row, more in zip(to, counts, strict=True):
            np.add.at(row, where[mask], more[mask])
