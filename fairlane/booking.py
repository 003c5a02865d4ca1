"""The booking: telemetry in, slices out, each message exactly once.

Where it stands is kept in the database, written with what it booked; Kafka only delivers. Its clock is the append time of the telemetry itself: a minute
is closed once the telemetry has gone past its deadline, so that neither a gap nor a restart that catches up makes anything bad by itself.
"""

import logging
import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from math import ceil
from typing import Final

from confluent_kafka import (
    OFFSET_BEGINNING,
    TIMESTAMP_NOT_AVAILABLE,
    Consumer,
    KafkaError,
    KafkaException,
    TopicPartition,
)
from confluent_kafka import Message as KafkaMessage
from prometheus_client import CollectorRegistry
from sqlalchemy import Engine
from sqlalchemy.exc import SQLAlchemyError

from fairlane.charts import Charts
from fairlane.ledger import Fenced, Ledger, Place
from fairlane.tallies import HOLD_S, Limits, Tallies
from ingestion.config import KafkaConfig, PipelineConfig
from ingestion.contracts.names import BOOKING_GROUP, TELEMETRY_TOPIC
from ingestion.contracts.telemetry import CaptureReport, SliCounts, UnknownMessage, decode, kind_of
from slo import metrics
from slo.clock import Clock
from slo.presets import MAX_LAG

TURN_S: Final = 1.0
"""One transaction of the database a second is enough."""
BATCH: Final = 2_000
STALE_S: Final = 30.0
"""A loop that has not turned for this long is not alive."""
BACK_OFF_S: Final = (0.5, 10.0)
AHEAD_S: Final = 120.0
"""An append time that is further ahead of this machine's clock is not believed: the broker's clock has jumped."""
GROWTH_S: Final = 30.0
"""How often it is asked whether the telemetry has more partitions now."""
_BOOKED: Final = frozenset({"sli", "probe", "capture"})
_TRANSIENT: Final = frozenset(
    # librdkafka's own codes carry the underscore by name; they are public.
    getattr(KafkaError, name)
    for name in ("_ALL_BROKERS_DOWN", "_TRANSPORT", "_TIMED_OUT", "_RESOLVE")
)
"""What librdkafka mends by itself."""

_log = logging.getLogger(__name__)


@dataclass(slots=True)
class _Read:
    """What one turn read."""

    tallies: Tallies
    next: dict[int, int] = field(default_factory=dict)
    kinds: Counter[str] = field(default_factory=Counter)
    skewed: int = 0
    unreadable: int = 0
    captured_ms: int = 0
    """Append time of the newest report of a capture process, 0 for none."""


