"""Lane workers in threads on the session's Kafka, and a load with known order."""

import threading
import time
import uuid
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from zlib import crc32

from confluent_kafka import Consumer, KafkaError, KafkaException, Message, Producer, TopicPartition
from prometheus_client import CollectorRegistry

from ingestion.config import KafkaConfig, PipelineConfig, WorkerConfig
from ingestion.contracts import headers as h
from ingestion.contracts.names import STATE_TOPIC, TELEMETRY_TOPIC, Lane
from ingestion.contracts.records import Done, Handler, Outcome, Record
from ingestion.contracts.routes import Route
from ingestion.contracts.telemetry import SliCounts, WorkerReport, decode
from ingestion.lanes.worker import LaneWorker
from slo.clock import SystemClock


class Notes:
    """A handler that remembers what it applied, per key, and does as it is told. `answer`: the outcome of a record; may raise."""

    def __init__(self, answer: Callable[[Record], Outcome] = lambda _: Done(), work_s: float = 0.0) -> None:
        self.answer = answer
        self.work_s = work_s
        self.applied: list[Record] = []
        self.given: list[Record] = []

    def handle(self, batch: Sequence[Record], /) -> list[Outcome]:
        """Answer for each; only Done records are applied."""
        outcomes = []
        for record in batch:
            self.given.append(record)
            if self.work_s:
                time.sleep(self.work_s)
            outcome = self.answer(record)
            outcomes.append(outcome)
            if isinstance(outcome, Done):
                self.applied.append(record)
        return outcomes

    def keys(self) -> dict[tuple[str, str], list[int]]:
        """(token, distinct_id) -> source offsets in the order of application."""
        found: dict[tuple[str, str], list[int]] = defaultdict(list)
        for record in self.applied:
            found[record.token, record.distinct_id].append(int(record.source.rpartition("/")[2]))
        return found


class Running:
    """One worker in a thread; `code` is its exit code once it has left."""

    def __init__(self, worker: LaneWorker) -> None:
        self.worker = worker
        self.code: int | None = None
        self.error: BaseException | None = None
        self.stop = threading.Event()
        self.thread = threading.Thread(target=self._run, daemon=True)
        self.thread.start()

    def _run(self) -> None:
        try:
            self.code = self.worker.run(self.stop)
        except BaseException as error:
            self.error = error

    def leave(self, limit_s: float = 15.0) -> float:
        """Stop it and wait; returns the seconds that it took."""
        start = time.monotonic()
        self.stop.set()
        self.thread.join(limit_s)
        assert not self.thread.is_alive(), "the worker did not stop"
        return time.monotonic() - start


