"""Partitions whose position is not in the log: asked for again now and then, each by itself, while the others go on. Pure."""

from dataclasses import dataclass, field
from typing import Final

_WAIT_S: Final = (1.0, 30.0)


@dataclass(slots=True)
class Astray:
    """Partition -> monotonic seconds from which to look again, and the wait that came before."""

    _again: dict[int, float] = field(default_factory=dict)
    _waits: dict[int, tuple[float, float]] = field(default_factory=dict)

    def note(self, partition: int, now: float) -> float:
        """The partition's position was refused; returns the seconds until it is looked at again: 1, doubled to 30 while it goes on."""
        low, high = _WAIT_S
        last, noted = self._waits.get(partition, (0.0, now))
        wait = min(high, max(low, 2 * last)) if now - noted <= 2 * high else low
        self._waits[partition] = (wait, now)
        self._again[partition] = now + wait
        return wait

    def due(self, now: float) -> list[int]:
        """Partitions whose time has come; they are forgotten until they are noted again."""
        found = [partition for partition, at in self._again.items() if at <= now]
        for partition in found:
            del self._again[partition]
        return found

    def forget(self, partition: int) -> None:
        """The partition is not ours any more."""
        self._again.pop(partition, None)
        self._waits.pop(partition, None)
