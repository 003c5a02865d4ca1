"""What capture needs to know of Kafka's topics: is the general lane there, how many partitions has the telemetry."""

import asyncio
import zlib
from concurrent.futures import Future
from typing import Protocol

from confluent_kafka import KafkaException, TopicCollection
from confluent_kafka.admin import AdminClient

from ingestion.config import KafkaConfig
from slo.clock import Clock

ASK_S = 3.0
"""Longest wait for an answer."""
KEEP_S = 1.0
"""An answer is used again for this long, so that probes do not become load on the broker."""


class Topics(Protocol):
    """Where the endpoint of readiness and the reporter look."""

    async def partitions(self, topic: str) -> int:
        """Partitions of `topic`. Raises LookupError, with the reason, when Kafka does not answer or has no such topic."""
        ...


class KafkaTopics:
    """Asks the broker; never creates a topic by asking (a producer's metadata request can)."""

    def __init__(self, kafka: KafkaConfig, clock: Clock) -> None:
        self._admin = AdminClient(kafka.client())
        self._clock = clock
        self._known: dict[str, tuple[float, int]] = {}

    async def partitions(self, topic: str) -> int:
        """Partitions of `topic`, as of at most KEEP_S ago."""
        at, count = self._known.get(topic, (-KEEP_S, 0))
        if self._clock.monotonic() - at < KEEP_S:
            return count
        try:
            asked: Future[object] = self._admin.describe_topics(TopicCollection([topic]), request_timeout=ASK_S)[topic]
            # not `wait_for`: until Python 3.12 it swallows a cancel that comes together with the answer
            async with asyncio.timeout(ASK_S + 1):
                described = await asyncio.wrap_future(asked)
        except (KafkaException, TimeoutError) as error:
            raise LookupError(f"topic {topic} could not be described: {_reason(error)}") from None
        count = len(described.partitions)  # type: ignore[attr-defined]
        self._known[topic] = (self._clock.monotonic(), count)
        return count


def partition_of(pipeline: str, partitions: int) -> int:
    """The telemetry partition of a pipeline's reports."""
    return zlib.crc32(pipeline.encode()) % partitions


def _reason(error: BaseException) -> str:
    return str(error.args[0].str()) if isinstance(error, KafkaException) else "no answer in time"
