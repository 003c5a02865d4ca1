"""A Kafka that refuses, freezes, or holds what does not fit: the worker says so, goes on with the rest, and leaves in time."""

import os
import signal
import threading
import time

import pytest
from confluent_kafka import KafkaException, Producer
from confluent_kafka.admin import (
    AclBinding,
    AclOperation,
    AclPermissionType,
    ResourcePatternType,
    ResourceType,
)

from fairlane.stack.kafka import LocalKafka
from ingestion.contracts import headers as h
from ingestion.contracts.names import Lane
from ingestion.contracts.records import Done
from ingestion.contracts.telemetry import Kind
from ingestion.lanes.fence import Fence
from ingestion.lanes.metadata import encode
from ingestion.lanes.topics import ensure_topics
from ingestion.lanes.worker import LaneWorker
from slo.errors import KafkaRefused
from tests.support.lanes import Notes, working
from tests.support.waiting import until

pytestmark = pytest.mark.kafka


@pytest.fixture
def bench(kafka, kafka_config, pipeline_config):
    pipeline = pipeline_config.model_copy(update={"partitions": 2, "hold_max_s": 1.0, "session_timeout_s": 6.0})
    ensure_topics(kafka.admin(), pipeline, local=True)
    with working(kafka_config, pipeline) as made:
        yield made


def test_a_group_that_may_not_be_joined_ends_the_worker_with_the_reason(tmp_path, pipeline_config) -> None:
    guarded = {
        "authorizer.class.name": "org.apache.kafka.metadata.authorizer.StandardAuthorizer",
        "allow.everyone.if.no.acl.found": "true",
    }
    with LocalKafka(tmp_path, properties=guarded) as broker:
        ensure_topics(broker.admin(), pipeline_config, local=True)
        denied = AclBinding(
            ResourceType.GROUP, pipeline_config.names.group(Lane.GENERAL), ResourcePatternType.LITERAL, "User:ANONYMOUS",
            "*", AclOperation.READ, AclPermissionType.DENY,
        )  # fmt: skip
        admin = broker.admin()
        for answer in admin.create_acls([denied]).values():
            answer.result(10)
        with working(broker.config(), pipeline_config) as made:
            running = made.worker(Lane.GENERAL, Notes())
            until(lambda: running.error is not None, 20)
            assert isinstance(running.error, KafkaRefused)
            assert "may not join the group" in str(running.error)


def test_one_partition_that_is_out_of_range_disturbs_no_other(bench) -> None:
    restored: list[list[int]] = []

    class Counting(LaneWorker):
        def _restore(self, partitions: list[int]) -> None:
            restored.append(partitions)
            super()._restore(partitions)

    bench.send(["a"] * 40)
    bench.commit(Lane.GENERAL, {0: 500}, encode(Fence()))
    notes = Notes()
    running = bench.worker(Lane.GENERAL, notes, kind=Counting)
    until(lambda: restored.count([0]) >= 2, 30)
    bench.send(["a"] * 40)
    mine = sum(m.partition() == 1 for m in bench.read(bench.pipeline.names.topic(Lane.GENERAL)))
    until(lambda: len(notes.given) >= mine, 20)
    assert {r.partition for r in notes.given} == {1}
    assert len(notes.given) == mine, "records of the healthy partition came twice"
    assert all(partitions in ([], [0]) for partitions in restored)
    assert running.worker.live()
    assert running.leave() < 10


@pytest.mark.parametrize("frozen_s", [0.3, 3.0])
def test_a_stop_with_a_frozen_broker_takes_eight_seconds_at_most(kafka, bench, frozen_s) -> None:
    notes = Notes(work_s=0.002)
    running = bench.worker(Lane.GENERAL, notes)
    bench.send(["a"] * 3_000)
    until(lambda: len(notes.applied) > 100, 20)
    os.kill(kafka.pid, signal.SIGSTOP)
    try:
        time.sleep(frozen_s)
        assert running.leave() <= 8
    finally:
        os.kill(kafka.pid, signal.SIGCONT)
    rest = Notes()
    bench.worker(Lane.GENERAL, rest)
    until(lambda: bench.lag(Lane.GENERAL) == 0, 40)
    assert len({r.source for r in notes.applied + rest.applied}) == 3_000


