"""Telemetry that is not what it says, and a telemetry topic that grows: the controller and the booking go on."""

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from confluent_kafka import Consumer, TopicPartition
from confluent_kafka.admin import NewPartitions
from prometheus_client import CollectorRegistry
from sqlalchemy import Engine

from fairlane.booking import BookingConsumer
from fairlane.database import open_database
from fairlane.stack.kafka import LocalKafka
from ingestion.config import PipelineConfig
from ingestion.contracts.names import TELEMETRY_TOPIC, Lane
from ingestion.contracts.telemetry import Action, encode
from ingestion.lanes.clients import plain_producer
from ingestion.lanes.topics import ensure_topics
from isolator import commands
from isolator.controller import Controller
from isolator.membership import place_of
from isolator.projection import NoProjection
from isolator.state import StateReader
from slo.clock import SystemClock
from slo.store import SliceStore
from tests.support.control import POLICY, Feed, eventually
from tests.support.telemetry import capture

pytestmark = pytest.mark.kafka

POISON = (
    b'{"v":1,"k":"worker","pipeline":"NAME","at_ms":AT,"interval_s":"x","lane":"general","slot":"0","build":"b","overhead_s":0}',
    b'{"v":1,"k":"worker","pipeline":"NAME","at_ms":AT,"interval_s":1,"lane":"general","slot":0,"build":[],"overhead_s":null,"partitions":[[0]],"tokens":[[]]}',
    b'{"v":1,"k":"worker","pipeline":"NAME","at_ms":AT,"interval_s":1,"lane":"nowhere","slot":"0","build":"b","overhead_s":0}',
    b'{"v":1,"k":"arrivals","pipeline":"NAME","at_ms":AT,"interval_s":1,"tokens":[["t","zero",1,1]]}',
    b'{"v":1,"k":"arrivals","pipeline":"NAME","at_ms":AT,"interval_s":1,"tokens":[["t",-7,1,1]]}',
    b'{"v":1,"k":"arrivals","pipeline":"NAME","at_ms":AT,"interval_s":1,"tokens":[["t",HUGE,1,1]]}',
    b'{"v":1,"k":"arrivals","pipeline":"NAME","at_ms":AT,"interval_s":1,"tokens":[["t",0,-1e300,1]]}',
    b'{"v":1,"k":"arrivals","pipeline":"NAME","at_ms":AT,"interval_s":1,"tokens":[[{},0,1,1]]}',
    b'{"v":1,"k":"arrivals","pipeline":"NAME","at_ms":AT,"interval_s":0,"tokens":5}',
    b'{"v":1,"k":"arrivals","pipeline":"NAME","at_ms":AT,"interval_s":1,"tokens":[],"active_sketch":"AAAA"}',
    b'{"v":1,"k":"arrivals","pipeline":"NAME","at_ms":"noon","interval_s":1}',
    b'{"v":1,"k":"probe","pipeline":"NAME","at_ms":AT,"lanes":[["general",0,"a",0,0,0,"exact",0]]}',
    b'{"v":1,"k":"probe","pipeline":"NAME","at_ms":AT,"lanes":[["general",-1,0,0,null,0,"exact",0]],"expected":[[1,2]]}',
    b'{"v":1,"k":"probe","pipeline":"NAME","at_ms":AT,"lanes":[],"expected":[["now",0,5]]}',
    b'{"v":1,"k":"sli","pipeline":"NAME","at_ms":AT,"lane":"general","counts":[[1,"protected","good","many"]]}',
    b'{"v":1,"k":"sli","pipeline":"NAME","at_ms":AT,"lane":"general","counts":[[HUGE,"protected","good",HUGE]],"protected_histogram":"x"}',
    b'{"v":1,"k":"capture","pipeline":"NAME","at_ms":AT,"interval_s":"long","accepted":"all"}',
    b'{"v":1,"k":"capture","pipeline":"NAME","at_ms":AT,"interval_s":1e308,"accepted":HUGE}',
    b'{"v":1,"k":"command","pipeline":"NAME","at_ms":AT,"id":{},"action":"move","by":[],"token":7}',
    b'{"v":1,"k":"command","pipeline":"NAME","at_ms":AT,"id":"x","action":"dance","by":"me"}',
    b'{"v":1,"k":"command","pipeline":"NAME","at_ms":AT,"id":"y","action":"move","by":"me","token":"t","lane":"overflow","expires_ms":"never"}',
    b'{"v":9,"k":"worker"}',
    b'{"v":1,"k":"worker"',
    b"[]",
    b"null",
    b"",
    b"\xff\xfe\x00",
)
"""NAME, AT and HUGE stand for the pipeline, now in ms, and a number that is too large."""


@contextmanager
def controlling(kafka: LocalKafka, name: str, **client: object) -> Iterator[CollectorRegistry]:
    registry, stop = CollectorRegistry(), threading.Event()
    one = Controller([name], {**kafka.config().client(), **client}, POLICY, SystemClock(), registry, NoProjection())
    thread = threading.Thread(target=one.run, args=(stop,), daemon=True)
    thread.start()
    try:
        eventually(lambda: one.owned() == (name,))
        yield registry
        assert thread.is_alive(), "the controller ended"
    finally:
        stop.set()
        thread.join(15)


