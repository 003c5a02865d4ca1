"""Reads a pipeline's offsets from outside: committed first, last stable offsets and log starts second.

By consumers that join no group and hold no partition, not by the admin client: that one aborts the whole process (an assertion in librdkafka 2.16)
when a broker comes back while its requests are under way.
"""

from collections.abc import Iterable
from typing import Final

from confluent_kafka import OFFSET_BEGINNING, OFFSET_END, Consumer, KafkaException, TopicPartition

from ingestion.config import KafkaConfig, PipelineConfig
from ingestion.contracts.names import Lane
from ingestion.probe.lag import Offsets

Place = tuple[Lane, int]
"""A lane and a partition of it."""

REQUEST_S: Final = 3.0
"""How long one request may take."""


class LaneOffsets:
    """The offsets of all lanes. Owned by one thread."""

    def __init__(self, pipeline: PipelineConfig, kafka: KafkaConfig) -> None:
        names = pipeline.names
        self._topics = {lane: names.topic(lane) for lane in Lane}
        self._lanes = {topic: lane for lane, topic in self._topics.items()}
        self._partitions = range(pipeline.partitions)
        # read_uncommitted: under read_committed a worker's open commit would hold the answer back until it ends
        self._groups = {lane: self._consumer(kafka, names.group(lane), "read_uncommitted") for lane in Lane}
        self._stable = self._consumer(kafka, f"fairlane.{pipeline.name}.probe", "read_committed")
        self._committed: dict[Place, int] = {}

    @staticmethod
    def _consumer(kafka: KafkaConfig, group: str, isolation: str) -> Consumer:
        return Consumer(
            kafka.client(
                client_id="fairlane-probe", group_id=group, enable_auto_commit=False, isolation_level=isolation
            )
        )

    def read(self) -> dict[Place, Offsets]:
        """Every partition that could be read; one whose group did not answer keeps its last known committed offset, so that lag errs high.

        Raises KafkaException when nothing could be read; takes five request times at most.
        """
        committed = self._read_committed()
        places = [(lane, partition) for lane in Lane for partition in self._partitions]
        ends = self._ask(self._stable, places, OFFSET_END)
        starts = self._ask(self._stable, places, OFFSET_BEGINNING)
        return {
            place: Offsets(committed[place], starts[place], ends[place])
            for place in places
            if place in committed and place in starts and place in ends
        }

    def at_times(self, times_ms: Iterable[int]) -> dict[int, dict[int, int]]:
        """For each time, each general partition's first offset that was appended then or later, else its high watermark.

        A time whose request failed, for one partition or all, is left out.
        """
        reader = self._groups[Lane.GENERAL]
        places = [(Lane.GENERAL, partition) for partition in self._partitions]
        found: dict[int, dict[int, int]] = {}
        try:
            # before the times, else a record appended in between would count to a minute that had closed
            ends = self._ask(reader, places, OFFSET_END)
            for ms in times_ms:
                offsets = self._ask(reader, places, ms)
                if len(offsets) == len(ends) == len(places):
                    found[ms] = {p: at if at >= 0 else ends[lane, p] for (lane, p), at in offsets.items()}
        except KafkaException:
            pass  # these are asked for again in the next round
        return found

    def close(self) -> None:
        """Leave the broker."""
        for consumer in (*self._groups.values(), self._stable):
            consumer.close()

    def _read_committed(self) -> dict[Place, int]:
        """The lanes' committed offsets; -1 for none. Raises KafkaException when no group answers."""
        failure: KafkaException | None = None
        answered = 0
        for lane, consumer in self._groups.items():
            asked = [TopicPartition(self._topics[lane], partition) for partition in self._partitions]
            try:
                answers = consumer.committed(asked, REQUEST_S)
            except KafkaException as error:
                failure = error
                if not answered:
                    break  # the next group would wait as long, and lag errs high without it
                continue
            answered += 1
            self._committed.update({(lane, at.partition): max(at.offset, -1) for at in answers if at.error is None})
        if failure is not None and not answered:
            raise failure
        return dict(self._committed)

    def _ask(self, consumer: Consumer, places: Iterable[Place], what: int) -> dict[Place, int]:
        """The offsets for `what`: a time (ms), or OFFSET_BEGINNING or OFFSET_END, which ListOffsets takes in place of a time."""
        asked = [TopicPartition(self._topics[lane], partition, what) for lane, partition in places]
        answers = consumer.offsets_for_times(asked, REQUEST_S)
        return {(self._lanes[at.topic], at.partition): at.offset for at in answers if at.error is None}
