"""The tail scout: follows the end of the general topic and counts arrivals, because a worker sees them late by exactly the lag."""

import contextlib
import logging
import threading
from collections.abc import Callable, Sequence
from typing import Final

from confluent_kafka import OFFSET_END, Consumer, KafkaException, Message, TopicPartition
from prometheus_client import CollectorRegistry

from ingestion.config import KafkaConfig, PipelineConfig
from ingestion.contracts import headers
from ingestion.contracts.names import Lane
from ingestion.contracts.telemetry import ArrivalReport, encode
from ingestion.probe import metrics
from ingestion.probe.tally import Tally
from slo.clock import Clock

log = logging.getLogger(__name__)

BATCH: Final = 2_000
"""Records taken from the client at once."""
BEHIND: Final = 200_000
"""With more records ahead of it than this, the scout counts them as `other` and goes to the end."""
MESSAGE_BYTES: Final = 1_000_000
"""A report is made to fit in this."""
POLL_S: Final = 0.2
TOKEN_LIMIT: Final = 1_024
"""Characters; a longer token counts as none, as it does in the lanes."""


class Scout:
    """Counts what is appended to the general topic, read_uncommitted, in no group. `run` owns the consumer."""

    def __init__(
        self,
        pipeline: PipelineConfig,
        kafka: KafkaConfig,
        clock: Clock,
        registry: CollectorRegistry,
        send: Callable[[bytes], bool],
    ) -> None:
        self._pipeline = pipeline
        self._kafka = kafka
        self._topic = pipeline.names.topic(Lane.GENERAL)
        self._clock = clock
        self._send = send
        self._records = metrics.SCOUT_RECORDS.counter(registry).labels(pipeline.name)
        self._skipped = metrics.SCOUT_SKIPPED.counter(registry).labels(pipeline.name)
        self._tokens = metrics.SCOUT_TOKENS.gauge(registry).labels(pipeline.name)

    def run(self, stop: threading.Event, interval_s: float) -> None:
        """Count and report each `interval_s` seconds until `stop`; broker errors are waited out by the client."""
        consumer = self._consumer()
        try:
            self._follow(consumer, stop, interval_s)
        finally:
            consumer.close()

    def _consumer(self) -> Consumer:
        consumer = Consumer(
            self._kafka.client(
                client_id="fairlane-scout",
                group_id=f"fairlane.{self._pipeline.name}.scout",  # never joined: the client asks for a name
                enable_auto_commit=False,
                auto_offset_reset="latest",
                isolation_level="read_uncommitted",
                queued_min_messages=20_000,
                queued_max_messages_kbytes=16_384,
                fetch_wait_max_ms=100,
                check_crcs=False,
            )
        )
        consumer.assign([TopicPartition(self._topic, p, OFFSET_END) for p in range(self._pipeline.partitions)])
        return consumer

    def _follow(self, consumer: Consumer, stop: threading.Event, interval_s: float) -> None:
        tally, since = Tally(), self._clock.monotonic()
        while not stop.is_set():
            left = since + interval_s - self._clock.monotonic()
            count(tally, consumer.consume(BATCH, max(min(left, POLL_S), 0.0)))
            now = self._clock.monotonic()
            if now - since >= interval_s:
                self._catch_up(consumer, tally)
                self._report(tally, now - since)
                tally, since = Tally(), now

    def _catch_up(self, consumer: Consumer, tally: Tally) -> None:
        """Far behind, counting what has long arrived would tell of the past: count the rest unseen and go to the end."""
        gaps = {}
        for at in consumer.position([TopicPartition(self._topic, p) for p in range(self._pipeline.partitions)]):
            _, high = consumer.get_watermark_offsets(at, cached=True)
            if at.offset >= 0 and high > at.offset:
                gaps[at.partition] = (at.offset, high)
        if sum(high - low for low, high in gaps.values()) <= BEHIND:
            return
        log.warning("%s: the tail scout had fallen behind and goes to the end", self._pipeline.name)
        mean = sum(tally.sizes.values()) // max(sum(tally.records.values()), 1)
        for partition, (low, high) in gaps.items():
            with contextlib.suppress(KafkaException):
                consumer.seek(TopicPartition(self._topic, partition, high))
                tally.skip(partition, high - low, (high - low) * mean)
                self._skipped.inc(high - low)

    def _report(self, tally: Tally, interval_s: float) -> None:
        sketch, tokens = tally.sketch()
        self._records.inc(sum(tally.records.values()))
        self._tokens.set(tokens)
        top = 64
        while True:
            rows = tuple(tally.rows(self._pipeline.partitions, top))
            value = encode(ArrivalReport(self._pipeline.name, int(self._clock.now() * 1000), interval_s, rows, sketch))
            if len(value) <= MESSAGE_BYTES or top == 1:
                break
            top //= 2  # very long tokens
        self._send(value)


def count(tally: Tally, messages: Sequence[Message]) -> None:
    """Count the records among `messages`; client errors are not records. A record without a token counts for the empty token."""
    records, sizes, room = tally.records, tally.sizes, tally.room(BATCH)
    for message, own in zip(messages, headers.of_all(messages), strict=True):
        if message.error() is not None:
            continue
        token = headers.get(own, headers.TOKEN) or ""
        if len(token) > TOKEN_LIMIT:
            token = ""
        partition, size = message.partition() or 0, len(message)
        if room:
            records[partition, token, message.key()] += 1
            sizes[partition, token] += size
        else:
            tally.skip(partition, 1, size)
