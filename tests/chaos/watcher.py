"""The concurrent reader: follows the lanes read_committed, the groups' committed offsets and the journal while the run goes on.

Its consumers join no group and go past the proxy, so that it sees on while the workers' lines are down; while the broker is down it waits.
"""

import threading
import time
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import Final, Self

from confluent_kafka import Consumer, KafkaException, Message, TopicPartition

from fairlane.demo.audit import parse_place
from ingestion.config import KafkaConfig, PipelineConfig
from ingestion.contracts import headers
from ingestion.contracts.names import SIDE_LANES, Lane
from ingestion.lanes.fence import token_hash
from ingestion.lanes.metadata import UnreadableMetadata, decode
from tests.chaos.live import Live, Place
from tests.support import journal

_EVERY_S: Final = 0.2
_LIMIT_S: Final = 2.0


class Watcher:
    """Watches in a thread of its own, as a context manager; `live` is what it found."""

    def __init__(
        self, kafka: KafkaConfig, pipeline: PipelineConfig, path: Path, name: Callable[[bytes], int] = token_hash
    ) -> None:
        self.live = Live(name)
        self.failure: BaseException | None = None
        self._pipeline = pipeline
        self._journal = path.open("rb")
        self._rest = b""
        names = pipeline.names
        self._lane_of = {names.topic(lane): lane for lane in Lane}
        config = {"enable_auto_commit": False, "auto_offset_reset": "earliest", "fetch_wait_max_ms": 20}
        self._reader = Consumer(kafka.client(group_id="chaos-watcher", isolation_level="read_committed", **config))
        self._groups = {
            lane: Consumer(
                kafka.client(group_id=names.group(lane), isolation_level="read_uncommitted", enable_auto_commit=False)
            )
            for lane in Lane
        }
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="watcher", daemon=True)

    def __enter__(self) -> Self:
        """Watch."""
        partitions = range(self._pipeline.partitions)
        self._reader.assign(
            [TopicPartition(t, p, 0) for t in (*self._lane_of, self._pipeline.names.dead) for p in partitions]
        )
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Look a last time, and end."""
        self._stop.set()
        self._thread.join(30)
        for consumer in (self._reader, *self._groups.values()):
            consumer.close()
        self._journal.close()

    def _run(self) -> None:
        try:
            due = 0.0
            while not self._stop.is_set():
                self._read()
                if time.monotonic() >= due:
                    due = time.monotonic() + _EVERY_S
                    self._compare()
            time.sleep(0.2)
            for _ in range(10):
                self._read()
            self._compare()
        except BaseException as error:
            self.failure = error

    def _read(self) -> None:
        for message in self._reader.consume(1_000, 0.05):
            if message.error() is None:
                self._take(message)
        self._tail()
        self.live.judge()

    def _take(self, message: Message) -> None:
        partition, offset = message.partition(), message.offset()
        assert partition is not None
        assert offset is not None
        found = {name: value.decode() for name, value in message.headers() or () if isinstance(value, bytes)}
        token = found.get(headers.TOKEN, "")
        lane = self._lane_of.get(message.topic() or "")
        if lane is Lane.GENERAL:
            self.live.record(partition, offset, token, found.get(headers.DISTINCT_ID, ""))
        elif lane is None:
            topic, source = _place(found.get(headers.DEAD_SOURCE, ""))
            if topic == self._pipeline.names.topic(Lane.GENERAL):
                self.live.buried(source)
        else:
            _, source = _place(found.get(headers.LANE_SOURCE, ""))
            self.live.forward(lane, partition, offset, source, token)

    def _tail(self) -> None:
        *lines, self._rest = (self._rest + self._journal.read()).split(b"\n")
        for line in lines:
            effect = journal.parse(line.decode())
            self.live.effect(effect.lane, _place(effect.source)[1])

    def _compare(self) -> None:
        """General first, the lanes after it, the journal last: so nothing that is still under way looks wrong."""
        try:
            found = {lane: self._commits(lane) for lane in (Lane.GENERAL, *SIDE_LANES)}
        except KafkaException:
            return  # the broker is away, or the coordinator is loading
        self._tail()
        self.live.judge()
        for partition, at in found[Lane.GENERAL].items():
            lanes = {lane: found[lane][partition].offset for lane in SIDE_LANES if partition in found[lane]}
            try:
                fence, _ = decode(at.metadata)
            except UnreadableMetadata:
                continue  # an operator's commit: the workers take everything for in flight
            self.live.covers_flight(partition, at.offset, fence, {x: lanes.get(x, -1) for x in SIDE_LANES})
        for lane, places in found.items():
            for partition, at in places.items():
                self.live.committed(lane, partition, at.offset)

    def _commits(self, lane: Lane) -> dict[int, TopicPartition]:
        topic = self._pipeline.names.topic(lane)
        places = [TopicPartition(topic, p) for p in range(self._pipeline.partitions)]
        found = self._groups[lane].committed(places, timeout=_LIMIT_S)
        return {at.partition: at for at in found if at.error is None and at.offset >= 0}


def _place(text: str) -> tuple[str, Place]:
    topic, number = parse_place(text)
    return topic, (number >> 48, number & ((1 << 48) - 1))
