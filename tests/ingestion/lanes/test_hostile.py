"""Lane workers and records or handlers that nobody would wish for: nothing is lost, and nobody stands still."""

import ctypes
import time
from collections import Counter
from pathlib import Path

import confluent_kafka
import pytest
from confluent_kafka import Producer

from ingestion.contracts import headers as h
from ingestion.contracts.names import Lane
from ingestion.contracts.records import Done, Invalid
from ingestion.lanes.topics import ensure_topics
from ingestion.probe.scout import count
from ingestion.probe.tally import Tally
from tests.support.lanes import Notes, working
from tests.support.waiting import until

pytestmark = pytest.mark.kafka


@pytest.fixture
def bench(kafka, kafka_config, pipeline_config):
    pipeline = pipeline_config.model_copy(update={"partitions": 2, "hold_max_s": 1.0, "session_timeout_s": 6.0})
    ensure_topics(kafka.admin(), pipeline, local=True)
    with working(kafka_config, pipeline) as made:
        yield made


def produce_raw(bootstrap: str, topic: str, partition: int, *headers: tuple[bytes, bytes]) -> None:
    """One record whose header names may be any bytes, as a client in C can write it; Python's cannot."""
    (found,) = Path(confluent_kafka.__file__).parents[1].glob("confluent_kafka.libs/librdkafka*")
    lib = ctypes.CDLL(str(found))
    lib.rd_kafka_conf_new.restype = lib.rd_kafka_new.restype = ctypes.c_void_p
    error = ctypes.create_string_buffer(512)
    conf = ctypes.c_void_p(lib.rd_kafka_conf_new())
    assert lib.rd_kafka_conf_set(conf, b"bootstrap.servers", bootstrap.encode(), error, 512) == 0
    client = ctypes.c_void_p(lib.rd_kafka_new(0, conf, error, 512))
    own = [x for name, value in headers for x in (9, name, value, ctypes.c_ssize_t(len(value)))]
    place = (1, topic.encode(), 3, ctypes.c_int32(partition), 4, b"{}", ctypes.c_size_t(2), 7, 2)
    assert lib.rd_kafka_producev(client, *place, *own, 0) == 0
    assert lib.rd_kafka_flush(client, 10_000) == 0
    lib.rd_kafka_destroy(client)


def test_a_partition_that_was_paused_is_fetched_again_after_a_rebalance(bench) -> None:
    notes, other = Notes(work_s=0.001), Notes(work_s=0.001)
    bench.send(["a"] * 6_000)
    running = bench.worker(Lane.GENERAL, notes)
    until(lambda: len(notes.applied) > 300, 20)
    until(lambda: all(one.buffer.paused for one in running.worker._intake.owned.values()), 10)
    second = bench.worker(Lane.GENERAL, other, slot="1")
    until(lambda: len(other.applied) > 50, 20)
    second.leave()
    until(lambda: len(notes.applied) + len(other.applied) >= 6_000, 40)
    assert set(Counter(r.source for r in notes.applied + other.applied).values()) == {1}


def test_headers_that_cannot_be_read_are_none_also_the_second_time(bench) -> None:
    topic = bench.pipeline.names.topic(Lane.GENERAL)
    for name in (b"ok", b"na\xff\xfeme", b"ok"):
        produce_raw(bench.kafka.bootstrap, topic, 0, (name, b"x"))
    for read in (h.of_all, lambda found: [h.of(m) for m in found]):
        found = bench.read(topic)
        for _ in range(50):  # often enough for the interpreter to specialise
            assert read(found) == [[("ok", b"x")], [], [("ok", b"x")]]


def test_a_header_whose_name_is_not_utf8_is_a_dead_letter_and_stops_nobody(bench) -> None:
    topic = bench.pipeline.names.topic(Lane.GENERAL)
    bench.send(["a"] * 5, keys=1)
    for partition in (0, 1):
        produce_raw(bench.kafka.bootstrap, topic, partition, (b"token", b"a"), (b"na\xff\xfeme", b"x"))
    bench.send(["a"] * 5, keys=1)
    tally = Tally()
    count(tally, bench.read(topic))
    assert sum(tally.records.values()) == 12
    notes = Notes()
    bench.worker(Lane.GENERAL, notes)
    until(lambda: bench.lag(Lane.GENERAL) == 0, 20)
    assert len(notes.applied) == 10
    dead = bench.read(bench.pipeline.names.dead)
    assert [h.get(m.headers(), h.DEAD_REASON) for m in dead] == ["no-token", "no-token"]