@contextmanager
def booking(kafka: LocalKafka, name: str, engine: Engine) -> Iterator[CollectorRegistry]:
    registry, stop = CollectorRegistry(), threading.Event()
    config = PipelineConfig(name=name, partitions=4, replication=1)
    one = BookingConsumer(kafka.config(), config, engine, SystemClock(), registry, growth_s=0.5)
    thread = threading.Thread(target=one.run, args=(stop,), daemon=True)
    thread.start()
    try:
        eventually(one.ready)
        yield registry
        assert thread.is_alive(), "the booking ended"
    finally:
        stop.set()
        thread.join(15)


@pytest.fixture
def engine(tmp_path: Path) -> Iterator[Engine]:
    one = open_database(f"sqlite:///{tmp_path / 'fairlane.db'}")
    yield one
    one.dispose()


def ask(kafka: LocalKafka, name: str, mode: str) -> None:
    commands.send(kafka.config().client(), commands.command(name, Action.MODE, SystemClock(), by="test", mode=mode))


def accepted(engine: Engine, name: str) -> int:
    found = SliceStore(engine).totals().get(f"{name}-capture-availability")
    return found.slice.good if found else 0


def test_messages_that_are_not_what_they_say_are_counted_and_stop_nobody(
    kafka: LocalKafka, name: str, feed: Feed, reader: StateReader, engine: Engine
) -> None:
    with controlling(kafka, name) as decided, booking(kafka, name, engine) as booked:
        for _ in range(3):
            for body in POISON:
                value = body.replace(b"NAME", name.encode()).replace(b"HUGE", b"9" * 18)
                value = value.replace(b"AT", b"%d" % (time.time() * 1000))
                feed.producer.produce(TELEMETRY_TOPIC, value, name.encode(), feed.partition())
        feed.producer.produce(TELEMETRY_TOPIC, encode(capture(name, 0, accepted=7)), name.encode(), feed.partition())
        assert feed.producer.flush(10) == 0
        ask(kafka, name, "auto")
        eventually(lambda: (reader.poll(0.05) or True) and (s := reader.status(name)) is not None and s.warm)
        feed.flooding.set()
        eventually(lambda: (reader.poll(0.05) or True) and reader.table(name).wanted("flood") is not Lane.GENERAL)
        assert [route.token for route in reader.table(name).moved()] == ["flood"]
        unreadable = {"kind": "unreadable"}
        assert (decided.get_sample_value("fairlane_isolator_reports_total", unreadable) or 0) >= 3 * 10
        eventually(lambda: accepted(engine, name) == 7)
        assert (booked.get_sample_value("fairlane_booking_unreadable_total", {"pipeline": name}) or 0) >= 3 * 6
        assert not booked.get_sample_value("fairlane_booking_errors_total", {"pipeline": name})


def test_a_telemetry_topic_that_grows_is_noticed_by_the_controller_and_the_booking(tmp_path: Path) -> None:
    name = "p-1"
    with LocalKafka(tmp_path / "kafka") as kafka:
        ensure_topics(kafka.admin(), PipelineConfig(name=name, partitions=1, replication=1), local=True)
        feed = Feed(kafka, name)
        before = feed.partition()
        engine = open_database(f"sqlite:///{tmp_path / 'fairlane.db'}")
        reader = StateReader(kafka.config().client(), [name])
        feed.start()
        refresh = {"topic.metadata.refresh.interval.ms": 500}
        try:
            with controlling(kafka, name, **refresh), booking(kafka, name, engine):
                ask(kafka, name, "auto")
                eventually(lambda: (reader.poll(0.05) or True) and (s := reader.status(name)) is not None and s.warm)
                admin = kafka.admin()
                grown = admin.create_partitions([NewPartitions(TELEMETRY_TOPIC, 29)])
                grown[TELEMETRY_TOPIC].result(10)
                eventually(lambda: feed.partition() != before)
                assert feed.partition() >= 12, "the name should stand in a new partition"
                feed.flooding.set()
                eventually(
                    lambda: (reader.poll(0.05) or True) and reader.table(name).wanted("flood") is not Lane.GENERAL, 30
                )
                feed.producer.produce(
                    TELEMETRY_TOPIC, encode(capture(name, 0, accepted=7)), name.encode(), feed.partition()
                )
                eventually(lambda: accepted(engine, name) == 7)
                assert _committed(kafka, name, feed.partition()) > 0
                assert {_lands(kafka, other) for other in "abcdefgh"} == {
                    (other, place_of(other, 29)) for other in "abcdefgh"
                }
        finally:
            feed.end()
            reader.close()
            engine.dispose()


def _lands(kafka: LocalKafka, name: str) -> tuple[str, int | None]:
    """Where a worker's report of that pipeline goes."""
    found: list[int | None] = []
    producer = plain_producer(kafka.config(), lambda _: None)
    producer.produce(
        TELEMETRY_TOPIC, b"{}", name.encode(), on_delivery=lambda _, message: found.append(message.partition())
    )
    assert producer.flush(10) == 0
    return name, found[0]


def _committed(kafka: LocalKafka, name: str, partition: int) -> int:
    """The controllers' offset there: whoever decides has it committed with what it writes."""
    reader = Consumer(kafka.config().client(group_id=f"fairlane.controller.{name}", enable_auto_commit=False))
    try:
        return reader.committed([TopicPartition(TELEMETRY_TOPIC, partition)], 10)[0].offset
    finally:
        reader.close()
