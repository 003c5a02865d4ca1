"""How long a token may stop its partition, and when it may try again. Pure."""

from dataclasses import dataclass, field
from enum import StrEnum
from typing import Final

MAX_BACK_OFF_S: Final = 600.0

Key = tuple[int, int]
"""(partition, token hash)."""


class Wait(StrEnum):
    """What to do with a token that may not go where it is wanted."""

    HOLD = "hold"
    FORWARD = "forward"


@dataclass(slots=True)
class _State:
    since: float
    back_off: float
    again: float = 0.0


@dataclass(slots=True)
class Holds:
    """Holds of all partitions. `hold_max_s`: a hold lasts at most this long, then its token is forwarded and tries again after twice as long."""

    hold_max_s: float
    states: dict[Key, _State] = field(default_factory=dict)

    def ask(self, key: Key, now: float, *, may_forward: bool) -> Wait:
        """Hold the token now, or forward it to where it is in flight? Without a lane to forward to it waits, however long."""
        state = self.states.get(key)
        if state is None or not may_forward:
            return Wait.HOLD
        if state.again:
            if now < state.again:
                return Wait.FORWARD
            state.since, state.again = now, 0.0
        if now - state.since < self.hold_max_s:
            return Wait.HOLD
        state.back_off = min(state.back_off * 2, MAX_BACK_OFF_S)
        state.again = now + state.back_off
        return Wait.FORWARD

    def start(self, key: Key, now: float) -> None:
        """The token's record stands at the head of its partition and stops it: from now its time counts."""
        self.states.setdefault(key, _State(now, self.hold_max_s))

    def clear(self, key: Key) -> None:
        """The token got where it was wanted."""
        self.states.pop(key, None)

    def forget(self, partition: int) -> None:
        """The partition is not ours any more."""
        for key in [k for k in self.states if k[0] == partition]:
            del self.states[key]

    def held_s(self, partition: int, now: float) -> float:
        """Seconds for which the longest present hold has stopped the partition."""
        return max((now - s.since for (p, _), s in self.states.items() if p == partition and not s.again), default=0.0)