def test_a_compressed_record_too_large_for_the_side_lanes_is_a_dead_letter_and_stops_nobody(bench) -> None:
    producer = Producer(bench.kafka.client(message_max_bytes=20_000_000, compression_type="zstd"))
    topic = bench.pipeline.names.topic(Lane.GENERAL)
    own = [(h.TOKEN, b"hot"), (h.DISTINCT_ID, b"d"), (h.EVENT_ID, b"big"), (h.EVENT, b"0")]
    producer.produce(topic, b"x" * 3_000_000, b"d", 0, headers=own)
    assert producer.flush(15) == 0
    bench.route("hot", Lane.OVERFLOW)
    bench.send(["hot", "calm"] * 20)
    general, overflow = Notes(), Notes()
    bench.worker(Lane.GENERAL, general)
    bench.worker(Lane.OVERFLOW, overflow)
    until(lambda: bench.lag(Lane.GENERAL) == 0 and len(overflow.applied) == 20, 30)
    assert len(general.applied) == 20
    (dead,) = bench.read(bench.pipeline.names.dead)
    assert h.get(dead.headers(), h.DEAD_REASON) == "too-large"
    assert dead.value() is None
    assert f"{topic}/0/0" in h.get(dead.headers(), h.DEAD_DETAIL)
    counts, _ = bench.telemetry()
    assert sum(c.count for told in counts for c in told.counts if c.kind is Kind.DEAD) == 1


def test_a_compressed_record_whose_token_is_not_moved_is_handled(bench) -> None:
    producer = Producer(bench.kafka.client(message_max_bytes=20_000_000, compression_type="zstd"))
    own = [(h.TOKEN, b"calm"), (h.DISTINCT_ID, b"d"), (h.EVENT_ID, b"big"), (h.EVENT, b"0")]
    producer.produce(bench.pipeline.names.topic(Lane.GENERAL), b"x" * 3_000_000, b"d", 0, headers=own)
    assert producer.flush(15) == 0
    notes = Notes()
    bench.worker(Lane.GENERAL, notes)
    until(lambda: notes.applied, 20)
    assert len(notes.applied[0].value) == 3_000_000


def test_large_records_are_buffered_up_to_the_megabytes_allowed(bench) -> None:
    allowed, each, count = 16, 900_000, 120
    bench.pipeline = bench.pipeline.model_copy(update={"buffer_mb": float(allowed)})
    producer = Producer(bench.kafka.client(message_max_bytes=2_000_000, queue_buffering_max_kbytes=400_000))
    topic = bench.pipeline.names.topic(Lane.GENERAL)
    for number in range(count):
        own = [(h.TOKEN, b"calm"), (h.DISTINCT_ID, b"d"), (h.EVENT_ID, b"%d" % number), (h.EVENT, b"0")]
        producer.produce(topic, os.urandom(each), b"%d" % number, number % 2, headers=own)
    assert producer.flush(60) == 0
    release = threading.Event()

    def wait(_) -> Done:
        release.wait(10)
        return Done()

    notes = Notes(wait)
    running = bench.worker(Lane.GENERAL, notes)
    until(lambda: notes.given, 20)
    most, end = 0, time.monotonic() + 3.0
    while time.monotonic() < end:
        most = max(most, sum(one.buffer.size() for one in running.worker._intake.owned.values()))
        time.sleep(0.05)
    release.set()
    # beyond what is allowed there may be what one fetch brought: librdkafka's own queue of 16 MB and a response
    assert allowed * 500_000 <= most <= (allowed + 24) * 1_000_000
    until(lambda: len(notes.applied) == count, 60)
    assert len({r.source for r in notes.applied}) == count


def test_a_transaction_that_cannot_reach_kafka_does_not_block_the_worker_beyond_its_limit(kafka, bench) -> None:
    bench.pipeline = bench.pipeline.model_copy(update={"transaction_timeout_s": 2.0})
    notes = Notes(work_s=0.002)
    running = bench.worker(Lane.GENERAL, notes)
    bench.send(["a"] * 2_000)
    until(lambda: len(notes.applied) > 100, 20)
    os.kill(kafka.pid, signal.SIGSTOP)
    try:
        time.sleep(8.0)
        assert running.worker.live()
    finally:
        os.kill(kafka.pid, signal.SIGCONT)
    until(lambda: _drained(bench), 60)
    assert len({r.source for r in notes.applied}) == 2_000


def _drained(bench) -> bool:
    try:
        return bench.lag(Lane.GENERAL) == 0
    except KafkaException:
        return False
