"""The slot's transactional producer: one transaction a chunk, and what its end means.

Abort only for Kafka's abortable errors. Whatever leaves the outcome unknown destroys the producer: a new one under the same transactional.id makes
Kafka finish the old transaction before anything is read again.
"""

import logging
from collections.abc import Callable
from enum import StrEnum
from functools import partial
from math import inf
from time import monotonic
from typing import Any, Final

from confluent_kafka import KafkaError, KafkaException, Producer, TopicPartition

from ingestion.contracts.names import Lane
from ingestion.lanes.caller import Caller, NotBack
from ingestion.lanes.hooks import ForcedAbort, ForcedUnknown, Point
from ingestion.lanes.layout import Headers

log = logging.getLogger(__name__)

_INIT_TRY_S: Final = 5.0
_STEP_S: Final = 0.2
_HASTE_S: Final = 0.5
_EVICTED: Final = (KafkaError.UNKNOWN_MEMBER_ID, KafkaError.ILLEGAL_GENERATION, KafkaError.FENCED_INSTANCE_ID)
_FENCED: Final = (KafkaError._FENCED, KafkaError.INVALID_PRODUCER_EPOCH)  # noqa: SLF001  # its public name

Landed = dict[tuple[int, int, Lane], int]
"""(partition, token hash, lane) -> the offset of its last forward."""


class Outcome(StrEnum):
    """How a transaction ended."""

    COMMITTED = "committed"
    ABORTED = "aborted"
    UNKNOWN = "unknown"
    FENCED = "fenced"
    """Another producer took our transactional.id, or Kafka gave our transaction up: unknown as well."""


class NotDelivered(Exception):
    """A forward, dead letter or count did not reach Kafka in time."""


