"""What became of events that a client sent."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

Event = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Rejected:
    """An event that breaks the capture contract: sending it again is of no use."""

    event: Event
    errors: tuple[str, ...]
    """`field message`, one each."""


@dataclass(frozen=True, slots=True)
class Report:
    """Every event that was sent is in exactly one of the three."""

    accepted: int = 0
    """On the broker, as capture confirmed."""
    rejected: tuple[Rejected, ...] = ()
    undelivered: tuple[Event, ...] = ()
    """Given up after all attempts; with their event_id, so that they can be handed to `send` again later without doubling."""
    reason: str = ""
    """Why the undelivered ones are."""

    def __add__(self, other: "Report") -> "Report":
        """Both together."""
        return Report(
            self.accepted + other.accepted,
            self.rejected + other.rejected,
            self.undelivered + other.undelivered,
            other.reason or self.reason,
        )
