"""What the two lane benchmarks share: a backlog in the general topic, and a measured stretch of work on it.

The bare loops are what one would write first: Python's collector runs in them as it comes, while our worker holds it back, which is part of its speed.
Each runs a second time with the collector held back as ours does: `ratio_same_collector` says what our own code costs.
"""

import logging
import statistics
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import uuid_utils
from confluent_kafka import Consumer, Producer
from prometheus_client import CollectorRegistry

from fairlane.stack.kafka import LocalKafka
from ingestion.config import KafkaConfig, PipelineConfig, WorkerConfig
from ingestion.contracts import headers
from ingestion.contracts.names import STATE_TOPIC, Lane
from ingestion.contracts.routes import Route
from ingestion.lanes.collector import held_back
from ingestion.lanes.hooks import Moment, Point
from ingestion.lanes.topics import ensure_topics
from ingestion.lanes.worker import LaneWorker
from slo.clock import SystemClock
from slo.errors import StackUnavailable

RECORDS: Final = 250_000
BATCH: Final = 10_000
TOKENS: Final = 100
ROUNDS: Final = 3
ROUND_LIMIT_S: Final = 60.0

Progress = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Stretch:
    """Work between the first and the last batch: records, wall seconds, processor seconds of this process."""

    records: int
    wall_s: float
    processor_s: float

    @property
    def rate(self) -> float:
        """Records a second."""
        return self.records / self.wall_s


class Meter:
    """Notes each finished batch; the first one, with its connecting and joining, only starts the watch."""

    def __init__(self) -> None:
        self.total = 0
        self._first: tuple[int, float, float] | None = None
        self._last = (0, 0.0, 0.0)

    def batch(self, records: int) -> None:
        """A batch is done."""
        self.total += records
        self._last = (self.total, time.perf_counter(), time.process_time())
        self._first = self._first or self._last

    def stretch(self) -> Stretch:
        """What was measured. Raises StackUnavailable when there were not two batches."""
        if self._first is None or self._last[0] == self._first[0]:
            raise StackUnavailable(
                "the benchmark saw fewer than two batches: is this machine overloaded? Try it again."
            )
        return Stretch(*(last - first for last, first in zip(self._last, self._first, strict=True)))  # type: ignore[arg-type]


@contextmanager
def broker(progress: Progress) -> Iterator[LocalKafka]:
    """A Kafka of the benchmark's own."""
    with tempfile.TemporaryDirectory(prefix="fairlane-bench-") as home, LocalKafka(Path(home)) as kafka:
        progress(f"Kafka {kafka.version} is up")
        yield kafka


def fill(
    kafka: LocalKafka, name: str, *, records: int = RECORDS, partitions: int = 12, value: bytes = b"x" * 200
) -> PipelineConfig:
    """A pipeline of `partitions` with `records` records waiting, a value of 200 bytes and the headers of the contract each; 1,000 keys, 100 tokens."""
    pipeline = PipelineConfig(name=name, partitions=partitions, replication=1, chunk_records=BATCH)
    ensure_topics(kafka.admin(), pipeline, local=True)
    producer = Producer(kafka.config().client(linger_ms=20, queue_buffering_max_messages=500_000))
    topic, now = pipeline.names.topic(Lane.GENERAL), str(int(time.time() * 1000)).encode()
    for number in range(records):
        key = f"user-{number % 1_000}".encode()
        producer.produce(
            topic,
            value,
            key,
            number % partitions,
            headers=[
                (headers.TOKEN, token(number % TOKENS).encode()),
                (headers.DISTINCT_ID, key),
                (headers.EVENT_ID, str(uuid_utils.uuid7()).encode()),
                (headers.EVENT, b"bench"),
                (headers.CAPTURED_AT, now),
                (headers.CONTRACT, b"1"),
            ],
        )
        if number % 1_000 == 0:
            producer.poll(0)
    if producer.flush(ROUND_LIMIT_S):
        raise StackUnavailable("the benchmark's backlog could not be written: is the disk full?")
    return pipeline


