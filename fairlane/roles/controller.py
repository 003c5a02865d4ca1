"""The controller role: the isolator's controller, the booking of SLIs and the evaluation of SLOs, together in one process.

Kafka alone carries the decision. The database is opened beside it: while it is away, tokens are moved and restored all the same.
"""

import logging
import threading
from collections.abc import Callable, Sequence
from typing import Final

from prometheus_client import CollectorRegistry
from sqlalchemy import Engine

from fairlane.booking import BookingConsumer
from fairlane.database import open_database
from fairlane.roles.together import Together
from fairlane.scheduler import Scheduler
from fairlane.settings import Settings
from isolator.controller import Controller
from isolator.projection import SqlProjection
from isolator.verdict import Verdict
from slo.clock import Clock
from slo.errors import Unreachable

RETRY_S: Final = 5.0
log = logging.getLogger(__name__)


class LateProjection:
    """A projection whose database may come later: until then verdicts are counted as dropped here (they stay in Kafka)."""

    def __init__(self) -> None:
        self._inner: SqlProjection | None = None
        self._early = 0

    @property
    def dropped(self) -> int:
        """Verdicts that never reached the database."""
        return self._early + (self._inner.dropped if self._inner else 0)

    def open(self, engine: Engine) -> None:
        """The database is there."""
        self._inner = SqlProjection(engine)

    def write(self, verdicts: Sequence[Verdict]) -> None:
        """Queue them, or count them when there is no database yet."""
        if self._inner is None:
            self._early += len(verdicts)
        else:
            self._inner.write(verdicts)

    def close(self) -> None:
        """Write what waits."""
        if self._inner is not None:
            self._inner.close()


class History:
    """What needs the database: booking and evaluation. Opens it when it can be had, and runs from then on."""

    def __init__(
        self,
        settings: Settings,
        clock: Clock,
        registry: CollectorRegistry,
        projection: LateProjection,
        open_: Callable[[str], Engine] = open_database,
    ) -> None:
        self._settings = settings
        self._clock = clock
        self._registry = registry
        self._projection = projection
        self._open = open_
        self._parts: tuple[BookingConsumer, Scheduler] | None = None

    def run(self, stop: threading.Event) -> int:
        """Wait for the database, then book and evaluate until `stop`. Raises ConfigError or StateDirectoryError for one that can never be had."""
        engine = self._wait(stop)
        if engine is None:
            return 0
        try:
            self._projection.open(engine)
            settings = self._settings
            booking = BookingConsumer(
                settings.kafka,
                settings.pipeline,
                engine,
                self._clock,
                self._registry,
                probe_interval_s=settings.probe.interval_s,
            )
            scheduler = Scheduler(
                engine,
                settings.pipeline,
                settings.controller.slo_s,
                self._clock,
                self._registry,
                kafka=settings.kafka,
            )
            self._parts = booking, scheduler
            both = Together({"booking": booking.run, "slo": scheduler.run}, self.ready, lambda: True)
            return both.run(stop)
        finally:
            engine.dispose()

    def ready(self) -> bool:
        """Are the SLIs booked and the SLOs evaluated?"""
        return self._parts is not None and all(part.ready() for part in self._parts)

    def _wait(self, stop: threading.Event) -> Engine | None:
        while not stop.is_set():
            try:
                return self._open(self._settings.database_url)
            except Unreachable as error:
                log.error("no history for now, trying again in %.0f s: %s", RETRY_S, error)  # noqa: TRY400 - the message says it all
                stop.wait(RETRY_S)
        return None


def build(settings: Settings, clock: Clock, registry: CollectorRegistry) -> Together:
    """All three. Live while it decides: a database that is away must not restart the decision; ready when history is kept too."""
    projection = LateProjection()
    decider = Controller(
        (settings.pipeline.name,),
        settings.kafka.client(),
        settings.policy_constants,
        clock,
        registry,
        projection,
        settings.policy.mode,
    )
    history = History(settings, clock, registry, projection)
    return Together(
        {"decide": decider.run, "history": history.run}, lambda: decider.ready() and history.ready(), decider.live
    )
