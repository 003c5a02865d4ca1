"""Marks: what people (and failed moves) say about a token, in `mark/PIPELINE/TOKEN`."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from enum import StrEnum

import orjson


class MarkKind(StrEnum):
    """What a mark does."""

    PROTECT = "protect"
    """Never moved, neither by the policy nor by hand."""
    EXEMPT = "exempt"
    """Never picked by the policy; a person may still move it."""
    BARRED = "barred"
    """Moving it did not help: not picked for a while."""


@dataclass(frozen=True, slots=True)
class Mark:
    """One mark; `until_ms` None means until cleared."""

    kind: MarkKind
    by: str
    at_ms: int
    reason: str = ""
    until_ms: int | None = None

    def holds(self, at_ms: int) -> bool:
        """Is it in force at `at_ms`?"""
        return self.until_ms is None or at_ms < self.until_ms


Marks = Mapping[str, tuple[Mark, ...]]
"""token -> its marks, at most one of each kind."""


def encode(pipeline: str, token: str, marks: tuple[Mark, ...]) -> tuple[bytes, bytes | None]:
    """Key and value for the state topic: a tombstone when no mark is left."""
    return f"mark/{pipeline}/{token}".encode(), orjson.dumps([asdict(m) for m in marks]) if marks else None


def decode(value: bytes) -> tuple[Mark, ...]:
    """The marks in a state record's value. Raises ValueError, KeyError or TypeError when they are not."""
    return tuple(Mark(**{**raw, "kind": MarkKind(raw["kind"])}) for raw in orjson.loads(value))


def with_mark(marks: tuple[Mark, ...], new: Mark) -> tuple[Mark, ...]:
    """The marks with `new`, which replaces an older one of its kind."""
    return (*(m for m in marks if m.kind is not new.kind), new)


def find(marks: Marks, token: str, at_ms: int, *kinds: MarkKind) -> Mark | None:
    """The token's first mark in force of one of `kinds` (any kind when none is given)."""
    for mark in marks.get(token, ()):
        if mark.holds(at_ms) and (not kinds or mark.kind in kinds):
            return mark
    return None
