"""Sends telemetry as the probe's own plain messages: keyed by pipeline, partition fixed, never blocking."""

import time
import zlib

from confluent_kafka import KafkaException, Producer

from ingestion.contracts import telemetry
from ingestion.contracts.names import TELEMETRY_TOPIC

METADATA_S = 3.0
"""How long the topic's partition count may take to be told."""
LOOK_S = 30.0
"""How often it is asked for: a topic that grows moves pipelines."""


class TelemetrySender:
    """One pipeline's way to the telemetry topic; thread-safe as the producer is."""

    def __init__(self, pipeline: str, producer: Producer, look_s: float = LOOK_S) -> None:
        self._pipeline = pipeline
        self._producer = producer
        self._look_s = look_s
        self._looked = 0.0
        self._partition: int | None = None

    def send(self, message: telemetry.Message) -> bool:
        """Queue the message; False when it was dropped, because the topic is not known yet or the queue is full: the next second brings another."""
        return self.send_bytes(telemetry.encode(message))

    def send_bytes(self, value: bytes) -> bool:
        """The same for an encoded message."""
        partition = self._find_partition()
        if partition is None:
            return False
        try:
            self._producer.produce(TELEMETRY_TOPIC, key=self._pipeline, value=value, partition=partition)
        except (BufferError, KafkaException):
            return False
        return True

    def _find_partition(self) -> int | None:
        if self._partition is None or time.monotonic() - self._looked >= self._look_s:
            self._looked = time.monotonic()
            try:
                topic = self._producer.list_topics(TELEMETRY_TOPIC, timeout=METADATA_S).topics.get(TELEMETRY_TOPIC)
            except KafkaException:
                return self._partition
            if topic is None or topic.error is not None or not topic.partitions:
                return self._partition
            self._partition = zlib.crc32(self._pipeline.encode()) % len(topic.partitions)
        return self._partition
