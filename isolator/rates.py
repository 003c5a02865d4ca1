"""Counts that fade: exponentially decayed sums and one-second bins over tokens, and decayed sums over (token, partition) rows.

A decayed sum S of counts with half-life h is a rate once divided by tau = h / ln 2 (less at the start, see `exposure`). Additions carry the weight
exp((t - t0) / tau) relative to the landmark t0, the time of the last `advance`, so that nothing has to be decayed between ticks.
"""

import math
from typing import Final

import numpy as np
from numpy.typing import NDArray

from isolator.interner import Floats, Ints, grown

BINS: Final = 12
"""One-second bins that are kept a token."""
FORGET: Final = 0.1
"""A row with a smaller decayed count and no backlog is forgotten."""


def exposure(half_life_s: float, elapsed_s: float) -> float:
    """Seconds that a decayed sum stands for after `elapsed_s` of counting: tau * (1 - exp(-elapsed / tau)); never 0."""
    tau = half_life_s / math.log(2)
    return max(tau * -math.expm1(-max(elapsed_s, 0.0) / tau), 1e-3)


class Decayed:
    """Decayed sums over ids, shape (n,)."""

    def __init__(self, half_life_s: float) -> None:
        self.tau = half_life_s / math.log(2)
        self.sums: Floats = np.zeros(0)
        self._landmark: float | None = None

    def add(self, ids: Ints, counts: Floats, at_s: float, size: int) -> None:
        """Count at `at_s`; `ids` may repeat; `size` is the number of ids in all."""
        self.sums = grown(self.sums, size)
        if self._landmark is None:
            self._landmark = at_s
        np.add.at(self.sums, ids, counts * math.exp(min(max((at_s - self._landmark) / self.tau, -50.0), 50.0)))

    def advance(self, now_s: float) -> None:
        """Decay to `now_s`, which becomes the landmark. Going back is ignored."""
        if self._landmark is None:
            self._landmark = now_s
        elif now_s > self._landmark:
            self.sums *= math.exp(-min((now_s - self._landmark) / self.tau, 700.0))
            self._landmark = now_s

    def upto(self, size: int) -> Floats:
        """The first `size` sums."""
        self.sums = grown(self.sums, size)
        return self.sums[:size]


class Bins:
    """Counts per token in the last BINS seconds, shape (n, BINS), a ring by second."""

    def __init__(self) -> None:
        self._ring: NDArray[np.float32] = np.zeros((0, BINS), dtype=np.float32)
        self._head = 0

    def add(self, ids: Ints, counts: Floats, at_s: float, size: int) -> None:
        """Count in the second of `at_s`; too old ones are dropped."""
        second = math.floor(at_s)
        self._ring = grown(self._ring, size)
        self._reach(second)
        if second > self._head - BINS:
            np.add.at(self._ring[:, second % BINS], ids, counts.astype(np.float32))

    def _reach(self, second: int) -> None:
        for fresh in range(max(self._head + 1, second - BINS + 1), second + 1):
            self._ring[:, fresh % BINS] = 0
        self._head = max(self._head, second)

    def last(self, seconds: int, now_s: float, size: int) -> NDArray[np.float32]:
        """Counts of the newest `seconds` bins, shape (size, seconds), newest first. The newest bin is that of the newest addition, unless that is over 3 s old."""
        self._reach(math.floor(now_s) - 3)
        self._ring = grown(self._ring, size)
        return self._ring[:size, [(self._head - i) % BINS for i in range(seconds)]]


class Rows:
    """Sparse (token, partition) rows: decayed arrivals, decayed records of the busiest key, and events that wait (arrived less handled)."""

    def __init__(self, half_life_s: float) -> None:
        self._index: dict[int, int] = {}
        self._keys: Ints = np.zeros(0, dtype=np.int64)
        self.arrivals = Decayed(half_life_s)
        self.top_key = Decayed(half_life_s)
        self.waiting: Floats = np.zeros(0)

    def find(self, tokens: Ints, partitions: Ints) -> Ints:
        """Row numbers of the pairs, new ones made."""
        index = self._index
        keys = (tokens << 20 | partitions).tolist()
        rows = [index.setdefault(key, len(index)) for key in keys]
        self._keys = grown(self._keys, len(index))
        found = np.array(rows, dtype=np.int64)
        self._keys[found] = keys
        return found

    def arrive(self, rows: Ints, counts: Floats, top_key: Floats, at_s: float) -> None:
        """Records were appended."""
        self.arrivals.add(rows, counts, at_s, len(self._index))
        self.top_key.add(rows, top_key, at_s, len(self._index))
        self.wait(rows, counts)

    def wait(self, rows: Ints, counts: Floats) -> None:
        """More (or, negative, fewer) events wait."""
        self.waiting = grown(self.waiting, len(self._index))
        np.add.at(self.waiting, rows, counts)

    def advance(self, now_s: float) -> None:
        """Decay to `now_s` and forget rows that have faded."""
        size = len(self._index)
        self.arrivals.advance(now_s)
        self.top_key.advance(now_s)
        self.waiting = grown(self.waiting, size)
        keep = (self.arrivals.upto(size) > FORGET) | (self.waiting[:size] > 0.5)
        # rebuilding the index costs more than carrying faded rows: only when it halves them
        if size > 4096 and np.count_nonzero(keep) * 2 < size:
            self._keys = self._keys[:size][keep]
            self.waiting = self.waiting[:size][keep]
            self.arrivals.sums = self.arrivals.upto(size)[keep]
            self.top_key.sums = self.top_key.upto(size)[keep]
            self._index = {key: i for i, key in enumerate(self._keys.tolist())}

    def all(self) -> tuple[Ints, Ints]:
        """Token ids and partitions of all rows, shape (rows,)."""
        keys = self._keys[: len(self._index)]
        return keys >> 20, keys & 0xFFFFF
