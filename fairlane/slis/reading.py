"""The job that books what a Prometheus tells: the last minutes each time, so that what came late revises them."""

import logging
from collections.abc import Iterable, Sequence
from typing import Final, Protocol

from prometheus_client import CollectorRegistry
from sqlalchemy import Engine

from fairlane.slis.prometheus import Answer, Ask
from slo import metrics
from slo.clock import Clock
from slo.objective import Objective
from slo.slices import SLICE_S
from slo.source import Ratio, Raw
from slo.store import Booking, SliceStore

SETTLE_S: Final = 30
"""A minute is read this long after its end: scrapes come late."""
AGAIN_S: Final = 600
"""Seconds that are read again each time."""
CATCH_UP_S: Final = 6 * 3600
"""Seconds that are read after a pause, or of a new objective."""
ROUND_S: Final = 20.0
"""Seconds of a round: begun 35 s after a minute's end, all of it is booked before that minute is due; what has not answered then is asked again in the next."""

_log = logging.getLogger(__name__)


class Reader(Protocol):
    """Reads minutes of many objectives."""

    def read_all(self, asks: Sequence[Ask], within_s: float, /) -> Iterable[Answer]:
        """One answer to each, as they come, all within `within_s` seconds."""
        ...


class Reading:
    """Books the minutes of every objective that has a query. One thread uses it."""

    def __init__(
        self, engine: Engine, objectives: Sequence[Objective], reader: Reader, clock: Clock, registry: CollectorRegistry
    ) -> None:
        self._store = SliceStore(engine, clock)
        self.objectives = tuple(o for o in objectives if isinstance(o.source, Ratio | Raw))
        self._reader = reader
        self._clock = clock
        self._read: dict[str, int] = {}
        self._failed: set[str] = set()
        self._noted: dict[str, str] = {}
        self._errors = metrics.SOURCE_ERRORS.counter(registry)
        for o in self.objectives:
            self._errors.labels(o.name)

    def go(self) -> int:
        """Read and book all, each as it comes; returns how many slices changed. A source that fails is counted and logged, the others go on.

        What was not answered is asked again the next time from where it was last answered, so nothing is left out; minutes are set, so none counts twice.
        Raises SQLAlchemyError.
        """
        end = int(self._clock.now() - SETTLE_S) // SLICE_S * SLICE_S
        changed = 0
        for answer in self._reader.read_all(self._asks(end), ROUND_S):
            name = answer.ask.objective.name
            if answer.problem:
                self._fail(answer)
                continue
            born = min(answer.minutes, default=end)
            changed += len(self._store.book([Booking(name, at, part, born) for at, part in answer.minutes.items()]))
            self._read[name] = end
            self._failed.discard(name)
            self._tell(name, answer.note)
        return changed

    def _asks(self, end: int) -> list[Ask]:
        """Those that waited longest first, so that a slow source gets round to all; those that failed of themselves last, so that they hold up no others."""
        asks = [Ask(o, self._begin(o, end), end) for o in self.objectives]
        due = [one for one in asks if one.begin < one.end]
        return sorted(due, key=lambda one: (one.objective.name in self._failed, self._read.get(one.objective.name, 0)))

    def _begin(self, o: Objective, end: int) -> int:
        last = self._read.get(o.name)
        # a clock that was put back has read ahead of itself: begin anew instead of waiting until it is there again
        begin = end - CATCH_UP_S if last is None or last > end else max(last - AGAIN_S, end - CATCH_UP_S)
        step = o.timeslices.slice_s if o.timeslices is not None else SLICE_S
        return begin // step * step

    def _fail(self, answer: Answer) -> None:
        name = answer.ask.objective.name
        self._errors.labels(name).inc()
        if answer.asked:
            self._failed.add(name)
            _log.warning("objective %s: %s; its minutes are read again", name, answer.problem)

    def _tell(self, name: str, note: str) -> None:
        if note and self._noted.get(name) != note:
            _log.warning("objective %s: %s", name, note)
        self._noted[name] = note
