"""Counts that fade: exponentially decayed sums and one-second bins over compact places, and decayed sums over (token, partition) rows.

A decayed sum S of counts with half-life h is a rate once divided by tau = h / ln 2 (less at the start, see `exposure`). Additions carry the weight
exp((t - t0) / tau) relative to the landmark t0, the time of the last `advance`, so that nothing has to be decayed between ticks. Counts of an interval of
several seconds stand for equal counts in each of its seconds.
"""

import math
from typing import Final

import numpy as np
from numpy.typing import NDArray

from isolator.constants import BINS
from isolator.interner import Bools, Floats, Ints, grown
from isolator.pairs import PARTITION_BITS, Pairs, pack

FORGET: Final = 0.25
"""A row with a smaller decayed count and no backlog is forgotten: its rate is then counted with the partition's others."""
LEAST_DEBT: Final = 0.01
"""Events handled before they arrived; fewer are a rounding error."""
LEAST_ROWS: Final = 4096
"""Fewer are not worth forgetting."""
CROWDED: Final = 0.75
"""Faded ones are forgotten when no more than this share is alive: carrying them costs less than moving the others together at every tick."""


def exposure(half_life_s: float, elapsed_s: float) -> float:
    """Seconds that a decayed sum stands for after `elapsed_s` of counting: tau * (1 - exp(-elapsed / tau)); never 0."""
    tau = half_life_s / math.log(2)
    return max(tau * -math.expm1(-max(elapsed_s, 0.0) / tau), 1e-3)


def seconds(interval_s: float) -> int:
    """How many one-second counts a count over `interval_s` stands for."""
    return max(round(interval_s), 1)


class Decayed:
    """Decayed sums over places, shape (n,)."""

    def __init__(self, half_life_s: float) -> None:
        self.tau = half_life_s / math.log(2)
        self.sums: Floats = np.zeros(0)
        self._used = 0
        self._landmark: float | None = None

    def add(self, at: Ints, counts: Floats, at_s: float, size: int, interval_s: float = 1.0) -> None:
        """Count what happened in the `interval_s` until `at_s`; `at` may repeat; `size` is the number of places in all."""
        self.sums = grown(self.sums, size)
        self._used = max(self._used, size)
        np.add.at(self.sums, at, counts * self.weight(at_s, interval_s))

    def weight(self, at_s: float, interval_s: float = 1.0) -> float:
        """What a count at `at_s` weighs."""
        if self._landmark is None:
            self._landmark = at_s
        last = math.exp(min(max((at_s - self._landmark) / self.tau, -50.0), 50.0))
        several = seconds(interval_s)
        if several == 1:
            return last
        return last * math.expm1(-several / self.tau) / (several * math.expm1(-1 / self.tau))

    def advance(self, now_s: float) -> None:
        """Decay to `now_s`, which becomes the landmark. Going back is ignored."""
        if self._landmark is None:
            self._landmark = now_s
        elif now_s > self._landmark:
            self.sums[: self._used] *= math.exp(-min((now_s - self._landmark) / self.tau, 700.0))
            self._landmark = now_s

    def upto(self, size: int) -> Floats:
        """The first `size` sums."""
        self.sums = grown(self.sums, size)
        return self.sums[:size]

    def keep(self, mask: Bools) -> None:
        """Move those where `mask` (places,) is True together."""
        self.sums = self.upto(len(mask))[mask]
        self._used = len(self.sums)


