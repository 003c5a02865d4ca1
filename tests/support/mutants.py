"""The worker with one rule of the fence broken: the oracle must catch each of them."""

from confluent_kafka import TopicPartition

from ingestion.contracts.names import Lane
from ingestion.lanes.worker import LaneWorker


class NoRewind(LaneWorker):
    """Goes on from memory after an abort: what the aborted transaction held is lost."""

    def rewind(self) -> None:
        """Have a producer, and keep buffers, F and positions."""
        self._transactor.ready(self._stopping)


class NoDrain(LaneWorker):
    """Lets a token come back while its records still wait in the lane that it left."""

    def drained(self, lane: Lane, partition: int, last: int) -> bool:
        """Never ask."""
        return True


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


MUTANTS: dict[str, type[LaneWorker]] = {
    "no-rewind": NoRewind,
    "no-drain": NoDrain,
    "ahead-position": AheadPosition,
    "negative-position": NegativePosition,
}


def find(name: str) -> type[LaneWorker]:
    """The worker called so; the true one for an empty name."""
    return MUTANTS[name] if name else LaneWorker
