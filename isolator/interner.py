"""Tokens as small integers, so that the decision is arithmetic on arrays."""

from collections.abc import Iterable
from typing import Any

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Bools = NDArray[np.bool_]


class _Ids(dict[str, int]):
    """token -> id; a token that is asked for and was never seen gets the next id. Speeds up `Interner.ids` three times."""

    def __init__(self, names: list[str]) -> None:
        super().__init__()
        self._names = names

    def __missing__(self, token: str) -> int:
        number = self[token] = len(self._names)
        self._names.append(token)
        return number


class Interner:
    """Gives each token an id, counted from 0, for the life of the process. Shared by the observer and the baselines of one pipeline."""

    def __init__(self) -> None:
        self.names: list[str] = []
        self.by_name = _Ids(self.names)

    def __len__(self) -> int:
        return len(self.names)

    def id(self, token: str) -> int:
        """The token's id; a new one if it was never seen."""
        return self.by_name[token]

    def find(self, token: str) -> int | None:
        """The token's id, None if it was never seen."""
        return self.by_name.get(token)

    def ids(self, tokens: Iterable[str]) -> Ints:
        """The ids of `tokens`, in their order."""
        return np.fromiter(map(self.by_name.__getitem__, tokens), dtype=np.int64)


def grown(array: NDArray[Any], size: int) -> NDArray[Any]:
    """The array with room for at least `size` rows (doubled, zero-filled); the same array when it already has."""
    if len(array) >= size:
        return array
    larger = np.zeros((max(size, 2 * len(array), 1024), *array.shape[1:]), dtype=array.dtype)
    larger[: len(array)] = array
    return larger