class Bench:
    """A pipeline's load, routes and workers; everything it starts ends with `working`."""

    def __init__(self, kafka: KafkaConfig, pipeline: PipelineConfig) -> None:
        self.kafka = kafka
        self.pipeline = pipeline
        self.running: list[Running] = []
        self.sent = 0
        self._producer = Producer(kafka.client(linger_ms=2))

    def worker(
        self, lane: Lane, handler: Handler | None, slot: str = "0", kind: type[LaneWorker] = LaneWorker
    ) -> Running:
        """Start one."""
        made = kind(
            lane, self.pipeline, self.kafka, WorkerConfig(slot=slot), handler, SystemClock(), CollectorRegistry()
        )
        self.running.append(Running(made))
        return self.running[-1]

    def send(self, tokens: Sequence[str | None], *, keys: int = 8, extra: Sequence[tuple[str, bytes]] = ()) -> None:
        """Append one record per token named, keys in turn, each key to its partition; waits for Kafka."""
        for token in tokens:
            key = f"d{self.sent % keys}"
            headers = [(h.TOKEN, token.encode())] if token is not None else []
            headers += [
                (h.DISTINCT_ID, key.encode()),
                (h.EVENT_ID, uuid.uuid4().hex.encode()),
                (h.EVENT, b"%d" % self.sent),
                (h.CAPTURED_AT, b"%d" % (time.time() * 1000)),
                (h.CONTRACT, b"1"),
                *extra,
            ]
            topic = self.pipeline.names.topic(Lane.GENERAL)
            self._producer.produce(
                topic, b"{}", key.encode(), crc32(key.encode()) % self.pipeline.partitions, headers=headers
            )
            self.sent += 1
        assert self._producer.flush(15) == 0

    def route(self, token: str, lane: Lane) -> None:
        """Want the token in the lane from now on."""
        key, value = Route(self.pipeline.name, token, lane, int(time.time() * 1000)).encode()
        self._producer.produce(STATE_TOPIC, value, key, 0)
        assert self._producer.flush(15) == 0

    def commit(self, lane: Lane, offsets: dict[int, int], metadata: str = "") -> None:
        """Commit for a group that has no members."""
        topic = self.pipeline.names.topic(lane)
        client = Consumer(self.kafka.client(group_id=self.pipeline.names.group(lane), enable_auto_commit=False))
        places = [TopicPartition(topic, p, o, metadata) for p, o in offsets.items()]
        client.commit(offsets=places, asynchronous=False)
        client.close()

    def committed(self, lane: Lane) -> dict[int, tuple[int, str]]:
        """Partition -> position and metadata of the group's commit."""
        topic = self.pipeline.names.topic(lane)
        client = Consumer(self.kafka.client(group_id=self.pipeline.names.group(lane), enable_auto_commit=False))
        found = client.committed([TopicPartition(topic, p) for p in range(self.pipeline.partitions)], 10)
        client.close()
        return {tp.partition: (tp.offset, tp.metadata or "") for tp in found if tp.offset >= 0}

    def lag(self, lane: Lane) -> int:
        """Records between the group's commit and the last stable offset; a partition without a commit counts whole, and one more."""
        topic = self.pipeline.names.topic(lane)
        client = Consumer(self.kafka.client(group_id=self.pipeline.names.group(lane), enable_auto_commit=False))
        try:
            found = client.committed([TopicPartition(topic, p) for p in range(self.pipeline.partitions)], 10)
            return sum(client.get_watermark_offsets(tp, 10)[1] - max(tp.offset, -1) for tp in found)
        except KafkaException:
            return 1  # the coordinator is still loading, or a commit is under way: ask again
        finally:
            client.close()

    def read(self, topic: str) -> list[Message]:
        """All committed records of a topic."""
        client = Consumer(
            self.kafka.client(
                group_id=uuid.uuid4().hex,
                enable_auto_commit=False,
                enable_partition_eof=True,
                isolation_level="read_committed",
            )
        )
        count = len(client.list_topics(topic, 10).topics[topic].partitions)
        client.assign([TopicPartition(topic, p, 0) for p in range(count)])
        found, ends, limit = [], 0, time.monotonic() + 20
        while ends < count and time.monotonic() < limit:
            for message in client.consume(1_000, 0.2):
                error = message.error()
                if error is None:
                    found.append(message)
                elif error.code() == KafkaError._PARTITION_EOF:
                    ends += 1
        client.close()
        assert ends == count, f"{topic} was not read to its end"
        return found

    def telemetry(self) -> tuple[list[SliCounts], list[WorkerReport]]:
        """What this pipeline's workers have said."""
        counts, reports = [], []
        for message in self.read(TELEMETRY_TOPIC):
            if message.key() == self.pipeline.name.encode():
                told = decode(message.value() or b"")
                if isinstance(told, SliCounts):
                    counts.append(told)
                elif isinstance(told, WorkerReport):
                    reports.append(told)
        return counts, reports


@contextmanager
def working(kafka: KafkaConfig, pipeline: PipelineConfig) -> Iterator[Bench]:
    """A bench whose workers are stopped at the end."""
    bench = Bench(kafka, pipeline)
    try:
        yield bench
    finally:
        for one in bench.running:
            one.stop.set()
        for one in bench.running:
            one.thread.join(20)
