"""How tokens change lanes in the world: the worker's fence (design, section 3) for fluids.

A token that was forwarded goes nowhere else before that lane has drained up to its last forward. While it has to wait for that, its partition is held, and after
`hold_max` it is forwarded on, with doubled back-off.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from isolator.interner import Ints
from isolator.simulate.lane import LaneModel
from isolator.simulate.queue import HERE, HOLD, Choice

DRAINED = 1e-6
"""Events: less than this does not count as waiting."""


@dataclass(slots=True)
class Entry:
    """One token on one partition: lane -> the lane's count of events at its last forward; and the hold, if there is one."""

    last: dict[int, float] = field(default_factory=dict)
    held_since_s: float | None = None
    next_hold_s: float = 0.0
    back_off_s: float = 0.0


class Fence:
    """What each partition does with each token now. `wanted` (token -> side lane code) belongs to the world."""

    def __init__(self, tokens: int, partitions: int, hold_max_s: float, lanes: Sequence[LaneModel]) -> None:
        self._lane: Ints = np.zeros(tokens, dtype=np.int64)
        self._entries: list[dict[int, Entry]] = [{} for _ in range(partitions)]
        self._hold_max_s = hold_max_s
        self._lanes = lanes

    def forwarded(self, partition: int, token: int, lane: int) -> None:
        """The token's events were just put at the end of `lane`."""
        entry = self._entries[partition].setdefault(token, Entry())
        entry.last[lane] = self._lanes[lane].queues[partition].put

    def simple(self, wanted: Mapping[int, int]) -> bool:
        """Does every token go where it is wanted, on every partition?"""
        return all(
            wanted.get(token, HERE) == lane or self._drained(p, lane, last)
            for p, entries in enumerate(self._entries)
            for token, entry in entries.items()
            for lane, last in entry.last.items()
        )

    def choice(self, partition: int, wanted: Mapping[int, int], now_s: float, forward_s: float) -> Choice | None:
        """What is decided on the partition at `now_s`; None when everything is handled here. Valid until the next call for any partition."""
        entries = self._entries[partition]
        decided = {token: lane for token, lane in wanted.items() if token not in entries}
        for token, entry in list(entries.items()):
            lane = self._decide(partition, entry, wanted.get(token, HERE), now_s)
            if not entry.last and lane == HERE:
                del entries[token]
            elif lane != HERE:
                decided[token] = lane
        if not decided:
            return None
        table = np.zeros_like(self._lane)
        table[list(decided)] = list(decided.values())
        return Choice(table, forward_s, HOLD in decided.values())

    def _decide(self, partition: int, entry: Entry, want: int, now_s: float) -> int:
        for lane, last in list(entry.last.items()):
            if self._drained(partition, lane, last):
                del entry.last[lane]
        blocking = [lane for lane in entry.last if lane != want]
        if not blocking:
            entry.held_since_s, entry.back_off_s, entry.next_hold_s = None, 0.0, 0.0
            return want
        if len(entry.last) > 1:
            return HOLD
        if entry.held_since_s is None and now_s >= entry.next_hold_s:
            entry.held_since_s = now_s
        if entry.held_since_s is not None and now_s - entry.held_since_s < self._hold_max_s:
            return HOLD
        if entry.held_since_s is not None:
            entry.back_off_s = max(2 * entry.back_off_s, self._hold_max_s)
            entry.next_hold_s, entry.held_since_s = now_s + entry.back_off_s, None
        return blocking[0]

    def _drained(self, partition: int, lane: int, last: float) -> bool:
        return self._lanes[lane].queues[partition].taken >= last - DRAINED
