"""The jobs that run by the clock: evaluate the objectives, merge and forget what is old."""

import logging
import threading
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from typing import Any, Final

from apscheduler.events import EVENT_JOB_MAX_INSTANCES, EVENT_JOB_MISSED
from apscheduler.executors.pool import ThreadPoolExecutor
from apscheduler.schedulers.background import BackgroundScheduler
from apscheduler.triggers.cron import CronTrigger
from apscheduler.triggers.interval import IntervalTrigger
from prometheus_client import CollectorRegistry
from sqlalchemy import Engine

from fairlane.ledger import forget_minutes
from fairlane.quality import QualityWatch, forget_types
from fairlane.slis.prometheus import Prometheus
from fairlane.slis.reading import SETTLE_S, Reading
from ingestion.config import KafkaConfig, PipelineConfig
from ingestion.lanes.trim import trim
from isolator.projection import prune
from slo import metrics
from slo.calendar import UTC as UTC_ZONE
from slo.clock import Clock
from slo.days_roll import Roller
from slo.evaluation import Evaluation
from slo.export import Exporter
from slo.history import History
from slo.objective import Objective
from slo.presets import pipeline_objectives
from slo.round import Rounds
from slo.series import Series
from slo.store import SliceStore

TIDY_S: Final = 600
JUMP_S: Final = 3600.0
"""A wall clock that moves by so much against the steady one has jumped; it is believed when it has stood for as long."""
QUALITY_S: Final = 60.0
"""Seconds between judgements of data quality."""
READ_S: Final = 60.0
"""Seconds between reads of other people's metrics."""
READ_AT_S: Final = SETTLE_S + 5
"""Second of the minute of those reads: just when the last minute can be read, and well before it is due. Any other second would freeze objectives for a part of every minute."""
SOURCES: Final = "sources"
READ: Final = "read"
CAPACITY: Final = "capacity"
STOP_S: Final = 5.0
"""How long `stop` waits for a job that is running."""
TRIM_S: Final = 600.0
"""Seconds between trims of the side lanes, which keep everything until it is handled."""
TRANSITIONS_MS: Final = 400 * 86_400_000
UNDECLARED_MS: Final = 7 * 86_400_000
"""An objective that nobody has evaluated for so long is no longer shown."""

_log = logging.getLogger(__name__)


