"""Numbers for pairs, looked up thousands at a time: an open-addressing hash table on arrays (linear probing, at most half full)."""

from typing import Final

import numpy as np
from numpy.typing import NDArray

from isolator.interner import Bools, Ints, grown

_MULTIPLIER: Final = np.uint64(0x9E3779B97F4A7C15)
_LEAST_BITS: Final = 10
PARTITION_BITS: Final = 20


def pack(token: Ints, partition: Ints) -> Ints:
    """One number for a (token, partition) pair."""
    return token << PARTITION_BITS | partition


class Pairs:
    """Gives each key (a non-negative integer) a row number, counted from 0. The same calls give the same numbers."""

    def __init__(self) -> None:
        self._keys: Ints = np.zeros(0, dtype=np.int64)
        self._size = 0
        self._clear(_LEAST_BITS)

    def __len__(self) -> int:
        return self._size

    @property
    def keys(self) -> Ints:
        """The keys by row number (rows,); a view."""
        return self._keys[: self._size]

    def find(self, keys: Ints) -> Ints:
        """The row numbers of `keys`, which may repeat; new ones are given."""
        self._reserve(self._size + len(keys))
        rows = np.empty(len(keys), dtype=np.int64)
        at = self._home(keys)
        left = np.arange(len(keys))
        while len(left):
            wanted = keys[left]
            found = self._at[at]
            empty = found < 0
            if empty.any():
                found = self._put(self._winners(np.flatnonzero(empty), at), at, wanted)
            hit = self._table[at] == wanted
            rows[left[hit]] = found[hit]
            miss = ~hit
            left, at = left[miss], (at[miss] + 1) & self._mask
        return rows

    def _winners(self, claims: Ints, at: Ints) -> Ints:
        """Of those that want the same empty place the last one gets it: numpy assigns in order."""
        self._at[at[claims]] = claims
        won: Ints = claims[self._at[at[claims]] == claims]
        return won

    def _put(self, winners: Ints, at: Ints, wanted: Ints) -> NDArray[np.int32]:
        until = self._size + len(winners)
        self._keys = grown(self._keys, until)
        self._keys[self._size : until] = wanted[winners]
        self._table[at[winners]] = wanted[winners]
        self._at[at[winners]] = np.arange(self._size, until)
        self._size = until
        found: NDArray[np.int32] = self._at[at]
        return found

    def keep(self, mask: Bools) -> None:
        """Forget the rows where `mask` (rows,) is False; the others are numbered anew, in their order."""
        self._keys = self.keys[mask].copy()
        self._size = len(self._keys)
        self._rebuild(self._size)

    def _reserve(self, size: int) -> None:
        if 2 * size > len(self._table):
            self._rebuild(size)

    def _rebuild(self, size: int) -> None:
        self._clear(max((4 * size).bit_length(), _LEAST_BITS))
        keys, left = self.keys, np.arange(self._size)
        at = self._home(keys)
        while len(left):
            won = self._winners(left[self._at[at[left]] < 0], at)
            self._table[at[won]] = keys[won]
            left = left[self._at[at[left]] != left]
            at[left] = (at[left] + 1) & self._mask

    def _home(self, keys: Ints) -> Ints:
        return (keys.view(np.uint64) * _MULTIPLIER >> self._shift).view(np.int64)

    def _clear(self, bits: int) -> None:
        self._table: Ints = np.full(1 << bits, -1, dtype=np.int64)
        self._at: NDArray[np.int32] = np.full(1 << bits, -1, dtype=np.int32)
        self._shift = np.uint64(64 - bits)
        self._mask = (1 << bits) - 1
