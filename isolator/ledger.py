"""Writes batches of state records for one telemetry partition: one transactional producer, so that Kafka fences a zombie.

The consumed telemetry offset is committed in the same transaction, so a command is answered exactly once.
"""

import contextlib
import logging
from collections.abc import Mapping, Sequence
from typing import Any, Final

from confluent_kafka import Consumer, KafkaError, KafkaException, Producer, TopicPartition

from ingestion.contracts.names import STATE_TOPIC, TELEMETRY_TOPIC

log = logging.getLogger(__name__)

TIMEOUT_S: Final = 10.0
FENCED: Final = frozenset(
    {
        KafkaError._FENCED,  # noqa: SLF001  librdkafka's own code, public by name only there
        KafkaError.PRODUCER_FENCED,
        KafkaError.INVALID_PRODUCER_EPOCH,
        KafkaError.FENCED_INSTANCE_ID,
        KafkaError.ILLEGAL_GENERATION,
        KafkaError.UNKNOWN_MEMBER_ID,
    }
)


class LostOwnership(Exception):
    """A batch was not (or not certainly) written: what is in memory may be ahead of the state topic. `fenced`: another controller has taken over."""

    def __init__(self, message: str, *, fenced: bool) -> None:
        super().__init__(message)
        self.fenced = fenced


class Ledger:
    """The state writer of one telemetry partition. Creating it fences whoever wrote for that partition before."""

    def __init__(self, kafka: Mapping[str, Any], partition: int, timeout_s: float = TIMEOUT_S) -> None:
        self.partition = partition
        self._timeout_s = timeout_s
        self._producer = Producer(
            {
                **kafka,
                "transactional.id": f"fairlane.controller.{partition}",
                "transaction.timeout.ms": 10_000,
                "linger.ms": 0,
                "compression.type": "lz4",
                "message.max.bytes": 1_000_000,
            }
        )
        try:
            self._producer.init_transactions(timeout_s)
        except KafkaException as error:
            raise _lost(error) from error

    def write(self, records: Sequence[tuple[bytes, bytes | None]], next_offset: int | None, consumer: Consumer) -> None:
        """Write `records` and commit `next_offset` of the telemetry partition (None: leave it) in one transaction. Raises LostOwnership when that is not certain."""
        failures: list[KafkaError] = []
        try:
            self._producer.begin_transaction()
            for key, value in records:
                self._producer.produce(
                    STATE_TOPIC,
                    key=key,
                    value=value,
                    partition=0,
                    on_delivery=lambda error, _: failures.append(error) if error is not None else None,
                )
            if next_offset is not None:
                self._producer.send_offsets_to_transaction(
                    [TopicPartition(TELEMETRY_TOPIC, self.partition, next_offset)],
                    consumer.consumer_group_metadata(),
                    self._timeout_s,
                )
            self._producer.commit_transaction(self._timeout_s)
        except (KafkaException, BufferError) as error:
            self._abort()
            raise _lost(error) from error
        if failures:
            raise LostOwnership(f"state records were not delivered: {failures[0].str()}", fenced=False)

    def _abort(self) -> None:
        try:
            self._producer.abort_transaction(self._timeout_s)
        except KafkaException as error:
            log.info("the transaction on %s was not aborted: %s; the next owner does it", STATE_TOPIC, error)

    def close(self) -> None:
        """Drop the producer; an open transaction is aborted by the next owner or by its time limit."""
        # no flush: on a fenced producer it raises from within the client's C code, and there is nothing to deliver
        with contextlib.suppress(KafkaException):
            self._producer.purge()


def _lost(error: Exception) -> LostOwnership:
    code = error.args[0].code() if isinstance(error, KafkaException) else None
    return LostOwnership(f"{STATE_TOPIC} was not written: {error}", fenced=code in FENCED)