class Transactor:
    """Owns the producer. `make`: builds a fresh one. All calls in the Kafka thread."""

    def __init__(self, make: Callable[[], Producer], timeout_s: float) -> None:
        self._make = make
        self._timeout_s = timeout_s
        self.evicted = False
        """A commit was refused because we are no member of the group any more. Whoever acts on it sets it back."""
        self.too_large = False
        """Kafka has refused a record for its size."""
        self.deadline: Callable[[], float] = lambda: inf
        """Monotonic seconds by which everything is to end, because the worker stops: a transaction that takes longer is left with its outcome unknown."""
        self._caller = Caller("transactions")
        self._producer: Producer | None = None
        self._landed: Landed = {}
        self._failed: KafkaError | None = None
        self._bound = 0

    def ready(self, give_up: Callable[[], bool]) -> bool:
        """Have a producer whose transactions work, making one if need be; False when `give_up` said so before.

        Raises KafkaException for errors that waiting does not mend (no authorisation, fenced while initialising).
        """
        while self._producer is None:
            if give_up():
                return False
            producer = self._make()
            try:
                self._caller.call(partial(producer.init_transactions, _INIT_TRY_S), self._clock(_INIT_TRY_S))
            except NotBack as error:
                log.warning("the transactional producer is not ready: %s; making another", error)
            except KafkaException as error:
                kafka_error = error.args[0]
                producer.purge()
                if kafka_error.code() in (
                    KafkaError.TRANSACTIONAL_ID_AUTHORIZATION_FAILED,
                    KafkaError.CLUSTER_AUTHORIZATION_FAILED,
                    KafkaError.INVALID_TRANSACTION_TIMEOUT,
                ):
                    raise
                log.warning("the transactional producer is not ready yet: %s", kafka_error.str())
            else:
                self._producer = producer
        return True

    @property
    def usable(self) -> bool:
        """Is there a producer without an open transaction?"""
        return self._producer is not None

    def forward(
        self,
        topic: str,
        value: bytes | None,
        key: bytes | None,
        partition: int,
        headers: Headers,
        bound: tuple[int, Lane] | None,
    ) -> None:
        """Produce one record. `bound`: this is the last forward of that token hash to that lane: its offset becomes L."""
        callback = self._report(partition, *bound) if bound is not None else None
        self.produce(topic, value, key, partition, callback, headers)

    def produce(
        self, topic: str, value: bytes | None, key: bytes | None, partition: int, callback: Any, headers: Any
    ) -> None:
        """Produce inside the open transaction; waits while the queue is full."""
        producer = self._open
        while True:
            try:
                producer.produce(topic, value, key, partition, callback, None, 0, headers)
            except BufferError:
                producer.poll(0.05)
            else:
                return

    @property
    def raw(self) -> Callable[..., None]:
        """The producer's own `produce`, for the hot path; raises BufferError when the queue is full."""
        return self._open.produce

    def report(self, partition: int, token: int, lane: Lane) -> Callable[[KafkaError | None, Any], None]:
        """A delivery callback that notes L."""
        return self._report(partition, token, lane)

    def run(
        self,
        produce: Callable[[], None],
        offsets: Callable[[Landed], list[TopicPartition]],
        group: Callable[[], Any],
        at: Callable[[Point], None],
    ) -> Outcome:
        """One transaction: begin, `produce`, flush, send `offsets(landed)` with fresh group metadata, commit.

        After anything but COMMITTED positions and F must be read anew; after UNKNOWN or FENCED `ready` makes a new producer first.
        """
        producer = self._open
        self._landed, self._failed, self._bound = {}, None, 0
        try:
            producer.begin_transaction()
            produce()
            at(Point.PRODUCED)
            # without forwards there is no L to wait for: committing waits for the rest
            left = self._flush(producer) if self._bound else 0
            if left:
                raise NotDelivered(f"{left} records of the transaction were not delivered in {self._timeout_s:g} s")
            at(Point.FLUSHED)
            if self._failed is not None:
                raise KafkaException(self._failed)
            places, member = offsets(self._landed), group()
            self._timely(partial(producer.send_offsets_to_transaction, places, member))
            at(Point.OFFSETS_SENT)
            self._timely(producer.commit_transaction)
            at(Point.COMMITTED)
        except ForcedAbort:
            return self._abort()
        except (ForcedUnknown, NotDelivered) as error:
            log.warning("outcome of the transaction unknown: %s", error)
            return self._destroy(Outcome.UNKNOWN)
        except NotBack as error:
            log.warning("outcome of the transaction unknown: %s", error)
            return self._abandon(Outcome.UNKNOWN)
        except KafkaException as error:
            return self._judge(error.args[0])
        return Outcome.COMMITTED

    def close(self) -> None:
        """Give the producer up; between transactions only, so there is nothing to finish."""
        producer, self._producer = self._producer, None
        self._caller.close()
        if producer is not None:
            producer.close()

    def _flush(self, producer: Producer) -> int:
        """Wait until everything is delivered; returns how many records were not in time."""
        left = self._clock(self._timeout_s)
        while (missing := producer.flush(_STEP_S)) and left() > -_HASTE_S:
            pass
        return missing

    def _timely(self, call: Callable[[float], object]) -> None:
        """`call` with the transaction's time-out, in the caller's thread. Raises NotBack when it does not keep it, or when the worker stops and cannot wait."""
        self._caller.call(partial(call, self._timeout_s), self._clock(self._timeout_s))

    def _clock(self, limit_s: float) -> Callable[[], float]:
        """Tells the seconds that are left of `limit_s` from now, or until the worker has to be gone."""
        end = monotonic() + limit_s
        return lambda: min(end, self.deadline()) - monotonic()

    def _judge(self, error: KafkaError) -> Outcome:
        log.warning("transaction failed: %s", error.str())
        self.evicted = self.evicted or error.code() in _EVICTED
        self.too_large = self.too_large or error.code() == KafkaError.MSG_SIZE_TOO_LARGE
        if error.code() in _FENCED:
            return self._destroy(Outcome.FENCED)
        if error.txn_requires_abort() and not error.fatal():
            return self._abort()
        if self._failed is not None and not error.fatal():
            return self._abort()
        return self._destroy(Outcome.UNKNOWN)

    def _abort(self) -> Outcome:
        try:
            self._timely(self._open.abort_transaction)
        except NotBack as error:
            log.warning("abort failed: %s", error)
            return self._abandon(Outcome.UNKNOWN)
        except KafkaException as error:
            log.warning("abort failed: %s", error.args[0].str())
            return self._destroy(Outcome.UNKNOWN)
        return Outcome.ABORTED

    def _destroy(self, outcome: Outcome) -> Outcome:
        if self._producer is not None:
            self._producer.purge()
            self._producer = None
        return outcome

    def _abandon(self, outcome: Outcome) -> Outcome:
        """Leave the producer to the thread that is stuck in it: the next one's `init_transactions` fences it."""
        self._producer = None
        return outcome

    def _report(self, partition: int, token: int, lane: Lane) -> Callable[[KafkaError | None, Any], None]:
        landed = self._landed
        self._bound += 1

        def note(error: KafkaError | None, message: Any) -> None:
            if error is not None:
                self._failed = error
            else:
                landed[partition, token, lane] = message.offset()

        return note

    @property
    def _open(self) -> Producer:
        assert self._producer is not None, "call ready() first"
        return self._producer