def test_tokens_of_any_length_and_odd_headers_stop_nobody(bench) -> None:
    producer = Producer(bench.kafka.client())
    topic = bench.pipeline.names.topic(Lane.GENERAL)
    odd = [
        [("token", b"t" * 900_000)],
        [("token", None)],
        [("token", b"\xff\xfe")],
        [("token", b"a"), ("captured_at", b"9" * 5_000)],
        [("token", b"a"), ("captured_at", None), ("event_id", None)],
        None,
    ]
    for own in odd:
        producer.produce(topic, None, None, 0, headers=own)
    assert producer.flush(15) == 0
    bench.send(["a"] * 5)
    notes = Notes()
    bench.worker(Lane.GENERAL, notes)
    until(lambda: bench.lag(Lane.GENERAL) == 0, 20)
    assert len(notes.applied) == 7
    assert len(bench.read(bench.pipeline.names.dead)) == 4
    until(lambda: sum(t.records for r in bench.telemetry()[1] for t in r.tokens) == 11, 10)


def test_a_record_as_large_as_general_takes_is_forwarded(bench) -> None:
    producer = Producer(bench.kafka.client(message_max_bytes=2_000_000))
    own = [(h.TOKEN, b"hot"), (h.DISTINCT_ID, b"d"), (h.EVENT_ID, b"big"), (h.EVENT, b"0")]
    producer.produce(bench.pipeline.names.topic(Lane.GENERAL), b"x" * 1_045_000, b"d", 0, headers=own)
    assert producer.flush(15) == 0
    bench.route("hot", Lane.OVERFLOW)
    bench.worker(Lane.GENERAL, Notes())
    overflow = Notes(lambda _: Invalid("too much"))
    bench.worker(Lane.OVERFLOW, overflow)
    until(lambda: bench.lag(Lane.GENERAL) == 0 and overflow.given, 20)
    until(lambda: bench.lag(Lane.OVERFLOW) == 0, 20)
    (dead,) = bench.read(bench.pipeline.names.dead)
    assert len(dead.value()) == 1_045_000


def test_a_source_that_a_producer_made_up_is_not_believed(bench) -> None:
    producer = Producer(bench.kafka.client())
    topic = bench.pipeline.names.topic(Lane.GENERAL)
    for _ in range(2):  # without an event_id the source stands for it: two records must not become one
        own = [(h.TOKEN, b"hot"), (h.LANE_SOURCE, b"elsewhere/0/7"), (h.APPENDED_AT, b"5")]
        producer.produce(topic, b"{}", b"d", 0, headers=own)
    assert producer.flush(15) == 0
    bench.route("hot", Lane.OVERFLOW)
    bench.worker(Lane.GENERAL, Notes())
    overflow = Notes()
    bench.worker(Lane.OVERFLOW, overflow)
    until(lambda: len(overflow.applied) == 2, 20)
    assert [r.event_id for r in overflow.applied] == [f"{topic}/0/0", f"{topic}/0/1"]
    assert all(abs(r.appended_at - time.time() * 1000) < 600_000 for r in overflow.applied)


def test_an_outcome_of_the_wrong_make_is_a_dead_letter_not_the_workers_end(bench) -> None:
    running = bench.worker(Lane.GENERAL, Notes(lambda r: Invalid(ValueError("x")) if r.event == "1" else Done()))
    bench.send(["a"] * 4)
    until(lambda: bench.lag(Lane.GENERAL) == 0, 20)
    assert running.worker.live()
    (dead,) = bench.read(bench.pipeline.names.dead)
    assert h.get(dead.headers(), h.DEAD_REASON) == "handler-error"


def test_records_that_left_the_log_unhandled_are_counted_and_passed(kafka, bench) -> None:
    from confluent_kafka import TopicPartition

    bench.send(["a"] * 20, keys=1)
    bench.commit(Lane.GENERAL, {0: 0, 1: 0}, "AQ==")
    topic = bench.pipeline.names.topic(Lane.GENERAL)
    ends = {m.partition(): m.offset() + 1 for m in bench.read(topic)}
    ((partition, end),) = ends.items()
    admin = kafka.admin()
    for answer in admin.delete_records([TopicPartition(topic, partition, end)]).values():
        answer.result(10)
    running = bench.worker(Lane.GENERAL, Notes())
    until(lambda: bench.lag(Lane.GENERAL) == 0, 20)
    assert running.worker._meters.lost._value.get() == 20
