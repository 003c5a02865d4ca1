"""Tokens as small integers, so that the decision is arithmetic on arrays."""

from collections.abc import Iterable
from typing import Any

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Bools = NDArray[np.bool_]


class Interner:
    """Gives each token an id, counted from 0, for the life of the process. Shared by the observer and the baselines of one pipeline."""

    def __init__(self) -> None:
        self.names: list[str] = []
        self.by_name: dict[str, int] = {}

    def __len__(self) -> int:
        return len(self.names)

    def id(self, token: str) -> int:
        """The token's id; a new one if it was never seen."""
        found = self.by_name.get(token)
        if found is None:
            found = self.by_name[token] = len(self.names)
            self.names.append(token)
        return found

    def find(self, token: str) -> int | None:
        """The token's id, None if it was never seen."""
        return self.by_name.get(token)

    def ids(self, tokens: Iterable[str]) -> Ints:
        """The ids of `tokens`, in their order."""
        return np.fromiter(map(self.id, tokens), dtype=np.int64)


def grown(array: NDArray[Any], size: int) -> NDArray[Any]:
    """The array with room for at least `size` rows (doubled, zero-filled); the same array when it already has."""
    if len(array) >= size:
        return array
    larger = np.zeros((max(size, 2 * len(array), 1024), *array.shape[1:]), dtype=array.dtype)
    larger[: len(array)] = array
    return larger
