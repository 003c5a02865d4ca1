"""Telling a poisonous record from a sick token from a broken handler: a broken sink must not empty the topic into the dead letters. Pure.

A token may be blamed only on evidence that the handler works: others' records that were done while its records failed, or most of its own. Where a token is
the only one in its lane and nothing is done, nobody can tell it from a broken sink.
"""

from collections import Counter, deque
from collections.abc import Iterable
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Final

WINDOW_S: Final = 60.0
LIMIT: Final = 0.01
"""Share of a minute's records that may fail for unknown reasons."""
GRACE: Final = 10
"""Failures that are always given up as dead letters before the share is looked at: small numbers say little."""
ONE_TOKEN: Final = 0.9
"""Share of the failures from which on they count as one token's."""
STRAY: Final = 1
"""Failures of others that do not make a sick token a broken handler, however few records others have."""
PROOF: Final = 5
"""Records of others that, done since the first failure, prove that the handler works."""


class Cause(StrEnum):
    """What to do with one more failed record."""

    RECORD = "record"
    """The record is at fault: dead letter."""
    TOKEN = "token"
    """One token's records fail: it is wanted in quarantine."""
    HANDLER = "handler"
    """Several tokens' records fail, or nobody can tell: the lane pauses and pages."""


@dataclass(slots=True)
class Breaker:
    """Failures and records of the last minute in this worker."""

    _handled: deque[tuple[float, int]] = field(default_factory=deque)
    _failed: deque[tuple[float, str]] = field(default_factory=deque)
    _done: deque[tuple[float, Counter[str]]] = field(default_factory=deque)

    @property
    def failing(self) -> bool:
        """Has anything failed lately? Only then does `done` want to know."""
        return bool(self._failed)

    def handled(self, count: int, now: float) -> None:
        """`count` records were settled."""
        self._handled.append((now, count))
        # here as well: without a failure nobody else forgets them
        self._forget(now)

    def done(self, tokens: Iterable[str], now: float) -> None:
        """Records of these tokens were done just now."""
        if self._failed:
            self._done.append((now, Counter(tokens)))

    def failed(self, token: str, now: float) -> Cause:
        """One record of the token has failed three times: whose fault is it? Notes it."""
        self._failed.append((now, token))
        self._forget(now)
        failed = len(self._failed)
        if failed <= GRACE or failed <= LIMIT * (failed + sum(n for _, n in self._handled)):
            return Cause.RECORD
        most, count = Counter(t for _, t in self._failed).most_common(1)[0]
        if not self._to_blame(most, count):
            return Cause.HANDLER
        return Cause.TOKEN if most == token else Cause.RECORD

    def _to_blame(self, token: str, count: int) -> bool:
        """Do `count` failures speak against this token, and not against the handler?"""
        done: Counter[str] = Counter()
        for _, some in self._done:
            done.update(some)
        failed, others_done = len(self._failed), done.total() - done[token]
        others_failed = failed - count
        if count < ONE_TOKEN * failed or others_failed > max(STRAY, LIMIT * (others_failed + others_done)):
            return False
        return others_done >= PROOF or done[token] >= count

    def _forget(self, now: float) -> None:
        since = now - WINDOW_S
        while self._handled and self._handled[0][0] < since:
            self._handled.popleft()
        while self._failed and self._failed[0][0] < since:
            self._failed.popleft()
        # what was done before the first failure says nothing of a sink that broke at that moment
        since = self._failed[0][0] if self._failed else now
        while self._done and self._done[0][0] < since:
            self._done.popleft()
