"""Sets the probe's metrics from what was measured."""

import math
import time
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager

from prometheus_client import CollectorRegistry

from ingestion.contracts.names import Lane
from ingestion.contracts.telemetry import LanePartition
from ingestion.probe import metrics
from ingestion.probe.age import AgeKind


class Gauges:
    """One pipeline's series."""

    def __init__(self, pipeline: str, registry: CollectorRegistry) -> None:
        self._pipeline = pipeline
        self._lag = metrics.LAG.gauge(registry)
        self._age = metrics.OLDEST_AGE.gauge(registry)
        self._committed = metrics.COMMITTED.gauge(registry)
        self._end = metrics.END.gauge(registry)
        self._ahead = metrics.LOG_START_AHEAD.gauge(registry)
        self._unknown = metrics.AGE_UNKNOWN.gauge(registry)
        self._freshness = metrics.CANARY_FRESHNESS.gauge(registry)
        self._sent = metrics.CANARIES_SENT.counter(registry).labels(pipeline)
        self._failed = metrics.CANARIES_FAILED.counter(registry).labels(pipeline)
        self._rounds = metrics.ROUNDS.counter(registry)
        self._seconds = metrics.ROUND_SECONDS.histogram(registry).labels(pipeline)
        self._last = metrics.LAST_ROUND.gauge(registry).labels(pipeline)
        self._told = (0, 0)
        self._places: list[tuple[Lane, int]] = []

    @contextmanager
    def timed(self) -> Iterator[None]:
        """Observe how long a round takes."""
        started = time.perf_counter()
        yield
        self._seconds.observe(time.perf_counter() - started)

    def lanes(self, rows: Sequence[LanePartition], now: float) -> None:
        """A round was measured."""
        unknown: Counter[Lane] = Counter()
        for row in rows:
            labels = (self._pipeline, row.lane, str(row.partition))
            is_unknown = row.age_kind == AgeKind.UNKNOWN
            unknown[row.lane] += is_unknown
            self._lag.labels(*labels).set(row.lag)
            self._age.labels(*labels).set(math.nan if is_unknown else row.oldest_age_s)
            self._committed.labels(*labels).set(row.committed)
            self._end.labels(*labels).set(row.end)
            self._ahead.labels(*labels).set(max(row.log_start - row.committed, 0) if row.committed >= 0 else 0)
        for lane in Lane:
            self._unknown.labels(self._pipeline, lane).set(unknown[lane])
        self._places = [(row.lane, row.partition) for row in rows]
        self._rounds.labels(self._pipeline, "ok").inc()
        self._last.set(now)

    def failed(self) -> None:
        """A round could not be measured: ages are unknown until the next one."""
        self._rounds.labels(self._pipeline, "failed").inc()
        for lane, partition in self._places:
            self._age.labels(self._pipeline, lane, str(partition)).set(math.nan)

    def canaries(self, freshness: Mapping[int, float], confirmed: int, failed: int) -> None:
        """Each partition's canary freshness (s), and how many canaries were confirmed and failed since the start."""
        for partition, seconds in freshness.items():
            self._freshness.labels(self._pipeline, str(partition)).set(seconds)
        self._sent.inc(confirmed - self._told[0])
        self._failed.inc(failed - self._told[1])
        self._told = (confirmed, failed)
