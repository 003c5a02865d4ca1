"""What a worker does about a failing handler, and about another worker in its slot. Touched by the Kafka thread and by handler threads."""

import logging
import threading
from collections.abc import Container, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from ingestion.contracts.names import Lane
from ingestion.contracts.records import Record
from ingestion.contracts.telemetry import Trouble as Report
from ingestion.contracts.telemetry import TroubleKind
from ingestion.lanes.breaker import WINDOW_S, Breaker, Cause
from slo.clock import Clock

log = logging.getLogger(__name__)

BANISHED_S: Final = 600.0
"""Without a route for the token, the worker's own wish ends after so long: what still fails then is found again."""
_FENCED_LIMIT: Final = 3
_FENCED_WINDOW_S: Final = 60.0
_PAUSE_S: Final = (2.0, 30.0)


@dataclass(frozen=True, slots=True)
class _Sick:
    """A token whose records alone fail. Times are monotonic seconds."""

    partition: int
    since: float
    last: float


class Trouble:
    """`banished`: tokens that this worker wants in quarantine, whatever their route says, because their records alone fail. Only in general: side lanes forward nothing."""

    def __init__(self, lane: Lane, clock: Clock) -> None:
        self.banished: dict[bytes, Lane] = {}
        self._lane = lane
        self._clock = clock
        self._breaker = Breaker()
        self._lock = threading.Lock()
        self._fenced: list[float] = []
        self._pause_s = 0.0
        self._resume_at = 0.0
        self._broken = False
        self._works = True
        self._new: set[str] = set()
        self._sick: dict[str, _Sick] = {}

    @property
    def paused(self) -> bool:
        """The lane's handler fails on several tokens' records; from time to time it is tried again."""
        return self._pause_s > 0

    def may_take(self) -> bool:
        """May a chunk be taken now?"""
        return self._clock.monotonic() >= self._resume_at

    def settled(self, done: int) -> None:
        """A chunk came back from the handler with `done` records done: the handler works again unless it was found broken once more."""
        with self._lock:
            self._breaker.handled(done, self._clock.monotonic())
            self._new.clear()
            broken, self._broken = self._broken, False
            if done and not broken and self.paused and self.may_take():
                log.warning("lane %s: the handler works again", self._lane)
                self._pause_s = 0.0

    def done(self, records: Sequence[Record]) -> None:
        """Handler thread: these records were done. Costs next to nothing while nothing fails."""
        if not records or (self._works and not self._breaker.failing):
            return
        with self._lock:
            now = self._clock.monotonic()
            self._works = self._works or now >= self._resume_at
            self._breaker.done((record.token for record in records), now)

    def give_up(self, record: Record) -> bool:
        """Handler thread: the record failed on every try. May it be dead-lettered? False: it comes again.

        That is so while the handler itself is at fault, or nobody can tell (the lane pauses, and gives nothing up until something was done again), and for the
        rest of the chunk in which a token of general is found sick: its records go to quarantine under the fence. Where that cannot be (F is full), and in
        the side lanes, they are dead letters.
        """
        with self._lock:
            now = self._clock.monotonic()
            cause = self._breaker.failed(record.token, now) if self._works else Cause.HANDLER
            if cause is Cause.HANDLER:
                self._pause(now)
                return False
            if cause is Cause.TOKEN:
                self._note(record, now)
            return record.token not in self._new

    def obey(self, wanted: Mapping[bytes, Lane]) -> Mapping[bytes, Lane]:
        """The lanes wanted for tokens: the routes', and quarantine for the sick ones until the controller has written a route for them (`wanted` names them)."""
        if not self.banished:
            return wanted
        with self._lock:
            now = self._clock.monotonic()
            self.banished = {
                token: lane
                for token, lane in self.banished.items()
                if token not in wanted and now - self._sick[token.decode()].since < BANISHED_S
            }
            self._forget(now, {token.decode() for token in self.banished})
            return {**wanted, **self.banished}

    def reports(self) -> tuple[Report, ...]:
        """The sick tokens, for telemetry."""
        with self._lock:
            self._forget(self._clock.monotonic(), {token.decode() for token in self.banished})
            return tuple(Report(t, sick.partition, TroubleKind.FAILING) for t, sick in sorted(self._sick.items()))

    def fenced(self) -> bool:
        """Another producer took our transactional.id; True when that happened so often that it must be a second worker."""
        now = self._clock.monotonic()
        self._fenced = [t for t in self._fenced if now - t < _FENCED_WINDOW_S] + [now]
        return len(self._fenced) >= _FENCED_LIMIT

    def _pause(self, now: float) -> None:
        self._broken = True
        self._works = False
        if now < self._resume_at:
            return
        low, high = _PAUSE_S
        self._pause_s = min(high, max(low, self._pause_s * 2))
        self._resume_at = now + self._pause_s
        log.error(
            "the handler of lane %s fails on over 1 %% of a minute's records, and not on one token's alone: the lane pauses for %.0f s",
            self._lane,
            self._pause_s,
        )

    def _note(self, record: Record, now: float) -> None:
        token = record.token.encode()
        known = self._sick.get(record.token)
        anew = self._lane is Lane.GENERAL and token not in self.banished
        self._sick[record.token] = _Sick(record.partition, now if known is None or anew else known.since, now)
        if anew:
            log.warning("the handler fails on token %s again and again: it is wanted in quarantine", record.token)
            self.banished = {**self.banished, token: Lane.QUARANTINE}
            if known is None:  # else it was sick before and came here all the same: it cannot be moved
                self._new.add(record.token)

    def _forget(self, now: float, kept: Container[str]) -> None:
        for token, sick in list(self._sick.items()):
            if token not in kept and now - sick.last > WINDOW_S:
                del self._sick[token]
