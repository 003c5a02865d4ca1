"""Telling a poisonous record from a broken handler: a broken sink must not empty the topic into the dead letters. Pure."""

from collections import Counter, deque
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Final

WINDOW_S: Final = 60.0
LIMIT: Final = 0.01
"""Share of a minute's records that may fail for unknown reasons."""
GRACE: Final = 10
"""Failures that are always given up as dead letters before the share is looked at: small numbers say little."""
ONE_TOKEN: Final = 0.9
"""Share of the failures from which on they count as one token's: a stray failure of another must not turn a sick token into a broken handler."""


class Cause(StrEnum):
    """What to do with one more failed record."""

    RECORD = "record"
    """The record is at fault: dead letter."""
    TOKEN = "token"
    """One token's records fail: it is wanted in quarantine."""
    HANDLER = "handler"
    """Several tokens' records fail: the lane pauses and pages."""


@dataclass(slots=True)
class Breaker:
    """Failures and records of the last minute in this worker."""

    _handled: deque[tuple[float, int]] = field(default_factory=deque)
    _failed: deque[tuple[float, str]] = field(default_factory=deque)

    def handled(self, count: int, now: float) -> None:
        """`count` records were settled."""
        self._handled.append((now, count))
        # here as well: without a failure nobody else forgets them
        self._forget(now)

    def failed(self, token: str, now: float) -> Cause:
        """One record of the token has failed three times: whose fault is it? Notes it."""
        self._failed.append((now, token))
        self._forget(now)
        failed = len(self._failed)
        if failed <= GRACE or failed <= LIMIT * (failed + sum(n for _, n in self._handled)):
            return Cause.RECORD
        most, count = Counter(t for _, t in self._failed).most_common(1)[0]
        if count < ONE_TOKEN * failed:
            return Cause.HANDLER
        return Cause.TOKEN if most == token else Cause.RECORD

    def _forget(self, now: float) -> None:
        while self._handled and self._handled[0][0] < now - WINDOW_S:
            self._handled.popleft()
        while self._failed and self._failed[0][0] < now - WINDOW_S:
            self._failed.popleft()
