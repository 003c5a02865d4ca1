"""What a handler gets and what it answers: a record, and its outcome."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from ingestion.contracts.names import Lane


@dataclass(frozen=True, slots=True)
class Record:
    """One event as a handler sees it. Times are milliseconds since the Unix epoch."""

    lane: Lane
    topic: str
    partition: int
    offset: int
    token: str
    distinct_id: str
    event_id: str
    event: str
    captured_at: int
    appended_at: int
    source: str
    """`topic/partition/offset` in the general topic: the same in every lane, so sinks and oracles can compare order."""
    key: bytes | None
    value: bytes
    traceparent: str | None = None


@dataclass(frozen=True, slots=True)
class Done:
    """The record's effect is in place. `cost` is its work in seconds; None lets the worker share out the batch's time evenly."""

    cost: float | None = None


@dataclass(frozen=True, slots=True)
class Invalid:
    """The record can never be handled: dead letter, with the reason (one line, no personal data)."""

    reason: str


@dataclass(frozen=True, slots=True)
class Retry:
    """Not now: this record and all behind it in its partition come again after `after` seconds (backed off to 30 s). Never dead-lettered."""

    after: float = 0.1


Outcome = Done | Invalid | Retry


class Handler(Protocol):
    """The user's code, named by `module:attribute`; runs in a thread of its own, so it may block.

    Contract: one outcome per record, in the batch's order. Records of one (partition, key) come in order; a handler that answers Retry for a record
    must not have applied later records of that key in the batch. A batch may come again (at-least-once towards the handler): effects are idempotent on
    `event_id`. An exception is an unknown error: the worker bisects the batch, tries three times, then dead-letters.
    """

    def handle(self, batch: Sequence[Record], /) -> Sequence[Outcome]:
        """Apply the batch; returns `len(batch)` outcomes."""
        ...
