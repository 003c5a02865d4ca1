"""The controller role: the isolator's controller, the booking of SLIs and the evaluation of SLOs, together in one process.

Kafka alone carries the decision. The database is opened beside it: while it is away, tokens are moved and restored all the same.
"""

import logging
import threading
from collections.abc import Callable, Sequence
from contextlib import ExitStack, closing
from functools import partial
from typing import Final

from prometheus_client import CollectorRegistry
from sqlalchemy import Engine

from fairlane.booking import BookingConsumer
from fairlane.capacity.reading import Meters
from fairlane.capacity.watch import Watch
from fairlane.capacity.watched import watched
from fairlane.database import open_database
from fairlane.objectives import objectives_of
from fairlane.pager.pager import Pager
from fairlane.pager.targets import targets
from fairlane.roles.together import Together
from fairlane.scheduler import Scheduler
from fairlane.settings import Settings
from fairlane.traces import TraceRecorder
from ingestion.lanes.collector import held_back
from isolator.controller import Controller
from isolator.projection import SqlProjection
from isolator.verdict import Verdict
from slo.clock import Clock
from slo.errors import Unreachable

RETRY_S: Final = 5.0
WAITING: Final = 10_000
"""Verdicts that wait for a database that was never there yet."""
log = logging.getLogger(__name__)


class LateProjection:
    """A projection whose database may come later: until then verdicts wait here, the newest of each id; what is too much is dropped (it stays in Kafka)."""

    def __init__(self) -> None:
        self._inner: SqlProjection | None = None
        self._waiting: dict[str, Verdict] = {}
        self._early = 0
        self._lock = threading.Lock()

    @property
    def dropped(self) -> int:
        """Verdicts that never reached the database."""
        return self._early + (self._inner.dropped if self._inner else 0)

    def open(self, engine: Engine) -> None:
        """The database is there."""
        with self._lock:
            self._inner = SqlProjection(engine)
            self._inner.write(tuple(self._waiting.values()))
            self._waiting.clear()

    def write(self, verdicts: Sequence[Verdict]) -> None:
        """Queue them, or keep them when there is no database yet."""
        with self._lock:
            if self._inner is not None:
                self._inner.write(verdicts)
                return
            for verdict in verdicts:
                if verdict.id in self._waiting or len(self._waiting) < WAITING:
                    self._waiting[verdict.id] = verdict
                else:
                    self._early += 1

    def close(self) -> None:
        """Write what waits."""
        with self._lock:
            self._early += len(self._waiting)
            self._waiting.clear()
            inner = self._inner
        if inner is not None:
            inner.close()


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
        with ExitStack() as held:
            held.callback(engine.dispose)
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
            pager = self._pager(engine)
            meter = held.enter_context(closing(Meters(engine, settings.pipeline.name, settings.state_dir)))
            watch = Watch(engine, watched(settings), meter, self._clock, self._registry)
            scheduler = Scheduler(
                engine,
                settings.pipeline,
                settings.controller.slo_s,
                self._clock,
                self._registry,
                objectives=objectives_of(settings),
                kafka=settings.kafka,
                verdict_days=settings.database.verdict_days,
                zone=settings.slo.zone,
                told=pager.hear if pager is not None else lambda _: None,
                capacity=(watch.go, settings.capacity.every_s),
            )
            self._parts = booking, scheduler
            traces = TraceRecorder(settings.kafka.client(), settings.pipeline.name, engine)
            parts = {"booking": booking.run, "slo": scheduler.run, "traces": traces.run}
            if pager is not None:
                parts["pager"] = pager.run
            both = Together(parts, self.ready, lambda: True)
            return both.run(stop)

    def ready(self) -> bool:
        """Are the SLIs booked and the SLOs evaluated?"""
        return self._parts is not None and all(part.ready() for part in self._parts)

    def _pager(self, engine: Engine) -> Pager | None:
        """The built-in pager, where there is no Prometheus."""
        settings = self._settings
        if settings.pager.mode != "builtin":
            return None
        return Pager(settings.pager, engine, self._clock, self._registry, partial(targets, settings))

    def _wait(self, stop: threading.Event) -> Engine | None:
        while not stop.is_set():
            try:
                return self._open(self._settings.database_url)
            except Unreachable as error:
                log.error("no history for now, trying again in %.0f s: %s", RETRY_S, error)  # noqa: TRY400 - the message says it all
                stop.wait(RETRY_S)
        return None


def decide(controller: Controller, stop: threading.Event) -> int:
    """Run it with Python's collector held back: decoding makes hundreds of thousands of short-lived lists a second, and walking them doubles its time."""
    with held_back():
        return controller.run(stop)


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
        {"decide": lambda stop: decide(decider, stop), "history": history.run},
        lambda: decider.ready() and history.ready(),
        decider.live,
    )
