"""Fetched records of one partition that wait for their turn.

Bounded by predicted work, by records and by bytes. The partition is paused only when its buffer is full, and resumed at half: every pause throws away
librdkafka's prefetch.
"""

from dataclasses import dataclass
from typing import Final

from confluent_kafka import Message

_COMPACT: Final = 4_096
_SAMPLE: Final = 64


@dataclass(frozen=True, slots=True)
class Bound:
    """What makes a buffer full: messages, or bytes of their values. One message always fits."""

    messages: int
    bytes: int


class Buffer:
    """A queue of messages that can be looked at in slices without taking them."""

    __slots__ = ("_head", "_messages", "add", "partition", "paused")

    def __init__(self, partition: int) -> None:
        self.partition = partition
        self.paused = False
        self._messages: list[Message] = []
        self._head = 0
        self.add = self._messages.append
        """Append one fetched message: the list's own method, because it is called for every record."""

    def __len__(self) -> int:
        """Messages that wait."""
        return len(self._messages) - self._head

    def peek(self, start: int, stop: int) -> list[Message]:
        """The waiting messages `start` to `stop` (excluded), counted from the head."""
        return self._messages[self._head + start : self._head + stop]

    def drop(self, count: int) -> None:
        """The first `count` messages are settled."""
        self._head += count
        if self._head >= _COMPACT or self._head == len(self._messages):
            del self._messages[: self._head]
            self._head = 0

    def clear(self) -> None:
        """Forget everything: the position went back."""
        self._messages.clear()
        self._head = 0

    def head(self) -> int | None:
        """The offset of the first waiting message."""
        return self._messages[self._head].offset() if len(self) else None

    def size(self) -> int:
        """Bytes of the waiting values: exact up to 64 messages, beyond that an estimate from every n-th, at least 64 of them."""
        step = max(1, len(self) // _SAMPLE)
        if step == 1:
            return sum(map(len, self._messages[self._head :]))
        picked = self._messages[self._head :: step]
        return sum(map(len, picked)) * len(self) // len(picked)

    def full(self, bound: Bound) -> bool:
        """Pause now?"""
        return len(self) >= bound.messages or self.size() >= bound.bytes

    def low(self, bound: Bound) -> bool:
        """Resume now?"""
        return 2 * len(self) <= bound.messages and 2 * self.size() <= bound.bytes

    def message_at(self, offset: int) -> Message | None:
        """The waiting message with that offset."""
        return next((m for m in self._messages[self._head :] if m.offset() == offset), None)
