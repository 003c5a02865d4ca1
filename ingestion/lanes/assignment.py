"""Rule 3: on assignment, abort, fatal error or unknown outcome, position and F come from `committed()`, never from memory."""

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from confluent_kafka import Consumer, KafkaException, TopicPartition

from ingestion.contracts.names import Lane
from ingestion.lanes.fence import Fence, unknown
from ingestion.lanes.metadata import Suspect, UnreadableMetadata, decode
from ingestion.lanes.neighbours import Neighbours

log = logging.getLogger(__name__)

_TRY_S = 2.0


@dataclass(frozen=True, slots=True)
class Restored:
    """Where a partition stands."""

    position: int
    fence: Fence
    suspect: Suspect | None = None
    must_commit: bool = False
    """The group has no commit here, or one that has left the log."""
    lost: int = 0
    """Records between the committed offset and the log start: deleted before they were handled."""


class Restorer:
    """Reads `committed()` under read_committed, so it waits until every pending transactional commit has ended."""

    def __init__(self, consumer: Consumer, topic: str, lane: Lane, neighbours: Neighbours | None) -> None:
        self._consumer = consumer
        self._topic = topic
        self._lane = lane
        self._neighbours = neighbours

    def restore(self, partitions: Sequence[int], give_up: Callable[[], bool]) -> dict[int, Restored]:
        """Position, F and suspect of each partition. Asks until Kafka answers; returns {} when `give_up` says so before."""
        waiting = [TopicPartition(self._topic, p) for p in partitions]
        while waiting:
            try:
                found = self._consumer.committed(waiting, timeout=_TRY_S)
                if all(tp.error is None for tp in found):
                    return {tp.partition: self._one(tp) for tp in found}
            except KafkaException as error:
                log.info("%s: waiting for the committed offsets: %s", self._lane, error)
            if give_up():
                break
        return {}

    def _one(self, tp: TopicPartition) -> Restored:
        low, _ = self._consumer.get_watermark_offsets(tp, timeout=_TRY_S)
        position = tp.offset if tp.offset >= 0 else low
        lost = max(0, low - position)
        if lost:
            log.error(
                "%s/%d: %d records were deleted by retention before they were handled", self._lane, tp.partition, lost
            )
        if tp.offset >= 0:
            try:
                fence, suspect = decode(tp.metadata)
            except UnreadableMetadata as error:
                if self._lane is Lane.GENERAL:
                    log.warning("%s partition %d: %s; waiting for the lanes to drain", self._lane, tp.partition, error)
            else:
                return Restored(max(position, low), fence, suspect, must_commit=lost > 0, lost=lost)
        # after the read of committed(): whatever a dead owner may still have in flight lies below these watermarks
        fence = unknown(self._neighbours.high_watermarks(tp.partition)) if self._neighbours is not None else Fence()
        return Restored(max(position, low), fence, must_commit=tp.offset < 0 or lost > 0, lost=lost)