class Scheduler:
    """Runs the jobs of a pipeline's objectives on its database. A job that fails is counted and logged, and runs again at its next time."""

    def __init__(
        self,
        engine: Engine,
        pipeline: PipelineConfig,
        every_s: float,
        clock: Clock,
        registry: CollectorRegistry,
        *,
        objectives: Sequence[Objective] | None = None,
        kafka: KafkaConfig | None = None,
        verdict_days: int = 400,
        zone: str = UTC_ZONE,
        told: Callable[[Sequence[Evaluation]], None] = lambda _: None,
        capacity: tuple[Callable[[], Any], float] | None = None,
    ) -> None:
        """Evaluates `objectives` (the pipeline's own when None) each `every_s`; trims the side lanes when `kafka` is given; forgets verdicts after `verdict_days`; `told` hears of each round; `capacity` is that job and its seconds."""
        own = pipeline_objectives(pipeline.name, pipeline.slo_s)
        self._objectives = own if objectives is None else tuple(objectives)
        self._engine = engine
        self._pipeline = pipeline
        self._kafka = kafka
        self._told = told
        self._capacity = capacity
        self._every_s = every_s
        self._verdicts_ms = verdict_days * 86_400_000
        self._clock = clock
        self._offset, self._jumped = clock.now() - clock.monotonic(), float("-inf")
        self._store = SliceStore(engine)
        self._days = Roller(engine, {o.name: o.target for o in self._objectives}, zone)
        self._history = History(engine)
        self._rounds = Rounds(engine, self._objectives, clock)
        self._reading = Reading(engine, self._objectives, Prometheus(), clock, registry)
        self._quality = QualityWatch(engine, pipeline.name, clock, registry)
        self._series = Series(engine)
        self._exporter = Exporter(registry, self._objectives)
        self._duration = metrics.JOB_DURATION.histogram(registry)
        self._errors = metrics.JOB_ERRORS.counter(registry)
        self._missed = metrics.JOB_MISSED.counter(registry)
        self._running = threading.Lock()
        self._evaluated: float | None = None
        self._scheduler = BackgroundScheduler(
            timezone=UTC,
            # a source that does not answer must not hold up an evaluation, nor the reads of objectives those of limits
            executors={"default": ThreadPoolExecutor(1), SOURCES: ThreadPoolExecutor(2)},
            # A job that comes late runs once, however often it was missed; a very late one waits for its next time.
            job_defaults={"coalesce": True, "max_instances": 1, "misfire_grace_time": max(int(every_s), 1)},
        )
        self._scheduler.add_listener(self._miss, EVENT_JOB_MISSED | EVENT_JOB_MAX_INSTANCES)

    def start(self) -> None:
        """Begin; the first evaluation runs at once."""
        jobs: list[tuple[str, Callable[[], Any], float]] = [
            ("evaluate", self.evaluate, self._every_s),
            ("tidy", self.tidy, TIDY_S),
            ("quality", self._quality.go, QUALITY_S),
        ]
        if self._kafka is not None:
            jobs.append(("trim", self.trim, TRIM_S))
        for name, job, every in jobs:
            for label in (self._errors, self._missed):
                label.labels(name)
            self._scheduler.add_job(
                self._guarded, "interval", args=(name, job), id=name, seconds=every, next_run_time=datetime.now(UTC)
            )
        if self._reading.objectives:
            self._beside(READ, self._reading.go, READ_S, READ_AT_S)
        if self._capacity is not None:
            self._beside(CAPACITY, *self._capacity)
        self._scheduler.start()

    def _beside(self, name: str, job: Callable[[], Any], every_s: float, second: int | None = None) -> None:
        """A job that waits for others runs where it holds up no evaluation: at once, then each `every_s`, or at that second of each minute."""
        each = IntervalTrigger(seconds=every_s, timezone=UTC)
        when = each if second is None else CronTrigger(second=second, timezone=UTC)
        for label in (self._errors, self._missed):
            label.labels(name)
        self._scheduler.add_job(
            self._counted,
            when,
            args=(name, job),
            id=name,
            executor=SOURCES,
            misfire_grace_time=max(int(every_s), 1),
            next_run_time=datetime.now(UTC),
        )

    def stop(self) -> bool:
        """Start nothing more and wait up to STOP_S for what runs; returns whether it ended."""
        if self._scheduler.running:
            self._scheduler.shutdown(wait=False)
        ended = self._running.acquire(timeout=STOP_S)
        if ended:
            self._running.release()
        return ended

    def run(self, stop: threading.Event) -> int:
        """Start, wait for `stop`, stop; returns 0, or 1 when a job did not end in time."""
        self.start()
        stop.wait()
        return 0 if self.stop() else 1

    def live(self) -> bool:
        """Have the objectives been evaluated within the last four rounds (at least a minute)?"""
        return self._evaluated is None or self._clock.monotonic() - self._evaluated < max(4 * self._every_s, 60)

    def ready(self) -> bool:
        """Has there been an evaluation?"""
        return self._evaluated is not None

    def evaluate(self) -> Sequence[Evaluation]:
        """One round: evaluate, keep, publish. Raises sqlalchemy.exc.SQLAlchemyError."""
        found = self._rounds.go()
        self._exporter.publish(found, self._store.totals())
        self._evaluated = self._clock.monotonic()
        self._told(found)
        return found

    def tidy(self) -> int:
        """Add up the days that are over; merge slices that have become too old for their resolution, drop what is past its time; returns how many rows went."""
        now = self._clock.now()
        if self._in_doubt(now):
            return 0
        now_ms = int(now * 1000)
        self._days.roll(now)
        gone = forget_minutes(self._engine, now) + forget_types(self._engine, now) + self._days.forget(now)
        if not self._days.pending:
            # a day is added up before its minutes are merged and forgotten
            gone += self._store.compact(now)
        gone += prune(self._engine, now_ms - self._verdicts_ms)
        return (
            gone + self._series.forget(now_ms) + self._history.forget(now_ms - TRANSITIONS_MS, now_ms - UNDECLARED_MS)
        )

    def _in_doubt(self, now: float) -> bool:
        """Has the wall clock jumped lately? What is forgotten by a wrong clock is gone for good, and what is kept by one goes an hour later."""
        offset, told = now - self._clock.monotonic(), self._clock.monotonic()
        if abs(offset - self._offset) > JUMP_S:
            _log.warning(
                "the clock has jumped by %.0f s: nothing is forgotten for the next hour, in case it jumps back",
                offset - self._offset,
            )
            self._offset, self._jumped = offset, told
        return told - self._jumped < JUMP_S

    def trim(self) -> int:
        """Delete what the side lanes have handled, but for their newest records; returns how many offsets went. Raises BrokerUnreachable."""
        return trim(self._kafka, self._pipeline) if self._kafka is not None else 0

    def _guarded(self, name: str, job: Callable[[], Any]) -> None:
        with self._running:
            self._counted(name, job)

    def _counted(self, name: str, job: Callable[[], Any]) -> None:
        with self._duration.labels(name).time():
            try:
                job()
            except Exception:
                self._errors.labels(name).inc()
                _log.exception("the job %s failed; it runs again at its next time", name)

    def _miss(self, event: Any) -> None:
        self._missed.labels(event.job_id).inc()
