"""What is usual at this hour of the week, for the tokens that matter most: a nightly job is no anomaly once it was seen at its hour.

A bucket is an hour of the week (UTC). What is learned in an hour enters its bucket when the hour is over, and never if the token was moved or blamed in it: a
flood does not excuse itself. The expectation is never under the token's general baseline: a quiet hour makes nobody suspect.
"""

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from isolator.interner import Floats, Interner, Ints, grown

HOUR_S: Final = 3600
BUCKETS: Final = 168
DAY: Final = 24
MOST: Final = 1000
"""Tokens with buckets of their own."""
PRIOR_S: Final = 900.0
"""Seconds of evidence that the general baseline weighs in a bucket (and that of the same hour on other days)."""
PRIOR_EVENTS: Final = 20.0
"""Events that the general cost weighs."""
EDGE_S: Final = 600.0
"""Seconds by which a job may be early or late."""
FADE: Final = 0.6
"""What a bucket keeps of earlier weeks at each visit."""
STAY: Final = 1.25
"""Times its work by which a token keeps its buckets against a newcomer."""
LEAST_S: Final = 900.0
"""A shorter stretch of an hour is not learned: the start of a flood could make up most of it."""
_MONDAY: Final = 72
"""Unix time began on a Thursday."""

Table = NDArray[np.float32]