class BookingConsumer:
    """Books one pipeline. Several may run on one database: whoever comes second reads anew where the first stands."""

    def __init__(
        self,
        kafka: KafkaConfig,
        pipeline: PipelineConfig,
        engine: Engine,
        clock: Clock,
        registry: CollectorRegistry,
        *,
        probe_interval_s: float = 1.0,
        growth_s: float = GROWTH_S,
    ) -> None:
        self._growth_s = growth_s
        self._kafka = kafka
        self._pipeline = pipeline.name
        self._clock = clock
        self._ledger = Ledger(engine, pipeline.name, pipeline.partitions, pipeline.slo_s)
        self._limits = Limits(pipeline.slo_s, MAX_LAG, max(HOLD_S, ceil(3 * probe_interval_s)))
        self._charts = Charts()
        self._turned = clock.monotonic()
        self._ready = False
        self._looked = clock.monotonic()
        self._booked = metrics.BOOKED.counter(registry)
        self._unreadable = metrics.UNREADABLE.counter(registry).labels(pipeline.name)
        self._revised = metrics.REVISED.counter(registry).labels(pipeline.name)
        self._too_late = metrics.TOO_LATE.counter(registry).labels(pipeline.name)
        self._skewed = metrics.SKEWED.counter(registry).labels(pipeline.name)
        self._errors = metrics.BOOKING_ERRORS.counter(registry).labels(pipeline.name)
        self._booked_at = metrics.BOOKED_AT.gauge(registry).labels(pipeline.name)
        # without a label until a capture reports: 0 would mean that it has been silent since 1970
        self._captured_at = metrics.CAPTURED_AT.gauge(registry)

    def live(self) -> bool:
        """Does the loop turn?"""
        return self._clock.monotonic() - self._turned < STALE_S

    def ready(self) -> bool:
        """Has it found the telemetry and the database, and not lost them since?"""
        return self._ready

    def run(self, stop: threading.Event) -> int:
        """Book until `stop`; returns 0. Trouble with Kafka or the database is counted, logged and tried again, from the stored place."""
        wait_s = BACK_OFF_S[0]
        while not stop.is_set():
            try:
                with self._consumer() as consumer:
                    for _ in self._book(consumer, stop):
                        wait_s = BACK_OFF_S[0]
            except (KafkaException, SQLAlchemyError, Fenced) as error:
                self._ready = False
                self._errors.inc()
                _log.warning("booking of %s stopped, next try in %.1f s: %s", self._pipeline, wait_s, error)
                self._turned = self._clock.monotonic()
                stop.wait(wait_s)
                wait_s = min(wait_s * 2, BACK_OFF_S[1])
        self._ready = False
        return 0

    @contextmanager
    def _consumer(self) -> Iterator[Consumer]:
        config = {
            "group.id": f"{BOOKING_GROUP}.{self._pipeline}",
            "enable.auto.commit": False,
            "enable.auto.offset.store": False,
            "isolation.level": "read_committed",
            "auto.offset.reset": "earliest",
        }
        consumer = Consumer({**self._kafka.client(), **config})
        try:
            yield consumer
        finally:
            consumer.close()

    def _book(self, consumer: Consumer, stop: threading.Event) -> Iterator[None]:
        """Turn by turn; yields after each that was booked."""
        place = self._assign(consumer, stop)
        if place is None:
            return
        self._charts = Charts()
        last = self._ledger.last_seconds()
        watermark_ms = self._ledger.watermark_ms()
        if (ahead_s := watermark_ms / 1000 - self._clock.now()) > AHEAD_S:
            _log.warning(
                "the booking of %s was %.0f s ahead of this machine's clock: going back", self._pipeline, ahead_s
            )
        self._ready = True
        self._looked = self._clock.monotonic()
        while not stop.is_set() and not self._grown(consumer):
            self._turned = self._clock.monotonic()
            limit_ms = int((self._clock.now() + AHEAD_S) * 1000)
            read = self._take(consumer, stop, Tallies(self._limits, dict(last), watermark_ms, limit_ms=limit_ms))
            if not read.next:
                continue
            new = Place(place.cluster, read.next)
            entry = self._ledger.enter(read.tallies, TELEMETRY_TOPIC, place, new, self._charts.changed())
            place = replace(place, next={**place.next, **read.next})
            last, watermark_ms = read.tallies.last, read.tallies.watermark_ms
            self._charts.settled(watermark_ms)
            for kind, count in read.kinds.items():
                self._booked.labels(self._pipeline, kind).inc(count)
            self._unreadable.inc(read.unreadable)
            self._too_late.inc(read.tallies.out_of_range)
            self._skewed.inc(read.skewed)
            self._revised.inc(entry.revised)
            if read.captured_ms:
                self._captured_at.labels(self._pipeline).set(read.captured_ms / 1000)
            if watermark_ms:
                self._booked_at.set(watermark_ms / 1000)
            yield

    def _assign(self, consumer: Consumer, stop: threading.Event) -> Place | None:
        """Go to the stored place; partitions without one begin at the beginning. None when stopped before the topic was there."""
        while not stop.is_set():
            self._turned = self._clock.monotonic()
            known = consumer.list_topics(TELEMETRY_TOPIC, timeout=5.0)
            topic = known.topics.get(TELEMETRY_TOPIC)
            if topic is not None and topic.error is None and topic.partitions:
                place = self._ledger.place(TELEMETRY_TOPIC, known.cluster_id or "")
                consumer.assign(
                    [
                        TopicPartition(TELEMETRY_TOPIC, p, place.next.get(p, OFFSET_BEGINNING))
                        for p in sorted(topic.partitions)
                    ]
                )
                return place
            stop.wait(BACK_OFF_S[0])
        return None

    def _grown(self, consumer: Consumer) -> bool:
        """Has the topic more partitions than are read? Looked up every GROWTH_S; a broker that does not answer is no answer."""
        if self._clock.monotonic() - self._looked < self._growth_s:
            return False
        self._looked = self._clock.monotonic()
        try:
            there = consumer.list_topics(TELEMETRY_TOPIC, timeout=2.0).topics[TELEMETRY_TOPIC].partitions
        except KafkaException:
            return False
        grown = len(there) > len(consumer.assignment())
        if grown:
            _log.info(
                "%s has %d partitions now: the booking of %s reads them all",
                TELEMETRY_TOPIC,
                len(there),
                self._pipeline,
            )
        return grown

    def _take(self, consumer: Consumer, stop: threading.Event, tallies: Tallies) -> _Read:
        """Read for TURN_S, or BATCH messages."""
        read, taken = _Read(tallies), 0
        until = self._clock.monotonic() + TURN_S
        while taken < BATCH and not stop.is_set() and (left := until - self._clock.monotonic()) > 0:
            messages = consumer.consume(BATCH - taken, min(left, 0.2))
            for message in messages:
                self._fold(message, read)
            taken += len(messages)
        return read

    def _fold(self, message: KafkaMessage, read: _Read) -> None:
        error = message.error()
        if error is not None:
            if error.code() not in _TRANSIENT:
                raise KafkaException(error)
            return
        partition, offset = message.partition(), message.offset()
        assert partition is not None
        assert offset is not None
        read.next[partition] = offset + 1
        key, value = message.key(), message.value()
        if value is None or (key is not None and _bytes(key) != self._pipeline.encode()):
            return
        kind, stamp, at_ms = kind_of(_bytes(value)), *message.timestamp()
        if kind and kind not in _BOOKED:
            if key is not None and stamp != TIMESTAMP_NOT_AVAILABLE:
                read.tallies.tick(at_ms)
            return
        try:
            report = decode(_bytes(value))
            if report.pipeline != self._pipeline:
                return
            at_ms = min(report.at_ms if stamp == TIMESTAMP_NOT_AVAILABLE else at_ms, read.tallies.limit_ms)
            read.tallies.add(report, at_ms)
            self._charts.add(report, at_ms)
        except UnknownMessage as why:
            self._skipped(read, offset, str(why))
            return
        except (TypeError, ValueError, OverflowError, KeyError, AttributeError) as error:
            # decoded, and still not what it says it is: it must not stop the booking of all others
            self._skipped(read, offset, f"{type(error).__name__}: {error}")
            return
        read.kinds[kind] += 1
        if isinstance(report, CaptureReport):
            read.captured_ms = max(read.captured_ms, at_ms)
        if isinstance(report, SliCounts):
            read.skewed += report.skewed

    def _skipped(self, read: _Read, offset: int, why: str) -> None:
        read.unreadable += 1
        _log.warning("telemetry of %s at offset %d was skipped: %s", self._pipeline, offset, why)


def _bytes(raw: str | bytes) -> bytes:
    return raw.encode() if isinstance(raw, str) else raw
