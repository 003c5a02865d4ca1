"""Where a test may look at, or break, a worker's turn: named points, called in the Kafka thread."""

from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol

from ingestion.contracts.names import Lane


class Point(StrEnum):
    """A point of the worker's turn, in the order in which a chunk passes them."""

    ASSIGNED = "assigned"
    TAKEN = "taken"
    HANDLED = "handled"
    PRODUCED = "produced"
    FLUSHED = "flushed"
    OFFSETS_SENT = "offsets_sent"
    COMMITTED = "committed"


@dataclass(frozen=True, slots=True)
class Moment:
    """What the worker is about: its place, the number of its chunk (from 1) and what the chunk holds."""

    lane: Lane
    slot: str
    turn: int
    partitions: tuple[int, ...]
    local: int = 0
    forwards: int = 0


class Hooks(Protocol):
    """Called at every point of every turn."""

    def at(self, point: Point, moment: Moment) -> None:
        """May raise ForcedAbort or ForcedUnknown at the points from PRODUCED to COMMITTED."""
        ...


class NoHooks:
    """Nobody looks."""

    def at(self, point: Point, moment: Moment) -> None:
        """Does nothing."""


class ForcedAbort(Exception):
    """Take this as an abortable Kafka error."""


class ForcedUnknown(Exception):
    """Take this as a time-out: nobody knows whether the transaction was committed."""
