"""The job that books what a Prometheus tells: the last minutes each time, so that what came late revises them."""

import logging
from collections.abc import Mapping, Sequence
from typing import Final, Protocol

import httpx
from prometheus_client import CollectorRegistry
from sqlalchemy import Engine

from slo import metrics
from slo.clock import Clock
from slo.errors import Unreachable
from slo.objective import Objective
from slo.slices import SLICE_S, Slice
from slo.source import Ratio, Raw
from slo.store import Booking, SliceStore

SETTLE_S: Final = 30
"""A minute is read this long after its end: scrapes come late."""
AGAIN_S: Final = 600
"""Seconds that are read again each time."""
CATCH_UP_S: Final = 6 * 3600
"""Seconds that are read after a pause, or of a new objective."""

_log = logging.getLogger(__name__)


class Reader(Protocol):
    """Reads an objective's minutes."""

    def read(self, objective: Objective, begin: int, end: int, /) -> Mapping[int, Slice]:
        """The minutes in [begin, end) that were seen. Raises Unreachable."""
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
        self._errors = metrics.SOURCE_ERRORS.counter(registry)
        for o in self.objectives:
            self._errors.labels(o.name)

    def go(self) -> int:
        """Read and book all; returns how many slices changed. A source that fails is counted and logged, the others go on. Raises SQLAlchemyError."""
        changed = 0
        end = int(self._clock.now() - SETTLE_S) // SLICE_S * SLICE_S
        away: set[str] = set()
        for o in self.objectives:
            url = o.source.url if isinstance(o.source, Ratio | Raw) else ""
            if url in away:
                # one wait is enough to know that nobody is there
                self._errors.labels(o.name).inc()
                continue
            last = self._read.get(o.name)
            # a clock that was put back has read ahead of itself: begin anew instead of waiting until it is there again
            begin = end - CATCH_UP_S if last is None or last > end else max(last - AGAIN_S, end - CATCH_UP_S)
            step = o.timeslices.slice_s if o.timeslices is not None else SLICE_S
            begin = begin // step * step
            if end <= begin:
                continue
            try:
                found = self._reader.read(o, begin, end)
            except Unreachable as error:
                self._errors.labels(o.name).inc()
                if isinstance(error.__cause__, httpx.TransportError):
                    away.add(url)
                _log.warning("objective %s: %s; its minutes are read again", o.name, error)
                continue
            born = min(found, default=end)
            changed += len(self._store.book([Booking(o.name, at, part, born) for at, part in found.items()]))
            self._read[o.name] = end
        return changed
