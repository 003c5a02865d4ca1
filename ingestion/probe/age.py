"""The oldest unprocessed record's age: exact from the record itself, else interpolated, else unknown."""

import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from confluent_kafka import Consumer, KafkaError, Message, TopicPartition

from ingestion.config import KafkaConfig, PipelineConfig
from ingestion.contracts import headers
from ingestion.contracts.names import Lane
from ingestion.probe.lag import Offsets, born_between
from ingestion.probe.offsets import Place


class AgeKind(StrEnum):
    """How an age is known."""

    EXACT = "exact"
    INTERPOLATED = "interpolated"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class Head:
    """The first readable record at or behind `asked`: captured at `born_ms`; None when there was none before `end`."""

    asked: int
    end: int
    born_ms: int | None


class AgeBook:
    """What is known about each partition's oldest record. Pure."""

    def __init__(self) -> None:
        self._heads: dict[Place, Head] = {}

    def to_read(self, offsets: Mapping[Place, Offsets]) -> dict[Place, int]:
        """The places whose head must be read again, and from which offset."""
        return {place: at.head for place, at in offsets.items() if at.lag > 0 and not self._knows(place, at)}

    def learn(self, offsets: Mapping[Place, Offsets], born_ms: Mapping[Place, int | None]) -> None:
        """Keep what was read for these offsets; None means that no record stands between head and end (markers only)."""
        for place, born in born_ms.items():
            at = offsets[place]
            self._heads[place] = Head(at.head, at.end, born)

    def age(self, place: Place, at: Offsets, now_ms: int) -> tuple[float, AgeKind]:
        """Seconds since the oldest unprocessed record of `place` was captured, and how that is known; 0 when unknown."""
        if at.lag == 0:
            return 0.0, AgeKind.EXACT
        head = self._heads.get(place)
        if head is not None and self._knows(place, at):
            return (0.0 if head.born_ms is None else max(now_ms - head.born_ms, 0) / 1000), AgeKind.EXACT
        if head is None or head.born_ms is None:
            return 0.0, AgeKind.UNKNOWN
        born = born_between((head.asked, head.born_ms), (at.end, now_ms), at.head)
        return max(now_ms - born, 0) / 1000, AgeKind.INTERPOLATED

    def _knows(self, place: Place, at: Offsets) -> bool:
        head = self._heads.get(place)
        return head is not None and head.asked == at.head and (head.born_ms is not None or head.end == at.end)


def born_ms(message: Message, now_ms: int) -> int:
    """When the record's event was captured (ms): its header; without one, or with one in the future, when it was appended to general."""
    found = headers.of(message)
    captured = _number(headers.get(found, headers.CAPTURED_AT))
    if captured is not None and captured <= now_ms:
        return captured
    appended = _number(headers.get(found, headers.APPENDED_AT))
    return min(appended if appended is not None else message.timestamp()[1], now_ms)


def _number(text: str | None) -> int | None:
    return int(text) if text is not None and len(text) <= 18 and text.isascii() and text.isdigit() else None


PARTITION_EOF: Final = KafkaError._PARTITION_EOF  # noqa: SLF001  the client's public name for it
FETCH_BYTES: Final = 65_536
"""Per partition and fetch: enough for one record; a larger first batch still comes whole."""


class HeadReader:
    """Reads single records at given offsets, read_committed, in no group. Owned by one thread."""

    def __init__(self, pipeline: PipelineConfig, kafka: KafkaConfig) -> None:
        self._names = pipeline.names
        self._lanes = {self._names.topic(lane): lane for lane in Lane}
        self._consumer = Consumer(
            kafka.client(
                client_id="fairlane-probe-head",
                group_id=f"fairlane.{pipeline.name}.probe",  # never joined: the client asks for a name
                enable_auto_commit=False,
                enable_partition_eof=True,
                auto_offset_reset="earliest",
                isolation_level="read_committed",
                queued_min_messages=1,
                queued_max_messages_kbytes=4_096,
                fetch_message_max_bytes=FETCH_BYTES,
                fetch_wait_max_ms=20,
                fetch_queue_backoff_ms=10,  # with so short a queue the default, 1 s, would be waited out
            )
        )

    def read(self, wanted: Mapping[Place, int], limit_s: float, now_ms: int) -> dict[Place, int | None]:
        """When the first record at or behind each offset was captured (ms), None where the partition ends first.

        Takes `limit_s` seconds at most; what did not arrive by then is left out.
        """
        found: dict[Place, int | None] = {}
        if not wanted:
            return found
        deadline = time.monotonic() + limit_s
        self._consumer.assign([TopicPartition(self._names.topic(lane), p, at) for (lane, p), at in wanted.items()])
        try:
            while len(found) < len(wanted) and (left := deadline - time.monotonic()) > 0:
                self._take(self._consumer.consume(200, min(left, 0.02)), found, now_ms)
        finally:
            self._consumer.unassign()
        return found

    def _take(self, messages: Iterable[Message], found: dict[Place, int | None], now_ms: int) -> None:
        for message in messages:
            topic, partition, error = message.topic(), message.partition(), message.error()
            if topic not in self._lanes or partition is None:
                continue  # a broker error, not about a partition: the deadline ends the wait
            place = self._lanes[topic], partition
            if place in found:
                continue
            if error is None:
                found[place] = born_ms(message, now_ms)
            elif error.code() == PARTITION_EOF:
                found[place] = None

    def close(self) -> None:
        """Leave the broker."""
        self._consumer.close()
