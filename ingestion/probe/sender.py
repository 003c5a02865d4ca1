"""Sends telemetry as the probe's own plain messages: keyed by pipeline, partition fixed, never blocking."""

import zlib

from confluent_kafka import KafkaException, Producer

from ingestion.contracts import telemetry
from ingestion.contracts.names import TELEMETRY_TOPIC

METADATA_S = 3.0
"""How long the topic's partition count may take to be told."""


class TelemetrySender:
    """One pipeline's way to the telemetry topic; thread-safe as the producer is."""

    def __init__(self, pipeline: str, producer: Producer) -> None:
        self._pipeline = pipeline
        self._producer = producer
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
        if self._partition is None:
            try:
                topic = self._producer.list_topics(TELEMETRY_TOPIC, timeout=METADATA_S).topics.get(TELEMETRY_TOPIC)
            except KafkaException:
                return None
            if topic is None or topic.error is not None or not topic.partitions:
                return None
            self._partition = zlib.crc32(self._pipeline.encode()) % len(topic.partitions)
        return self._partition
