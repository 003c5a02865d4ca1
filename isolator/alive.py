"""The working set: tokens that did something lately have a place in compact arrays, all others cost nothing."""

from collections.abc import Iterator, Mapping, Sequence
from typing import overload

import numpy as np
from numpy.typing import NDArray

from isolator.interner import Bools, Interner, Ints, grown


class Places:
    """Gives each token id that is alive a place, counted from 0, in the order in which they came to life."""

    def __init__(self) -> None:
        self._ids: Ints = np.zeros(0, dtype=np.int64)
        # one more than the place, 0 for none, so that growing by zeros is right
        self._next: NDArray[np.int32] = np.zeros(0, dtype=np.int32)
        self._size = 0

    def __len__(self) -> int:
        return self._size

    @property
    def ids(self) -> Ints:
        """The ids by place (places,); a view."""
        return self._ids[: self._size]

    def find(self, ids: Ints) -> Ints:
        """The places of `ids`, which may repeat; those without one are given one."""
        if not len(ids):
            return np.zeros(0, dtype=np.int64)
        self._next = grown(self._next, int(ids.max()) + 1)
        found = self._next[ids]
        new = ids[found == 0]
        if len(new):
            born, first = np.unique(new, return_index=True)
            born = born[np.argsort(first)]
            until = self._size + len(born)
            self._ids = grown(self._ids, until)
            self._ids[self._size : until] = born
            self._next[born] = np.arange(self._size + 1, until + 1)
            self._size = until
            found = self._next[ids]
        return found.astype(np.int64) - 1

    def known(self, ids: Ints) -> Ints:
        """The places of `ids`, -1 for those without one."""
        self._next = grown(self._next, int(ids.max(initial=-1)) + 1)
        return self._next[ids].astype(np.int64) - 1

    def keep(self, mask: Bools) -> None:
        """Take their places from those where `mask` (places,) is False; the others move together, in their order."""
        self._next[self.ids] = 0
        self._ids = self.ids[mask].copy()
        self._size = len(self._ids)
        self._next[self._ids] = np.arange(1, self._size + 1)


class Names(Sequence[str]):
    """The tokens by place."""

    def __init__(self, interner: Interner, ids: Ints) -> None:
        self._names, self._ids = interner.names, ids

    def __len__(self) -> int:
        return len(self._ids)

    @overload
    def __getitem__(self, index: int) -> str: ...
    @overload
    def __getitem__(self, index: slice) -> list[str]: ...
    def __getitem__(self, index: int | slice) -> str | list[str]:
        if isinstance(index, slice):
            return [self._names[i] for i in self._ids[index].tolist()]
        return self._names[int(self._ids[index])]


class PlaceOf(Mapping[str, int]):
    """token -> place, for those that have one. Lookups sort the ids once; making it costs nothing."""

    def __init__(self, interner: Interner, ids: Ints) -> None:
        self._interner, self._ids = interner, ids
        self._order: Ints | None = None

    def __getitem__(self, token: str) -> int:
        wanted = self._interner.find(token)
        if wanted is None:
            raise KeyError(token)
        if self._order is None:
            self._order = np.argsort(self._ids, kind="stable")
        at = int(np.searchsorted(self._ids, wanted, sorter=self._order))
        if at == len(self._ids) or self._ids[self._order[at]] != wanted:
            raise KeyError(token)
        return int(self._order[at])

    def __len__(self) -> int:
        return len(self._ids)

    def __iter__(self) -> Iterator[str]:
        return iter(Names(self._interner, self._ids))
