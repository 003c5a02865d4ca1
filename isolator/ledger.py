"""Writes batches of state records of one pipeline: one transactional producer, so that Kafka fences a zombie.

The consumed telemetry offset is committed in the same transaction, so a command is answered exactly once.
"""

import contextlib
import logging
import threading
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

from confluent_kafka import Consumer, KafkaError, KafkaException, Producer, TopicPartition

from ingestion.contracts.names import STATE_TOPIC, TELEMETRY_TOPIC

log = logging.getLogger(__name__)

TIMEOUT_S: Final = 10.0
_GRACE_S: Final = 2.0
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
    """The state writer of one pipeline. Creating it fences whoever wrote for that pipeline before."""

    def __init__(self, kafka: Mapping[str, Any], pipeline: str, timeout_s: float = TIMEOUT_S) -> None:
        self._timeout_s = timeout_s
        self._producer = Producer(
            {
                **kafka,
                "transactional.id": f"fairlane.controller.{pipeline}",
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

    def write(
        self,
        records: Sequence[tuple[bytes, bytes | None]],
        partition: int,
        next_offset: int | None,
        consumer: Consumer,
    ) -> None:
        """Write `records` and commit `next_offset` of the telemetry's `partition` (None: leave it) in one transaction.

        With an offset it is refused, too, when `consumer` is no longer in the group. Raises LostOwnership when it is not certain that all was written.
        """
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
                places, member = (
                    [TopicPartition(TELEMETRY_TOPIC, partition, next_offset)],
                    consumer.consumer_group_metadata(),
                )
                self._bounded(lambda: self._producer.send_offsets_to_transaction(places, member, self._timeout_s))
            self._producer.commit_transaction(self._timeout_s)
        except (KafkaException, BufferError) as error:
            self._abort()
            raise _lost(error) from error
        if failures:
            raise LostOwnership(f"state records were not delivered: {failures[0].str()}", fenced=False)

    def _bounded(self, call: Callable[[], object]) -> None:
        """`call`, given up when it does not come back: sending offsets waits for a coordinator whose connection was cut beyond the time that it was given."""
        errors: list[BaseException] = []

        def work() -> None:
            try:
                call()
            except BaseException as error:
                errors.append(error)

        thread = threading.Thread(target=work, name="ledger", daemon=True)
        thread.start()
        thread.join(self._timeout_s + _GRACE_S)
        if thread.is_alive():
            raise LostOwnership(f"{STATE_TOPIC} was not written: the coordinator does not answer", fenced=False)
        if errors:
            raise errors[0]

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
