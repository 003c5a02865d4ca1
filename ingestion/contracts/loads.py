"""What tokens did on partitions, as it travels: rows to whoever writes them, columns to whoever reads thousands of them a second."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, fields
from typing import Any, Final, overload

import numpy as np
from numpy.typing import NDArray

OTHER: Final = "other"
"""The row into which all tokens beyond a partition's top ones are folded."""
MOST_PARTITIONS: Final = 100_000
"""A larger partition number is a broken message: arrays are as long as the largest number seen."""


@dataclass(frozen=True, slots=True)
class TokenLoad:
    """One token (or OTHER) on one partition: what a worker did for it, or, in an ArrivalReport, what arrived."""

    token: str
    partition: int
    records: int
    bytes: int
    work_s: float = 0.0
    keys: int = 0
    """Distinct keys in the interval."""
    top_key_records: int = 0
    """Records of its busiest key, for the hot-key diagnosis."""
    forwarded: int = 0


_FIELDS: Final = tuple(f.name for f in fields(TokenLoad))
_REQUIRED: Final = 4
_WORK: Final = _FIELDS.index("work_s")


class TokenRows(Sequence[TokenLoad]):
    """Many TokenLoads by column, each (rows,), in the order of the fields; equal to any sequence of the same TokenLoads.

    `tokens` are the names; `numbers` the other fields as arrays.
    """

    __slots__ = ("numbers", "tokens")

    def __init__(self, tokens: Sequence[str], numbers: Sequence[NDArray[Any]]) -> None:
        self.tokens = tokens
        self.numbers = tuple(numbers)

    @staticmethod
    def of(loads: Sequence[TokenLoad]) -> "TokenRows":
        """The columns of `loads`, unchecked; the same object when it already is by column."""
        if isinstance(loads, TokenRows):
            return loads
        numbers = [np.array([getattr(load, name) for load in loads], dtype=np.float64) for name in _FIELDS[1:]]
        return TokenRows([load.token for load in loads], numbers)

    @staticmethod
    def parse(rows: Any) -> "TokenRows":
        """The columns of decoded rows, trailing fields optional.

        Raises ValueError or TypeError for rows of a wrong or of different lengths, names that are no text, and numbers that are none, negative,
        not finite, or not whole where a count belongs.
        """
        if type(rows) is not list:
            raise ValueError("not a list of rows")
        if not rows:
            return _NOTHING
        lengths = set(map(len, rows))
        width = lengths.pop()
        if lengths or not _REQUIRED <= width <= len(_FIELDS):
            raise ValueError("token rows of a wrong length")
        tokens, *given = zip(*rows, strict=True)
        if set(map(type, tokens)) != {str}:
            raise ValueError("a token that is no text")
        numbers = [_amounts(column, whole=i != _WORK) for i, column in enumerate(given, 1)]
        if numbers[0].max() >= MOST_PARTITIONS:
            raise ValueError("an impossible partition number")
        numbers += [np.zeros(len(tokens), dtype=np.int64) for _ in range(width, len(_FIELDS))]
        return TokenRows(tokens, numbers)

    def column(self, name: str) -> NDArray[np.float64]:
        """A numeric field, as float64."""
        return self.numbers[_FIELDS.index(name) - 1].astype(np.float64)

    @property
    def partitions(self) -> NDArray[np.int64]:
        """The partition numbers."""
        return self.numbers[0].astype(np.int64)

    def __len__(self) -> int:
        return len(self.tokens)

    @overload
    def __getitem__(self, index: int) -> TokenLoad: ...
    @overload
    def __getitem__(self, index: slice) -> "TokenRows": ...
    def __getitem__(self, index: int | slice) -> "TokenLoad | TokenRows":
        if isinstance(index, slice):
            return TokenRows(self.tokens[index], [column[index] for column in self.numbers])
        return TokenLoad(self.tokens[index], *(column[index].item() for column in self.numbers))

    def __iter__(self) -> Iterator[TokenLoad]:
        return map(TokenLoad, self.tokens, *(column.tolist() for column in self.numbers))

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Sequence) and tuple(self) == tuple(other)

    def __hash__(self) -> int:
        return hash(tuple(self))

    def __repr__(self) -> str:
        return f"TokenRows({tuple(self)!r})"


def _amounts(column: Sequence[Any], *, whole: bool) -> NDArray[Any]:
    array = np.array(column)
    if array.ndim != 1 or array.dtype.kind not in ("iu" if whole else "iuf"):
        raise ValueError("a number that is none")
    # a NaN is not >= 0 either
    if not (array.min() >= 0 and array.max() < np.inf):
        raise ValueError("a number that is negative or not finite")
    return array


_NOTHING: Final = TokenRows((), [np.zeros(0, dtype=np.int64) for _ in _FIELDS[1:]])
