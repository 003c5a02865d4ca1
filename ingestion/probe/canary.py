"""Canaries: one record per general partition now and then, so that end-to-end freshness is known without traffic."""

from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from typing import Final

import uuid_utils
from confluent_kafka import KafkaError, KafkaException, Message, Producer

from ingestion.config import PipelineConfig
from ingestion.contracts import headers
from ingestion.contracts.names import CANARY_TOKEN, CONTRACT_VERSION, Lane
from slo.clock import Clock

EVENT: Final = "$canary"
WAITING: Final = 100
"""Canaries a partition that are waited for; with more, the oldest is forgotten."""


@dataclass(frozen=True, slots=True)
class Sent:
    """A canary on the broker: its offset in the general partition and when it was produced (s, clock)."""

    offset: int
    at: float


class Waiting:
    """Canaries of one pipeline that are not yet committed. Pure."""

    def __init__(self) -> None:
        self._sent: dict[int, deque[Sent]] = {}
        self._last: dict[int, float] = {}

    def add(self, partition: int, sent: Sent) -> None:
        """A canary is on the broker."""
        self._sent.setdefault(partition, deque(maxlen=WAITING)).append(sent)

    def seen(self, committed: Mapping[int, int], now: float) -> list[tuple[int, float]]:
        """(partition, seconds from produce to now) of the canaries below the committed offsets; they are waited for no longer."""
        done = []
        for partition, sent in self._sent.items():
            while sent and committed.get(partition, -1) > sent[0].offset:
                freshness = max(now - sent.popleft().at, 0.0)
                self._last[partition] = freshness
                done.append((partition, freshness))
        return done

    def freshness(self, now: float) -> dict[int, float]:
        """Per partition: the last canary's freshness, or the age of the oldest one on its way where that is larger."""
        now_waiting = {p: max(now - sent[0].at, 0.0) for p, sent in self._sent.items() if sent}
        return {p: max(self._last.get(p, 0.0), now_waiting.get(p, 0.0)) for p in {*self._last, *now_waiting}}


class CanaryProducer:
    """Sends canaries and notes their offsets. Owned by one thread; `poll` runs the delivery reports."""

    def __init__(self, pipeline: PipelineConfig, producer: Producer, clock: Clock, waiting: Waiting) -> None:
        self._topic = pipeline.names.topic(Lane.GENERAL)
        self._partitions = pipeline.partitions
        self._producer = producer
        self._clock = clock
        self._waiting = waiting
        self.confirmed = 0
        self.failed = 0

    def send(self) -> None:
        """One canary to every general partition; one that does not fit the producer's queue counts as failed."""
        for partition in range(self._partitions):
            at = self._clock.now()
            distinct_id = f"canary-{partition}-{uuid_utils.uuid7()}"
            try:
                self._producer.produce(
                    self._topic,
                    key=distinct_id,
                    value=b"{}",
                    partition=partition,
                    headers=[
                        (headers.TOKEN, CANARY_TOKEN.encode()),
                        (headers.DISTINCT_ID, distinct_id.encode()),
                        (headers.EVENT_ID, str(uuid_utils.uuid7()).encode()),
                        (headers.EVENT, EVENT.encode()),
                        (headers.CAPTURED_AT, str(int(at * 1000)).encode()),
                        (headers.CONTRACT, str(CONTRACT_VERSION).encode()),
                        (headers.CANARY, b"1"),
                    ],
                    on_delivery=partial(self._delivered, at),
                )
            except (BufferError, KafkaException):
                self.failed += 1

    def _delivered(self, at: float, error: KafkaError | None, message: Message) -> None:
        offset, partition = message.offset(), message.partition()
        if error is not None or offset is None or partition is None:
            self.failed += 1
            return
        self.confirmed += 1
        self._waiting.add(partition, Sent(offset, at))
