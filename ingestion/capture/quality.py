"""What the taken events are like, by event type: how many, with required fields missing, seen before, late. Told each second, judged by the control plane."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import Any, Final

from ingestion.contracts import headers as names
from ingestion.contracts.telemetry import OTHER, TypeCount

MOST_TYPES: Final = 200
"""Event types of one process that are told by name; the others are summed up as OTHER."""
REMEMBERED: Final = 100_000
"""Event ids of a generation: a repetition is noticed within the last one or two generations of one process."""


class Quality:
    """Counts of one process; not thread-safe: it belongs to the event loop. `required` names properties by event type."""

    def __init__(self, required: Mapping[str, Sequence[str]] | None = None, remembered: int = REMEMBERED) -> None:
        self._required = {name: tuple(fields) for name, fields in (required or {}).items()}
        self._remembered = remembered
        self._young: set[str] = set()
        self._old: set[str] = set()
        self._types: dict[str, str] = {}
        self._counts: defaultdict[str, list[int]] = defaultdict(lambda: [0, 0, 0, 0])

    def note(
        self, events: Sequence[Any], positions: Sequence[int], headers: Sequence[Sequence[tuple[str, Any]]]
    ) -> None:
        """Count the events at `positions` of a request, all of which were taken; `headers` are their records' own, in step."""
        for position, row in zip(positions, headers, strict=True):
            event = events[position]
            name = self._name(event["event"])
            count = self._counts[name]
            count[0] += 1
            required = self._required.get(event["event"])
            if required is not None:
                properties = event.get("properties") or {}
                count[1] += any(properties.get(field) is None for field in required)
            count[2] += self._seen(event["event_id"])
            count[3] += row[-1][0] == names.HISTORICAL

    def take(self) -> tuple[TypeCount, ...]:
        """What was counted since the last call."""
        taken = tuple(TypeCount(name, *counts) for name, counts in self._counts.items())
        self._counts.clear()
        return taken

    def _name(self, name: str) -> str:
        known = self._types.get(name)
        if known is None:
            if len(self._types) >= MOST_TYPES:
                return OTHER
            known = self._types[name] = name
        return known

    def _seen(self, event_id: str) -> bool:
        if event_id in self._young or event_id in self._old:
            return True
        self._young.add(event_id)
        if len(self._young) >= self._remembered:
            self._old, self._young = self._young, set()
        return False