def bucket_of(at_s: float) -> int:
    """The hour of the week, 0 is Monday 00:00 UTC."""
    return (int(at_s // HOUR_S) + _MONDAY) % BUCKETS


@dataclass(frozen=True, slots=True)
class Bucket:
    """One hour of the week as it is stored, arrays (tokens,)."""

    number: int
    all_seconds: float
    all_events: float
    tokens: tuple[str, ...]
    seconds: Floats
    events: Floats
    handled: Floats
    work: Floats


class _Tally:
    """The hour that is running: sums by token id."""

    def __init__(self, hour: int) -> None:
        self.hour = hour
        self.seconds = 0.0
        self.all_events = 0.0
        self.events: Table = np.zeros(0, dtype=np.float32)
        self.handled: Table = np.zeros(0, dtype=np.float32)
        self.work: Table = np.zeros(0, dtype=np.float32)

    def grow(self, size: int) -> None:
        self.events, self.handled = grown(self.events, size), grown(self.handled, size)
        self.work = grown(self.work, size)


class Hours:
    """The buckets of one pipeline. Shares the interner of its baselines."""

    def __init__(self, interner: Interner) -> None:
        self._interner = interner
        self._ids: Ints = np.full(MOST, -1, dtype=np.int64)
        # one more than the row, 0 for none
        self._row: NDArray[np.int16] = np.zeros(0, dtype=np.int16)
        self._seconds, self._events, self._handled, self._work = (
            np.zeros((BUCKETS, MOST), dtype=np.float32) for _ in range(4)
        )
        self._all_seconds, self._all_events = np.zeros(BUCKETS), np.zeros(BUCKETS)
        self._tally: _Tally | None = None
        self._void: dict[int, set[int]] = {}
        self._changed: set[int] = set()

    def __len__(self) -> int:
        return int(np.count_nonzero(self._ids >= 0))

    # learning

    def void(self, ids: Ints, at_ms: int) -> None:
        """These tokens are moved or blamed: nothing is learned of them in this hour."""
        if len(ids):
            self._void.setdefault(at_ms // 1000 // HOUR_S, set()).update(ids.tolist())

    def learn(
        self, at_ms: int, elapsed_s: float, arrived: tuple[Ints, Floats], done: tuple[Ints, Floats, Floats], all_: float
    ) -> None:
        """A calm tick: ids and events that arrived, ids, events and work that were handled, and everybody's events."""
        hour = at_ms // 1000 // HOUR_S
        if self._tally is not None and hour > self._tally.hour:
            self._close(self._tally)
            self._tally = None
            self._void = {h: ids for h, ids in self._void.items() if h >= hour}
        if self._tally is None:
            self._tally = _Tally(hour)
        tally = self._tally
        tally.grow(len(self._interner))
        tally.seconds += elapsed_s
        tally.all_events += all_
        tally.events[arrived[0]] += arrived[1].astype(np.float32)
        tally.handled[done[0]] += done[1].astype(np.float32)
        tally.work[done[0]] += done[2].astype(np.float32)

    def _close(self, tally: _Tally) -> None:
        if tally.seconds < LEAST_S:
            return
        bucket = bucket_of(tally.hour * HOUR_S)
        void = np.fromiter(self._void.get(tally.hour, ()), dtype=np.int64)
        void = void[void < len(tally.events)]
        self._admit(tally, void)
        self._all_seconds[bucket] = self._all_seconds[bucket] * FADE + tally.seconds
        self._all_events[bucket] = self._all_events[bucket] * FADE + tally.all_events
        learns = self._ids >= 0
        learns &= ~np.isin(self._ids, void)
        ids = self._ids[learns]
        for table, new in (
            (self._seconds, np.full(len(ids), tally.seconds, dtype=np.float32)),
            (self._events, tally.events[ids]),
            (self._handled, tally.handled[ids]),
            (self._work, tally.work[ids]),
        ):
            table[bucket, learns] = table[bucket, learns] * np.float32(FADE) + new
        self._changed.add(bucket)

    def _admit(self, tally: _Tally, void: Ints) -> None:
        """Give rows to the tokens with the most work in this hour, if they do more than who has one at its best hour."""
        work = tally.work.copy()
        work[void] = 0.0
        work[self._ids[self._ids >= 0]] = 0.0
        new = np.flatnonzero(work)
        if len(new) > MOST:
            new = new[np.argpartition(-work[new], MOST)[:MOST]]
        if not len(new):
            return
        best = np.divide(self._work, self._seconds, out=np.zeros_like(self._work), where=self._seconds > 0).max(axis=0)
        mine = np.where(self._ids >= 0, best * STAY, -1.0)
        order = np.argsort(mine, kind="stable")
        new = new[np.lexsort((new, -work[new]))]
        for row, token in zip(order.tolist(), new.tolist(), strict=False):
            if work[token] / tally.seconds <= mine[row]:
                break
            self._replace(row, token)

    def _replace(self, row: int, token: int) -> None:
        if self._ids[row] >= 0:
            self._row[self._ids[row]] = 0
            for table in (self._seconds, self._events, self._handled, self._work):
                table[:, row] = 0.0
        self._row = grown(self._row, token + 1)
        self._ids[row], self._row[token] = token, row + 1

    # expecting

    def expect(
        self, at_ms: int, ids: Ints, rate: Floats, cost: Floats, all_rate: float
    ) -> tuple[Floats, Floats, float]:
        """Usual rate and cost of `ids` at this time, given their general ones, and by how much everybody does more than generally (at least 1).

        Tokens without buckets are expected to follow everybody.
        """
        buckets = {bucket_of(at_ms / 1000 + shift) for shift in (-EDGE_S, 0.0, EDGE_S)}
        factor = max(1.0, *(self._everybody(b, all_rate) for b in buckets))
        if not len(self):
            return rate * factor, cost, factor
        self._row = grown(self._row, int(ids.max(initial=-1)) + 1)
        rows = self._row[ids].astype(np.int64) - 1
        mine = np.flatnonzero(rows >= 0)
        rows = rows[mine]
        own_rate, own_cost = rate[mine], cost[mine]
        hour_rate, hour_cost = own_rate.copy(), own_cost.copy()
        for bucket in sorted(buckets):
            more, dearer = self._bucket(bucket, rows, own_rate, own_cost)
            np.maximum(hour_rate, more, out=hour_rate)
            np.maximum(hour_cost, dearer, out=hour_cost)
        rate, cost = rate * factor, cost.copy()
        rate[mine], cost[mine] = hour_rate, hour_cost
        return rate, cost, factor

    def _everybody(self, bucket: int, all_rate: float) -> float:
        if all_rate <= 0:
            return 1.0
        day = slice(bucket % DAY, None, DAY)
        day_rate = (self._all_events[day].sum() + PRIOR_S * all_rate) / (self._all_seconds[day].sum() + PRIOR_S)
        rate = (self._all_events[bucket] + PRIOR_S * day_rate) / (self._all_seconds[bucket] + PRIOR_S)
        return float(rate / all_rate)

    def _bucket(self, bucket: int, rows: Ints, rate: Floats, cost: Floats) -> tuple[Floats, Floats]:
        """The token's general baseline, outweighed by the same hour of other days, outweighed by this hour of the week."""
        for some in (slice(bucket % DAY, None, DAY), slice(bucket, bucket + 1)):
            seconds, events, handled, work = (
                table[some].sum(axis=0)[rows].astype(np.float64)
                for table in (self._seconds, self._events, self._handled, self._work)
            )
            rate = (events + PRIOR_S * rate) / (seconds + PRIOR_S)
            cost = (work + PRIOR_EVENTS * cost) / (handled + PRIOR_EVENTS)
        return rate, cost

    # storing

    def changed(self) -> list[int]:
        """Buckets that were learned since the last time that this was asked."""
        changed, self._changed = sorted(self._changed), set()
        return changed

    def rewrite(self) -> None:
        """What was asked for may not have been written: all that is known counts as changed."""
        self._changed = set(np.flatnonzero(self._all_seconds).tolist())

    def bucket(self, number: int) -> Bucket:
        """One bucket, for the snapshot."""
        rows = np.flatnonzero((self._ids >= 0) & (self._seconds[number] > 0))
        return Bucket(
            number,
            float(self._all_seconds[number]),
            float(self._all_events[number]),
            tuple(self._interner.names[i] for i in self._ids[rows].tolist()),
            *(
                table[number, rows].astype(np.float64)
                for table in (self._seconds, self._events, self._handled, self._work)
            ),
        )

    def restore(self, buckets: list[Bucket]) -> None:
        """Take over what a snapshot holds. With more tokens than there are rows those with the least work are left out."""
        best: dict[str, float] = {}
        for one in buckets:
            for token, work, seconds in zip(one.tokens, one.work.tolist(), one.seconds.tolist(), strict=True):
                best[token] = max(best.get(token, 0.0), work / seconds if seconds > 0 else 0.0)
        chosen = sorted(best, key=lambda token: (-best[token], token))[:MOST]
        rows = {token: row for row, token in enumerate(chosen)}
        for token, row in rows.items():
            self._replace(row, self._interner.id(token))
        for one in buckets:
            self._all_seconds[one.number], self._all_events[one.number] = one.all_seconds, one.all_events
            kept = [i for i, token in enumerate(one.tokens) if token in rows]
            at = [rows[one.tokens[i]] for i in kept]
            for table, new in (
                (self._seconds, one.seconds),
                (self._events, one.events),
                (self._handled, one.handled),
                (self._work, one.work),
            ):
                table[one.number, at] = new[kept]
