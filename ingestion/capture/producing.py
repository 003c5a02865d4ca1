"""The way to Kafka: one idempotent producer a process, confirmations gathered per request.

Delivery reports are taken on the event loop itself (`poll(0)` each millisecond while anything is in flight), so that nothing here needs a lock, a hop
between threads, or thought about a report that comes before its request has finished producing. A poll thread was measured alike within noise.
"""

import asyncio
from collections.abc import Sequence
from typing import Any, Final

from confluent_kafka import KafkaException, Producer
from prometheus_client import CollectorRegistry

from ingestion.capture import metrics
from ingestion.capture.delivery import Delivery
from ingestion.capture.validate import Headers
from ingestion.config import KafkaConfig
from slo.errors import ConfigError

LINGER_MS: Final = 5
POLL_S: Final = 0.001
IDLE_POLL_S: Final = 0.1
FLUSH_S: Final = 8.0
"""Longest wait for confirmations when stopping: a process leaves within 10 s of SIGTERM."""


def message_timeout_s(delivery_timeout_s: float) -> float:
    """After how long librdkafka gives a record up, so that a request that waits `delivery_timeout_s` learns a definite outcome: it looks for expired records once a second."""
    return max(0.1, delivery_timeout_s - 1.5, delivery_timeout_s * 0.4)


def producer_config(
    kafka: KafkaConfig, *, delivery_timeout_s: float, max_in_flight: int, max_event_bytes: int
) -> dict[str, Any]:
    """librdkafka's configuration. Raises ConfigError for pass-through settings that would let an acknowledged event be lost."""
    given = kafka.model_extra or {}
    for name in ("acks", "request.required.acks"):
        if str(given.get(name, "all")) not in {"all", "-1"}:
            raise ConfigError(
                f"kafka.{name}={given[name]} is refused: an event is acknowledged only when all in-sync replicas have it; remove the setting"
            )
    if str(given.get("enable.idempotence", "true")).lower() != "true":
        raise ConfigError(
            "kafka.enable.idempotence=false is refused: retries would double and reorder events; remove the setting"
        )
    return kafka.client(
        acks="all",
        enable_idempotence=True,
        linger_ms=LINGER_MS,
        message_timeout_ms=int(message_timeout_s(delivery_timeout_s) * 1000),
        # admission is limited before producing, so the client's own limit is never met first
        queue_buffering_max_messages=max_in_flight + 10_000,
        message_max_bytes=max(1_000_000, max_event_bytes + 65_536),
    )


class Sender:
    """The producer and what is in flight. Everything here runs on the event loop's thread."""

    def __init__(
        self, pipeline: str, config: dict[str, Any], delivery_timeout_s: float, registry: CollectorRegistry
    ) -> None:
        self._config = config
        self._timeout_s = delivery_timeout_s
        self._producer: Producer | None = None
        self._retired: list[Producer] = []
        self._timer: asyncio.TimerHandle | None = None
        self._hot = False
        self.in_flight = 0
        self.broken = False
        self._late = metrics.LATE_CONFIRMATIONS.counter(registry).labels(pipeline)
        self._replaced = metrics.PRODUCERS_REPLACED.counter(registry).labels(pipeline)

    def late(self) -> None:
        """Count a record that was confirmed after its request had been answered."""
        self._late.inc()

    def start(self) -> None:
        """Make the producer and begin to take reports; needs a running loop. Raises ConfigError when librdkafka refuses its configuration."""
        self._producer = self._make()
        self._tick()

    async def stop(self) -> None:
        """Wait up to FLUSH_S for what is in flight, then let go of the producer."""
        loop = asyncio.get_running_loop()
        until = loop.time() + FLUSH_S
        while self.in_flight and loop.time() < until:  # noqa: ASYNC110 - the tick that brings reports is a timer as well
            await asyncio.sleep(0.01)
        if self._timer is not None:
            self._timer.cancel()
        self._producer = None
        self._retired.clear()

    def send(
        self, topic: str, keys: Sequence[str], values: Sequence[bytes], headers: Sequence[Headers]
    ) -> tuple[Delivery, int]:
        """Give records to the producer. Returns their delivery and how many were taken: those behind were not sent, as the client's queue is full.

        Order is kept: nothing behind a record that was not taken is taken.
        """
        loop = asyncio.get_running_loop()
        delivery = Delivery(self, values, loop.create_future())
        produce, report, taken = self._usable().produce, delivery.report, 0
        try:
            for key, value, row in zip(keys, values, headers, strict=True):
                produce(topic, value, key, -1, report, headers=row)
                taken += 1
        except BufferError:
            pass
        except KafkaException as error:
            self.broken = self.broken or error.args[0].fatal()
        finally:
            # reports are taken on this thread, so none can have come yet
            delivery.begin(taken)
        if taken and not self._hot:
            self._heat(loop)
        return delivery, taken

    async def confirmed(self, delivery: Delivery) -> None:
        """Wait for the delivery's outcome, at most the delivery timeout. Cancelling the request does not lose the count of what is in flight."""
        expiry = asyncio.get_running_loop().call_later(self._timeout_s, delivery.expire)
        try:
            await delivery.done
        except asyncio.CancelledError:
            delivery.given_up = True
            raise
        finally:
            expiry.cancel()

    def report(self, topic: str, key: str, value: bytes, partition: int) -> None:
        """Send one telemetry message; nobody waits for it, and one that does not fit is dropped."""
        try:
            self._usable().produce(topic, value, key, partition)
        except (BufferError, KafkaException):
            return

    def _make(self) -> Producer:
        try:
            return Producer(self._config)
        except KafkaException as error:
            raise ConfigError(
                f"Kafka's client refuses its configuration: {error.args[0].str()}; check the settings under kafka."
            ) from None

    def _usable(self) -> Producer:
        if self._producer is None:
            raise RuntimeError("the sender is not started")
        if self.broken:
            # after a fatal error a producer never sends again; what it still holds fails, and is reported as unconfirmed
            self.broken = False
            self._replaced.inc()
            self._producer.purge()
            self._retired.append(self._producer)
            self._producer = self._make()
        return self._producer

    def _heat(self, loop: asyncio.AbstractEventLoop) -> None:
        self._hot = True
        if self._timer is not None:
            self._timer.cancel()
        self._timer = loop.call_later(POLL_S, self._tick)

    def _tick(self) -> None:
        if self._producer is None:
            return
        self._producer.poll(0)
        if self._retired:
            for retired in self._retired:
                retired.poll(0)
            self._retired = [retired for retired in self._retired if len(retired)]
        self._hot = self.in_flight > 0
        self._timer = asyncio.get_running_loop().call_later(POLL_S if self._hot else IDLE_POLL_S, self._tick)
