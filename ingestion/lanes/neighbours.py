"""What the general worker must know of the side lanes: how far their groups have committed, and how far their logs reach."""

from collections.abc import Iterable

from confluent_kafka import KafkaException, TopicPartition

from ingestion.config import KafkaConfig, PipelineConfig
from ingestion.contracts.names import SIDE_LANES, Lane
from ingestion.lanes.clients import reader


class Neighbours:
    """Reads of the side lanes through consumers that never join their groups.

    read_uncommitted on purpose: the watermark must count aborted and open forwards too, and a committed offset that is about to change is merely stale.
    """

    def __init__(self, kafka: KafkaConfig, pipeline: PipelineConfig) -> None:
        self._names = pipeline.names
        self._readers = {
            lane: reader(kafka, self._names.group(lane), **{"isolation.level": "read_uncommitted"})
            for lane in SIDE_LANES
        }

    def committed(self, lane: Lane, partitions: Iterable[int], timeout_s: float = 2.0) -> dict[int, int]:
        """The lane's committed offset per partition; a partition without one, or that cannot be read now, is left out (not drained)."""
        topic = self._names.topic(lane)
        asked = [TopicPartition(topic, p) for p in partitions]
        try:
            found = self._readers[lane].committed(asked, timeout=timeout_s)
        except KafkaException:
            return {}
        return {tp.partition: tp.offset for tp in found if tp.error is None and tp.offset >= 0}

    def high_watermarks(self, partition: int, timeout_s: float = 5.0) -> dict[Lane, int]:
        """Where each lane's log ends, aborted and open transactions included. Raises KafkaException when a lane cannot be read."""
        marks = {}
        for lane in SIDE_LANES:
            found = self._readers[lane].get_watermark_offsets(
                TopicPartition(self._names.topic(lane), partition), timeout_s
            )
            marks[lane] = found[1]
        return marks

    def close(self) -> None:
        """Leave."""
        for consumer in self._readers.values():
            consumer.close()
