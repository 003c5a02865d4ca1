"""The jobs that run by the clock: evaluate the objectives, merge and forget what is old."""

import logging
import threading
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from typing import Any, Final

from apscheduler.events import EVENT_JOB_MAX_INSTANCES, EVENT_JOB_MISSED
from apscheduler.executors.pool import ThreadPoolExecutor
from apscheduler.schedulers.background import BackgroundScheduler
from prometheus_client import CollectorRegistry
from sqlalchemy import Engine

from fairlane.ledger import forget_minutes
from ingestion.config import KafkaConfig, PipelineConfig
from ingestion.lanes.trim import trim
from slo import metrics
from slo.clock import Clock
from slo.evaluate import evaluate
from slo.evaluation import Evaluation
from slo.export import Exporter
from slo.history import History
from slo.objective import Objective
from slo.presets import pipeline_objectives
from slo.series import Series
from slo.store import SliceStore

TIDY_S: Final = 600
STOP_S: Final = 5.0
"""How long `stop` waits for a job that is running."""
TRIM_S: Final = 600.0
"""Seconds between trims of the side lanes, which keep everything until it is handled."""
TRANSITIONS_MS: Final = 400 * 86_400_000

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
    ) -> None:
        """Evaluates `objectives` (the pipeline's own when None) each `every_s`; trims the side lanes when `kafka` is given."""
        own = pipeline_objectives(pipeline.name, pipeline.slo_s)
        self._objectives = own if objectives is None else tuple(objectives)
        self._engine = engine
        self._pipeline = pipeline
        self._kafka = kafka
        self._every_s = every_s
        self._clock = clock
        self._store = SliceStore(engine)
        self._history = History(engine)
        self._series = Series(engine)
        self._exporter = Exporter(registry, self._objectives)
        self._duration = metrics.JOB_DURATION.histogram(registry)
        self._errors = metrics.JOB_ERRORS.counter(registry)
        self._missed = metrics.JOB_MISSED.counter(registry)
        self._running = threading.Lock()
        self._evaluated: float | None = None
        self._scheduler = BackgroundScheduler(
            timezone=UTC,
            executors={"default": ThreadPoolExecutor(1)},
            # A job that comes late runs once, however often it was missed; a very late one waits for its next time.
            job_defaults={"coalesce": True, "max_instances": 1, "misfire_grace_time": max(int(every_s), 1)},
        )
        self._scheduler.add_listener(self._miss, EVENT_JOB_MISSED | EVENT_JOB_MAX_INSTANCES)

    def start(self) -> None:
        """Begin; the first evaluation runs at once."""
        jobs: list[tuple[str, Callable[[], Any], float]] = [
            ("evaluate", self.evaluate, self._every_s),
            ("tidy", self.tidy, TIDY_S),
        ]
        if self._kafka is not None:
            jobs.append(("trim", self.trim, TRIM_S))
        for name, job, every in jobs:
            for label in (self._errors, self._missed):
                label.labels(name)
            self._scheduler.add_job(
                self._guarded, "interval", args=(name, job), id=name, seconds=every, next_run_time=datetime.now(UTC)
            )
        self._scheduler.start()

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

    def evaluate(self) -> list[Evaluation]:
        """One round: evaluate, keep, publish. Raises sqlalchemy.exc.SQLAlchemyError."""
        found = evaluate(self._objectives, self._store, self._clock.now(), self._history.newest())
        self._history.save(found)
        self._exporter.publish(found, self._store.totals())
        self._evaluated = self._clock.monotonic()
        return found

    def tidy(self) -> int:
        """Merge slices that have become too old for their resolution, drop what is past its time; returns how many rows went."""
        now = self._clock.now()
        now_ms = int(now * 1000)
        gone = self._store.compact(now) + forget_minutes(self._engine, now)
        return gone + self._series.forget(now_ms) + self._history.forget(now_ms - TRANSITIONS_MS)

    def trim(self) -> int:
        """Delete what the side lanes have handled, but for their newest records; returns how many offsets went. Raises BrokerUnreachable."""
        return trim(self._kafka, self._pipeline) if self._kafka is not None else 0

    def _guarded(self, name: str, job: Callable[[], Any]) -> None:
        with self._running, self._duration.labels(name).time():
            try:
                job()
            except Exception:
                self._errors.labels(name).inc()
                _log.exception("the job %s failed; it runs again at its next time", name)

    def _miss(self, event: Any) -> None:
        self._missed.labels(event.job_id).inc()