def token(number: int) -> str:
    """The name of a token of the backlog."""
    return f"tenant-{number}"


def route_all(kafka: KafkaConfig, pipeline: PipelineConfig) -> None:
    """Want every token in overflow."""
    producer = Producer(kafka.client())
    now_ms = int(time.time() * 1000)
    for number in range(TOKENS):
        key, value = Route(pipeline.name, token(number), Lane.OVERFLOW, now_ms).encode()
        producer.produce(STATE_TOPIC, value, key, 0)
    producer.flush(ROUND_LIMIT_S)


def run_worker(kafka: KafkaConfig, pipeline: PipelineConfig) -> Stretch:
    """Our general worker on the whole backlog, with nothing in place of a handler."""
    meter, stop = Meter(), threading.Event()

    class Watch:
        """Notes commits; stops the worker at the end of the backlog."""

        def at(self, point: Point, moment: Moment) -> None:
            """A chunk was committed."""
            if point is Point.COMMITTED and (records := moment.local + moment.forwards):
                meter.batch(records)
                if meter.total >= RECORDS:
                    stop.set()

    worker = LaneWorker(
        Lane.GENERAL, pipeline, kafka, WorkerConfig(slot="0"), None, SystemClock(), CollectorRegistry(), hooks=Watch()
    )
    limit = threading.Timer(ROUND_LIMIT_S, stop.set)
    limit.start()
    try:
        worker.run(stop)
    finally:
        limit.cancel()
    return meter.stretch()


def full_batches(consumer: Consumer) -> Iterator[list]:  # type: ignore[type-arg]
    """The backlog in batches of BATCH, as a bare loop takes them; the last one may be smaller."""
    seen, deadline = 0, time.monotonic() + ROUND_LIMIT_S
    while seen < RECORDS and time.monotonic() < deadline:
        messages = [m for m in consumer.consume(min(BATCH, RECORDS - seen), 2.0) if m.error() is None]
        seen += len(messages)
        if messages:
            yield messages


def compare(
    progress: Progress,
    kafka: LocalKafka,
    ours: Callable[[PipelineConfig], Stretch],
    bare: Callable[[PipelineConfig], Stretch],
) -> dict[str, object]:
    """Both on fresh backlogs, in alternating order; the ratio is the median of the rounds' ratios."""
    logging.getLogger("ingestion").setLevel(logging.ERROR)
    pairs: list[tuple[Stretch, Stretch]] = []
    tuned: list[Stretch] = []
    for number in range(ROUNDS):
        pipeline = fill(kafka, f"bench-{number}")
        first, second = (ours, bare) if number % 2 else (bare, ours)
        a, b = first(pipeline), second(pipeline)
        pair = (a, b) if number % 2 else (b, a)
        pairs.append(pair)
        with held_back():
            tuned.append(bare(pipeline))
        progress(
            f"round {number + 1} of {ROUNDS}: ours {pair[0].rate:,.0f}/s, bare {pair[1].rate:,.0f}/s, "
            f"bare with the collector held back {tuned[-1].rate:,.0f}/s"
        )
    mine, theirs = [pair[0] for pair in pairs], [pair[1] for pair in pairs]
    busy = statistics.median(one.processor_s / one.wall_s for one in mine)
    return {
        "ratio": round(statistics.median(m.rate / t.rate for m, t in pairs), 3),
        "ratio_same_collector": round(statistics.median(m.rate / t.rate for m, t in zip(mine, tuned, strict=True)), 3),
        "processor_ratio": round(
            statistics.median((t.processor_s / t.records) / (m.processor_s / m.records) for m, t in pairs), 3
        ),
        "ours_per_s": round(statistics.median(one.rate for one in mine)),
        "bare_per_s": round(statistics.median(one.rate for one in theirs)),
        "records": RECORDS,
        "batch": BATCH,
        "rounds": ROUNDS,
        "processor_busy": round(busy, 2),
    }
