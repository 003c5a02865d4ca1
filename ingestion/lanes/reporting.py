"""The worker's own account to the outside: a WorkerReport each second, and the gauges."""

import logging
from collections.abc import Callable, Iterable
from typing import Final

from confluent_kafka import KafkaException, Producer
from prometheus_client import CollectorRegistry

from ingestion.config import PipelineConfig, WorkerConfig
from ingestion.contracts.names import TELEMETRY_TOPIC, Lane
from ingestion.contracts.telemetry import PartitionLoad, Trouble, WorkerReport, encode
from ingestion.lanes import metrics
from ingestion.lanes.account import Account, Usage, rows
from ingestion.lanes.hold import Holds
from ingestion.lanes.owned import Owned
from slo.clock import Clock

log = logging.getLogger(__name__)

INTERVAL_S: Final = 1.0
_MESSAGE_BYTES: Final = 950_000
_ROWS: Final = (8_000, 3_000, 500)
"""Rows of a report at most; fewer when long tokens make it too large to be sent."""


class Meters:
    """The catalogue, registered and labelled for one worker."""

    def __init__(self, registry: CollectorRegistry, pipeline: str, lane: Lane) -> None:
        self.own = (pipeline, lane.value)
        own = self.own
        self.records = metrics.RECORDS.counter(registry)
        self.transactions = metrics.TRANSACTIONS.counter(registry)
        self.busy = metrics.BUSY.counter(registry).labels(*own)
        self.overhead = metrics.OVERHEAD.counter(registry).labels(*own)
        self.transaction_seconds = metrics.TRANSACTION_SECONDS.histogram(registry).labels(*own)
        self.chunk_records = metrics.CHUNK_RECORDS.histogram(registry).labels(*own)
        self.handler_errors = metrics.HANDLER_ERRORS.counter(registry).labels(*own)
        self.paused = metrics.PAUSED.gauge(registry).labels(*own)
        self.moves_refused = metrics.MOVES_REFUSED.gauge(registry).labels(*own)
        self.wildcard = metrics.WILDCARD.gauge(registry).labels(*own)
        self.lost = metrics.LOST.counter(registry).labels(*own)
        self.hung = metrics.HUNG.counter(registry).labels(*own)
        self.kafka_errors = metrics.KAFKA_ERRORS.counter(registry).labels(*own)
        self.ready = metrics.READY.gauge(registry).labels(*own)
        self.position = metrics.POSITION.gauge(registry)
        self.buffered = metrics.BUFFERED.gauge(registry)
        self.held = metrics.HELD.gauge(registry)
        self.fence_entries = metrics.FENCE_ENTRIES.gauge(registry)

    def outcome(self, outcome: str, count: int) -> None:
        """`count` records were settled as `outcome`."""
        if count:
            self.records.labels(*self.own, outcome).inc(count)

    def forget(self, partition: int) -> None:
        """The partition is not ours any more."""
        for gauge in (self.position, self.buffered, self.held, self.fence_entries):
            gauge.remove_by_labels({"partition": str(partition)})


class Reporter:
    """Sends a report when one is due, to the telemetry partition of its pipeline: the client finds it, and notices when the topic grows."""

    def __init__(
        self,
        pipeline: PipelineConfig,
        lane: Lane,
        worker: WorkerConfig,
        producer: Producer,
        clock: Clock,
        meters: Meters,
    ) -> None:
        self._pipeline = pipeline
        self._lane = lane
        self._worker = worker
        self._producer = producer
        self._clock = clock
        self._meters = meters
        self._last = clock.monotonic()
        self._spent = 0.0
        self._refused_until = 0.0

    def spent(self, seconds: float) -> None:
        """`seconds` went into the handler or into waiting: everything else is overhead."""
        self._spent += seconds

    def refused(self) -> None:
        """A move was refused just now: F is full."""
        self._refused_until = self._clock.monotonic() + 30.0

    def due(self) -> bool:
        """Is it time?"""
        return self._clock.monotonic() - self._last >= INTERVAL_S

    def send(
        self,
        owned: Iterable[Owned],
        account: Account,
        holds: Holds,
        end: Callable[[int], int],
        in_flight: dict[int, tuple[str, float]],
        troubles: tuple[Trouble, ...] = (),
    ) -> None:
        """Report the interval since the last time. `in_flight`: partition -> token ("" unknown) and seconds of the longest running record."""
        now = self._clock.monotonic()
        interval, self._last = now - self._last, now
        # while the Kafka thread is busy for itself, none of the handler's threads has anything to do
        overhead, self._spent = max(0.0, interval - self._spent) * self._pipeline.concurrency, 0.0
        usage, mine = account.take(), sorted(owned, key=lambda o: o.partition)
        refused = now < self._refused_until
        loads = []
        for one in mine:
            p, used = one.partition, usage.get(one.partition) or Usage()
            token, seconds = in_flight.get(p, ("", 0.0))
            held = holds.held_s(p, now)
            loads.append(
                PartitionLoad(
                    p,
                    one.committed,
                    end(p),
                    len(one.buffer),
                    used.busy_s,
                    used.handled,
                    used.forwarded,
                    held,
                    now - one.assigned_at,
                    token,
                    seconds,
                    one.retry_delay > 0,
                )
            )
            labels = (*self._meters.own, str(p))
            self._meters.position.labels(*labels).set(one.committed)
            self._meters.buffered.labels(*labels).set(len(one.buffer))
            self._meters.held.labels(*labels).set(held)
            self._meters.fence_entries.labels(*labels).set(len(one.fence))
        self._meters.busy.inc(sum(u.busy_s for u in usage.values()))
        self._meters.overhead.inc(overhead)
        self._meters.moves_refused.set(refused)
        self._meters.wildcard.set(sum(any(one.fence.wild()) for one in mine))
        at_ms = int(self._clock.now() * 1000)
        for limit in _ROWS:
            value = encode(WorkerReport(
                self._pipeline.name, at_ms, interval, self._lane, self._worker.slot, self._worker.build, overhead,
                tuple(loads), rows(usage, limit), refused, self._pipeline.concurrency, troubles,
            ))  # fmt: skip
            if len(value) <= _MESSAGE_BYTES:
                break
        try:
            self._producer.produce(TELEMETRY_TOPIC, value, self._pipeline.name.encode())
        except (BufferError, KafkaException) as error:
            log.warning("a worker report was not sent: %s", error)
        self._producer.poll(0)
