"""The booking on a real Kafka: committed counts once, aborted ones never, through restarts and a failing database."""

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

import pytest
from confluent_kafka import Producer
from prometheus_client import CollectorRegistry
from sqlalchemy import Engine, event
from sqlalchemy.exc import OperationalError

from fairlane.booking import BookingConsumer
from fairlane.stack.kafka import LocalKafka
from ingestion.config import KafkaConfig, PipelineConfig
from ingestion.contracts.names import TELEMETRY_TOPIC
from ingestion.contracts.telemetry import Kind, Message, SliCounts, encode
from ingestion.lanes.topics import ensure_topics
from slo.clock import SystemClock
from slo.store import SliceStore
from tests.support.telemetry import capture, outcomes, probe

pytestmark = pytest.mark.kafka
LIMIT_S = 30.0


def wait(what: Callable[[], bool], why: str) -> None:
    until = time.monotonic() + LIMIT_S
    while not what():
        assert time.monotonic() < until, why
        time.sleep(0.05)


class Bench:
    """One pipeline's telemetry, and what was booked of it."""

    def __init__(self, kafka: LocalKafka, pipeline: PipelineConfig, engine: Engine) -> None:
        ensure_topics(kafka.admin(), pipeline, local=True)
        self.config, self.pipeline, self.engine = kafka.config(), pipeline, engine
        self.registry = CollectorRegistry()
        self.minute = int(time.time()) // 60
        self.plain = Producer(self.config.client())

    def send(self, *messages: Message | bytes, key: str = "") -> None:
        for message in messages:
            value = message if isinstance(message, bytes) else encode(message)
            self.plain.produce(TELEMETRY_TOPIC, value, key or self.pipeline.name)
        assert self.plain.flush(LIMIT_S) == 0

    def transaction(self, *messages: Message, commit: bool) -> None:
        producer = Producer({**self.config.client(), "transactional.id": f"t.{self.pipeline.name}"})
        producer.init_transactions(LIMIT_S)
        producer.begin_transaction()
        for message in messages:
            producer.produce(TELEMETRY_TOPIC, encode(message), self.pipeline.name)
        assert producer.flush(LIMIT_S) == 0
        if commit:
            producer.commit_transaction(LIMIT_S)
        else:
            producer.abort_transaction(LIMIT_S)

    @contextmanager
    def booking(self, config: KafkaConfig | None = None) -> Iterator[BookingConsumer]:
        self.registry = CollectorRegistry()
        consumer = BookingConsumer(config or self.config, self.pipeline, self.engine, SystemClock(), self.registry)
        stop, codes = threading.Event(), list[int]()
        thread = threading.Thread(target=lambda: codes.append(consumer.run(stop)), daemon=True)
        thread.start()
        try:
            yield consumer
        finally:
            stop.set()
            thread.join(10)
            assert codes == [0]

    def booked(self, name: str) -> int:
        found = SliceStore(self.engine).totals().get(f"{self.pipeline.name}-{name}")
        return found.slice.good if found else 0

    def metric(self, name: str, **labels: str) -> float:
        return self.registry.get_sample_value(name, {"pipeline": self.pipeline.name, **labels}) or 0.0


@pytest.fixture
def bench(kafka: LocalKafka, pipeline_config: PipelineConfig, engine: Engine) -> Bench:
    return Bench(kafka, pipeline_config, engine)


def test_committed_counts_are_booked_once_and_aborted_ones_never(bench: Bench) -> None:
    def good(count: int) -> SliCounts:
        return outcomes(bench.pipeline.name, bench.minute, {Kind.GOOD: count})

    bench.transaction(good(5), commit=True)
    bench.transaction(replace(good(1000), skewed=9), commit=False)
    bench.transaction(replace(good(7), skewed=2), commit=True)
    bench.send(
        outcomes("other", bench.minute, {Kind.GOOD: 100_000}),
        capture(bench.pipeline.name, 0, accepted=3),
        b'{"v":1,"k":"sli","pipeline":5}',
        b"\xff\x00 no telemetry",
    )
    bench.send(outcomes("other", bench.minute, {Kind.GOOD: 10_000}), key="other")
    with bench.booking() as consumer:
        wait(lambda: bench.booked("capture-availability") == 3, "the last message was not booked")
        wait(lambda: bench.metric("fairlane_booking_unreadable_total") == 2, "unreadable messages were not counted")
        assert bench.booked("freshness-all") == 12
        assert bench.metric("fairlane_booking_messages_total", kind="sli") == 2
        assert bench.metric("fairlane_booking_skewed_total") == 2
        assert consumer.live()
        assert consumer.ready()
    bench.transaction(good(1), commit=True)
    with bench.booking():
        wait(lambda: bench.booked("freshness-all") > 12, "a restarted booking did not go on")
        assert bench.booked("freshness-all") == 13
        assert bench.metric("fairlane_booking_messages_total", kind="sli") == 1


def test_a_failing_database_neither_loses_nor_doubles(bench: Bench) -> None:
    commits = 0

    def fail(_: Any) -> None:
        nonlocal commits
        commits += 1
        if commits % 2:
            raise OperationalError("COMMIT", {}, Exception("the disk is full"))

    event.listen(bench.engine, "commit", fail)
    try:
        with bench.booking():
            for _ in range(5):
                bench.send(outcomes(bench.pipeline.name, bench.minute, {Kind.GOOD: 10}))
                time.sleep(0.3)
            wait(lambda: bench.booked("freshness-all") >= 50, "the booking gave up")
            assert bench.metric("fairlane_booking_errors_total") >= 1
    finally:
        event.remove(bench.engine, "commit", fail)
    assert bench.booked("freshness-all") == 50


def test_two_bookings_on_one_database_count_once(bench: Bench) -> None:
    with bench.booking(), bench.booking():
        for _ in range(8):
            bench.send(outcomes(bench.pipeline.name, bench.minute, {Kind.GOOD: 10}))
            time.sleep(0.3)
        wait(lambda: bench.booked("freshness-all") >= 80, "not everything was booked")
        time.sleep(1.5)
    assert bench.booked("freshness-all") == 80


def test_the_probes_look_becomes_time_slices_and_points(bench: Bench) -> None:
    with bench.booking():
        for age in (1.0, 31.0, 2.0):
            bench.send(probe(bench.pipeline.name, 0, ages=[age, 0.0], lags=[3, 4]))
            time.sleep(1.1)
        wait(lambda: bench.booked("lag") >= 3, "the seconds were not booked")
        store = SliceStore(bench.engine).totals()
        age, lag = (store[f"{bench.pipeline.name}-{name}"].slice for name in ("oldest-age", "lag"))
        assert lag.good == lag.total == age.total
        assert 1 <= age.bad <= 2


def test_it_waits_for_the_topic_and_for_kafka(
    kafka: LocalKafka, pipeline_config: PipelineConfig, engine: Engine
) -> None:
    nowhere = KafkaConfig(bootstrap="127.0.0.1:1")
    registry = CollectorRegistry()
    consumer = BookingConsumer(nowhere, pipeline_config, engine, SystemClock(), registry)
    stop = threading.Event()
    thread = threading.Thread(target=consumer.run, args=(stop,), daemon=True)
    thread.start()
    wait(
        lambda: (
            (registry.get_sample_value("fairlane_booking_errors_total", {"pipeline": pipeline_config.name}) or 0) > 0
        ),
        "no error was counted",
    )
    assert not consumer.ready()
    assert consumer.live()
    stop.set()
    thread.join(10)
    assert not thread.is_alive()