class Bins:
    """Counts per place in the last BINS seconds, shape (BINS, n), a ring by second."""

    def __init__(self) -> None:
        self._ring: list[NDArray[np.float32]] = [np.zeros(0, dtype=np.float32) for _ in range(BINS)]
        self._head = 0

    def add(self, at: Ints, counts: Floats, at_s: float, size: int, interval_s: float = 1.0) -> None:
        """Count in the second of `at_s` (and equally in those before, back to `interval_s`); too old ones are dropped."""
        second, several = math.floor(at_s), seconds(interval_s)
        self._reach(second)
        each = (counts / several).astype(np.float32)
        for one in range(second, max(second - several, self._head - BINS), -1):
            self._ring[one % BINS] = ring = grown(self._ring[one % BINS], size)
            np.add.at(ring, at, each)

    def _reach(self, second: int) -> None:
        for fresh in range(max(self._head + 1, second - BINS + 1), second + 1):
            self._ring[fresh % BINS][:] = 0
        self._head = max(self._head, second)

    def last(self, newest: int, now_s: float, size: int) -> list[NDArray[np.float32]]:
        """Counts (size,) of each of the `newest` seconds, newest first. The newest bin is that of the newest addition, unless that is over 3 s old."""
        self._reach(math.floor(now_s) - 3)
        for i, ring in enumerate(self._ring):
            self._ring[i] = grown(ring, size)
        return [self._ring[(self._head - i) % BINS][:size] for i in range(newest)]

    def keep(self, mask: Bools) -> None:
        """Move those where `mask` (places,) is True together."""
        self._ring = [grown(ring, len(mask))[: len(mask)][mask] for ring in self._ring]


class Rows:
    """Sparse (token, partition) rows: decayed arrivals, decayed records of the busiest key, and events that wait (arrived less handled)."""

    def __init__(self, half_life_s: float) -> None:
        self._pairs = Pairs()
        self.arrivals = Decayed(half_life_s)
        self.top_key = Decayed(half_life_s)
        self.waiting: Floats = np.zeros(0)
        # the keys taken apart, up to row `_split`
        self._token: Ints = np.zeros(0, dtype=np.int64)
        self._partition: Ints = np.zeros(0, dtype=np.int64)
        self._split = 0

    def find(self, tokens: Ints, partitions: Ints) -> Ints:
        """Row numbers of the pairs, new ones made."""
        return self._pairs.find(pack(tokens, partitions))

    def arrive(self, rows: Ints, counts: Floats, top_key: Floats, at_s: float, interval_s: float = 1.0) -> None:
        """Records were appended."""
        self.arrivals.add(rows, counts, at_s, len(self._pairs), interval_s)
        self.top_key.add(rows, top_key, at_s, len(self._pairs), interval_s)
        self.wait(rows, counts)

    def wait(self, rows: Ints, counts: Floats) -> None:
        """More (or, negative, fewer) events wait."""
        self.waiting = grown(self.waiting, len(self._pairs))
        np.add.at(self.waiting, rows, counts)

    def advance(self, now_s: float) -> None:
        """Decay to `now_s` and forget rows that have faded."""
        size = len(self._pairs)
        self.arrivals.advance(now_s)
        self.top_key.advance(now_s)
        self.waiting = grown(self.waiting, size)
        if size <= LEAST_ROWS:
            return
        keep = self.arrivals.upto(size) > FORGET
        if np.count_nonzero(keep) > CROWDED * size:
            return
        keep |= self.waiting[:size] > 0.5
        if np.count_nonzero(keep) <= CROWDED * size:
            self.waiting = self.waiting[:size][keep]
            self.arrivals.keep(keep)
            self.top_key.keep(keep)
            self._pairs.keep(keep)
            self._split = 0

    def settle(self, lag: Floats) -> Floats:
        """What waits (rows,), bounded by the `lag` (partitions,) that was measured: errors of counting must not pile up."""
        size = len(self._pairs)
        waiting, bounded = grown(self.waiting, size)[:size], np.zeros(size)
        some = np.flatnonzero(waiting)
        there = waiting[some]
        partition, positive = self.all()[1][some], np.maximum(there, 0.0)
        total = np.bincount(partition, positive, len(lag))
        factor = np.divide(lag, total, out=np.ones(len(lag)), where=total > lag)
        bounded[some] = positive * factor[partition]
        # a handled record may be reported before its arrival: forget such debts slowly
        waiting[some] = np.where(there < -LEAST_DEBT, there * 0.5, bounded[some])
        self.waiting = waiting
        return bounded

    def all(self) -> tuple[Ints, Ints]:
        """Token ids and partitions of all rows, shape (rows,); views."""
        size = len(self._pairs)
        if self._split < size:
            self._token, self._partition = grown(self._token, size), grown(self._partition, size)
            keys = self._pairs.keys[self._split :]
            self._token[self._split : size] = keys >> PARTITION_BITS
            self._partition[self._split : size] = keys & ((1 << PARTITION_BITS) - 1)
            self._split = size
        return self._token[:size], self._partition[:size]
