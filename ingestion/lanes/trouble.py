"""What a worker does about a failing handler, and about another worker in its slot. Touched by the Kafka thread and by handler threads."""

import logging
import threading
from typing import Final

from ingestion.contracts.names import Lane
from ingestion.contracts.records import Record
from ingestion.lanes.breaker import Breaker, Cause
from slo.clock import Clock

log = logging.getLogger(__name__)

_FENCED_LIMIT: Final = 3
_FENCED_WINDOW_S: Final = 60.0
_PAUSE_S: Final = (2.0, 30.0)


class Trouble:
    """`banished`: tokens that this worker wants in quarantine, whatever their route says, because their records alone fail."""

    def __init__(self, lane: Lane, clock: Clock) -> None:
        self.banished: dict[bytes, Lane] = {}
        self._lane = lane
        self._clock = clock
        self._breaker = Breaker()
        self._lock = threading.Lock()
        self._fenced: list[float] = []
        self._pause_s = 0.0
        self._resume_at = 0.0

    @property
    def paused(self) -> bool:
        """The lane's handler fails on several tokens' records; from time to time it is tried again."""
        return self._pause_s > 0

    def may_take(self) -> bool:
        """May a chunk be taken now?"""
        return self._clock.monotonic() >= self._resume_at

    def settled(self, records: int, *, clean: bool) -> None:
        """A chunk of `records` came back from the handler; `clean`: nothing raised."""
        with self._lock:
            self._breaker.handled(records, self._clock.monotonic())
            if clean and records and self.paused and self.may_take():
                log.warning("lane %s: the handler works again", self._lane)
                self._pause_s = 0.0

    def give_up(self, record: Record) -> bool:
        """Handler thread: the record failed on every try. May it be dead-lettered? False: the handler is at fault, the lane pauses."""
        with self._lock:
            now = self._clock.monotonic()
            cause = self._breaker.failed(record.token, now)
            if cause is Cause.HANDLER:
                if now >= self._resume_at:
                    low, high = _PAUSE_S
                    self._pause_s = min(high, max(low, self._pause_s * 2))
                    self._resume_at = now + self._pause_s
                    log.error(
                        "the handler of lane %s fails on over 1 %% of a minute's records, of several tokens: the lane pauses for %.0f s",
                        self._lane,
                        self._pause_s,
                    )
                return False
            if cause is Cause.TOKEN and self._lane is Lane.GENERAL and record.token.encode() not in self.banished:
                log.warning("the handler fails on token %s again and again: it is wanted in quarantine", record.token)
                self.banished = {**self.banished, record.token.encode(): Lane.QUARANTINE}
            return True

    def fenced(self) -> bool:
        """Another producer took our transactional.id; True when that happened so often that it must be a second worker."""
        now = self._clock.monotonic()
        self._fenced = [t for t in self._fenced if now - t < _FENCED_WINDOW_S] + [now]
        return len(self._fenced) >= _FENCED_LIMIT
