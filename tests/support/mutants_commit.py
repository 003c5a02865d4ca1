"""Rules 3, 6 and 7, broken: the order inside a transaction, what happens after its end, and which offset is committed."""

from typing import Any, Final

from confluent_kafka import KafkaException, Producer, TopicPartition

from ingestion.contracts.names import TELEMETRY_TOPIC
from ingestion.contracts.records import Done
from ingestion.lanes import commit
from ingestion.lanes.chunk import Chunk
from ingestion.lanes.clients import reader
from ingestion.lanes.hooks import ForcedAbort, ForcedUnknown, Point
from ingestion.lanes.transaction import Outcome, Transactor
from ingestion.lanes.worker import LaneWorker


class NoRewind(LaneWorker):
    """Goes on from memory after an abort: what the aborted transaction held is lost."""

    def rewind(self) -> None:
        """Have a producer, and keep buffers, F and positions."""
        self._transactor.ready(self._stopping)


class KeepsBuffer(LaneWorker):
    """Reads position and F anew after an abort, but goes on with its buffer."""

    def rewind(self) -> None:
        """No seek, nothing cleared."""
        if self._transactor.ready(self._stopping):
            for p, found in self._restorer.restore(list(self._intake.owned), self._stopping).items():
                self._intake.owned[p].committed, self._intake.owned[p].fence = found.position, found.fence


class KeepsF(LaneWorker):
    """Goes back to the committed position after an abort or an unknown outcome, with the F that it remembers."""

    def rewind(self) -> None:
        """F from memory."""
        kept = {p: one.fence for p, one in self._intake.owned.items()}
        super().rewind()
        for p, fence in kept.items():
            self._intake.owned[p].fence = fence


class _BelievesKafka(LaneWorker):
    """Commits the client's `position()` as it is, without looking at it."""

    def next_offset(self, partition: int, last: int) -> int:
        """The client's number, not ours."""
        return self.position(partition)

    @staticmethod
    def check_next(offset: int) -> int:
        """Believe it."""
        return offset


class AheadPosition(_BelievesKafka):
    """Commits where the client has fetched to: past records that only lie in the buffer."""


class NegativePosition(_BelievesKafka):
    """Keeps no buffer over a commit but seeks back to what comes next: then `position()` is -1001, and committing that commits nothing."""

    def next_offset(self, partition: int, last: int) -> int:
        """-1001, the client's position between a seek and the next record."""
        one = self._intake.owned[partition]
        one.buffer.clear()
        self._intake.consumer.seek(TopicPartition(self._pipeline.names.topic(self.lane), partition, last + 1))
        return self.position(partition)


def _offsets_first(transactor: Transactor, produce: Any, offsets: Any, group: Any, at: Any) -> Outcome:
    """`Transactor.run` with the offsets, and F, sent before the forwards are delivered; memory learns L afterwards."""
    producer = transactor._open
    transactor._landed, transactor._failed, transactor._bound = {}, None, 0
    try:
        producer.begin_transaction()
        producer.send_offsets_to_transaction(offsets({}), group(), 3.0)
        at(Point.OFFSETS_SENT)
        produce()
        at(Point.PRODUCED)
        producer.flush(3.0)
        at(Point.FLUSHED)
        offsets(transactor._landed)
        producer.commit_transaction(3.0)
        at(Point.COMMITTED)
    except ForcedAbort:
        return transactor._abort()
    except ForcedUnknown:
        return transactor._destroy(Outcome.UNKNOWN)
    except KafkaException as error:
        return transactor._judge(error.args[0])
    return Outcome.COMMITTED


class OffsetsFirst(LaneWorker):
    """Sends the offsets with F before the flush: F cannot know L."""

    def _open(self) -> None:
        Transactor.run = _offsets_first  # type: ignore[method-assign]
        super()._open()


class NoGeneration(LaneWorker):
    """Sends offsets as a stranger to the group, so that no generation fences it."""

    def _open(self) -> None:
        super()._open()
        self._stranger = reader(self._kafka, self._pipeline.names.group(self.lane))
        run = self._transactor.run
        self._transactor.run = lambda produce, offsets, _, at: run(  # type: ignore[method-assign]
            produce, offsets, self._stranger.consumer_group_metadata, at
        )


class IgnoresPending(LaneWorker):
    """Does not wait for a former owner's pending offsets when it takes a partition over."""

    def _open(self) -> None:
        super()._open()
        self._restorer._consumer = reader(
            self._kafka, self._pipeline.names.group(self.lane), **{"isolation.level": "read_uncommitted"}
        )


class CountsOutside(LaneWorker):
    """Produces its counts on their own, outside of the transaction."""

    def _open(self) -> None:
        super()._open()
        apart = Producer(self._kafka.client())
        true = self._parts.transactor.produce

        def produce(topic: str, value: bytes, key: bytes, partition: int, callback: Any, headers: Any) -> None:
            if topic == TELEMETRY_TOPIC:
                apart.produce(topic, value, key, partition)
                apart.flush(5)
            else:
                true(topic, value, key, partition, callback, headers)

        self._parts.transactor.produce = produce  # type: ignore[method-assign,assignment]


class HandlesLate(LaneWorker):
    """Calls the handler after the commit."""

    def _hand(self, chunk: Chunk) -> None:
        chunk.prepare(self.lane)
        for share, index in chunk.rows:
            share.costs = {**(share.costs or {}), index: 0.0}

    def _finish(self, wait_s: float) -> bool:
        chunk = self._chunk
        done = super()._finish(wait_s)
        if chunk is not None and done and chunk.records and self._handler is not None:
            assert all(isinstance(outcome, Done) for outcome in self._handler.handle(chunk.records))
        return done


class RetryPast(LaneWorker):
    """Commits past a record whose handler said Retry."""

    def _settle(self, chunk: Chunk) -> None:
        def ignore(index: int) -> None:
            """Nothing is cut."""

        for share in chunk.shares:
            type(share).cut = lambda share, index: ignore(index)  # type: ignore[method-assign]
        super()._settle(chunk)


class RetryForwards(LaneWorker):
    """Produces the forwards behind a record whose handler said Retry; its position stays at that record."""

    def _open(self) -> None:
        super()._open()
        true = commit.Contents.produce
        behind: list[Any] = []

        def produce(contents: commit.Contents, shares: Any, tally: Any) -> None:
            true(contents, shares, tally)
            for share in behind:
                contents._forward(share)
            behind.clear()

        commit.Contents.produce = produce  # type: ignore[method-assign]
        self._behind = behind

    def _settle(self, chunk: Chunk) -> None:
        whole = {
            id(s): (s, list(s.messages), list(s.headers), list(s.tokens), list(s.codes or ())) for s in chunk.shares
        }
        super()._settle(chunk)
        for share, messages, headers, tokens, codes in whole.values():
            left = len(share)
            if left and left < len(messages) and codes:
                tail = type(share)(share.partition, messages[left:], headers[left:], tokens[left:], codes[left:])
                self._behind.append(tail)


COMMIT: Final[dict[str, type[LaneWorker]]] = {
    "no-rewind": NoRewind,
    "keeps-buffer": KeepsBuffer,
    "keeps-f": KeepsF,
    "ahead-position": AheadPosition,
    "negative-position": NegativePosition,
    "offsets-first": OffsetsFirst,
    "no-generation": NoGeneration,
    "ignores-pending": IgnoresPending,
    "counts-outside": CountsOutside,
    "handles-late": HandlesLate,
    "retry-past": RetryPast,
    "retry-forwards": RetryForwards,
}
