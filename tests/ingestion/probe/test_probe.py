"""The probe on a real broker."""

import json
import math
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from confluent_kafka import OFFSET_BEGINNING, Consumer, Producer, TopicPartition
from prometheus_client import CollectorRegistry

from fairlane.stack.kafka import LocalKafka
from ingestion.config import KafkaConfig, PipelineConfig, ProbeConfig
from ingestion.contracts import telemetry
from ingestion.contracts.names import CANARY_TOKEN, TELEMETRY_TOPIC, Lane
from ingestion.contracts.telemetry import ArrivalReport, LanePartition, ProbeReport
from ingestion.lanes.topics import ensure_topics
from ingestion.probe.probe import Probe
from slo.clock import SystemClock

pytestmark = pytest.mark.kafka

FAST = ProbeConfig(interval_s=0.2, canary_s=3600.0)


class ShiftedClock(SystemClock):
    """The machine's clock, some seconds ahead."""

    def __init__(self, ahead_s: float) -> None:
        self._ahead_s = ahead_s

    def now(self) -> float:
        return super().now() + self._ahead_s


@dataclass
class Running:
    """A probe in a thread, and a follower of what it sends."""

    pipeline: PipelineConfig
    kafka: KafkaConfig
    probe: Probe
    registry: CollectorRegistry
    follower: Consumer
    reports: list[telemetry.Message] = field(default_factory=list)

    def wait(self, what: Callable[[telemetry.Message], object], limit_s: float = 20.0) -> telemetry.Message:
        """The next report of which `what` is true."""
        deadline = time.monotonic() + limit_s
        while time.monotonic() < deadline:
            for message in self.follower.consume(100, 0.1):
                if message.error() is None and message.key() == self.pipeline.name.encode():
                    self.reports.append(telemetry.decode(message.value() or b""))
                    if what(self.reports[-1]):
                        return self.reports[-1]
        raise AssertionError(f"no such report within {limit_s} s; the last ones: {self.reports[-3:]}")

    def wait_lane(self, what: Callable[[LanePartition], object], partition: int = 0) -> LanePartition:
        """The general partition in the next report in which `what` is true of it."""

        def matches(message: telemetry.Message) -> bool:
            return isinstance(message, ProbeReport) and any(
                row.lane is Lane.GENERAL and row.partition == partition and what(row) for row in message.lanes
            )

        report = self.wait(matches)
        assert isinstance(report, ProbeReport)
        return next(row for row in report.lanes if row.lane is Lane.GENERAL and row.partition == partition)

    def sample(self, name: str, **labels: str) -> float:
        """A metric's value."""
        value = self.registry.get_sample_value(name, {"pipeline": self.pipeline.name, **labels})
        assert value is not None
        return value

    def produce(self, count: int, partition: int = 0, token: str = "t", age_s: float = 0.0, **own: str) -> None:
        """Records to general, captured `age_s` ago, each with a key of its own."""
        captured = str(int((time.time() - age_s) * 1000))
        producer = Producer(self.kafka.client(**own))
        if own:
            producer.init_transactions(10)
            producer.begin_transaction()
        for number in range(count):
            producer.produce(
                self.pipeline.names.topic(Lane.GENERAL),
                key=f"{token}-{number}",
                value=b"x" * 10,
                partition=partition,
                headers=[("token", token.encode()), ("captured_at", captured.encode())],
            )
        assert producer.flush(10) == 0
        if own:
            producer.abort_transaction(10)

    def commit(self, offset: int, partition: int = 0) -> None:
        """Commit as the general worker's group."""
        names = self.pipeline.names
        consumer = Consumer(self.kafka.client(group_id=names.group(Lane.GENERAL), enable_auto_commit=False))
        consumer.commit(offsets=[TopicPartition(names.topic(Lane.GENERAL), partition, offset)], asynchronous=False)
        consumer.close()


@contextmanager
def probing(
    kafka: KafkaConfig, pipeline: PipelineConfig, config: ProbeConfig, ahead_s: float = 0.0
) -> Iterator[Running]:
    """A probe that runs inside the block, by a clock that is `ahead_s` ahead."""
    follower = Consumer(kafka.client(group_id="follower", enable_auto_commit=False, auto_offset_reset="earliest"))
    partitions = follower.list_topics(TELEMETRY_TOPIC, timeout=10).topics[TELEMETRY_TOPIC].partitions
    follower.assign([TopicPartition(TELEMETRY_TOPIC, p, OFFSET_BEGINNING) for p in partitions])
    registry, stop = CollectorRegistry(), threading.Event()
    probe = Probe(pipeline, kafka, config, ShiftedClock(ahead_s), registry)
    codes: list[int] = []
    thread = threading.Thread(target=lambda: codes.append(probe.run(stop)))
    thread.start()
    try:
        yield Running(pipeline, kafka, probe, registry, follower)
    finally:
        stop.set()
        thread.join(20)
        follower.close()
    assert not thread.is_alive()
    assert codes == [0]


@pytest.fixture
def running(kafka: LocalKafka, pipeline_config: PipelineConfig) -> Iterator[Running]:
    """A fast probe without canaries on fresh topics."""
    ensure_topics(kafka.admin(), pipeline_config, local=True)
    with probing(kafka.config(), pipeline_config, FAST) as found:
        found.wait_lane(lambda row: row.end == 0)
        yield found


def test_an_empty_pipeline_has_no_lag_and_age_zero(running: Running) -> None:
    report = running.wait(lambda message: isinstance(message, ProbeReport))
    assert isinstance(report, ProbeReport)
    assert {(row.lane, row.partition) for row in report.lanes} == {(lane, p) for lane in Lane for p in range(4)}
    assert {(row.lag, row.oldest_age_s, row.age_kind) for row in report.lanes} == {(0, 0.0, "exact")}
    assert running.probe.ready()
    assert running.probe.live()


def test_lag_and_exact_age_follow_the_committed_offset(running: Running) -> None:
    running.produce(3, age_s=100)
    running.produce(2, age_s=50)
    row = running.wait_lane(lambda row: row.end == 5 and row.age_kind == "exact")
    assert (row.committed, row.lag) == (-1, 5)
    assert 100 <= row.oldest_age_s < 110
    running.commit(3)
    row = running.wait_lane(lambda row: row.committed == 3 and row.age_kind == "exact")
    assert row.lag == 2
    assert 50 <= row.oldest_age_s < 60
    assert running.sample("fairlane_lane_lag_records", lane="general", partition="0") == 2
    assert 50 <= running.sample("fairlane_lane_oldest_age_seconds", lane="general", partition="0") < 60
    running.commit(5)
    row = running.wait_lane(lambda row: row.committed == 5)
    assert (row.lag, row.oldest_age_s) == (0, 0.0)


def test_records_of_an_aborted_transaction_have_no_age(running: Running) -> None:
    running.produce(3, age_s=100, transactional_id=f"{running.pipeline.name}-aborts")
    row = running.wait_lane(lambda row: row.end == 4 and row.age_kind == "exact")
    assert (row.lag, row.oldest_age_s) == (4, 0.0)
    running.produce(1, age_s=7)
    row = running.wait_lane(lambda row: row.end == 5 and row.age_kind == "exact")
    assert 7 <= row.oldest_age_s < 20


def test_an_open_transaction_ends_the_lane_where_it_begins(running: Running) -> None:
    running.produce(2)
    names = running.pipeline.names
    producer = Producer(running.kafka.client(transactional_id=f"{running.pipeline.name}-open"))
    producer.init_transactions(10)
    producer.begin_transaction()
    producer.produce(names.topic(Lane.GENERAL), value=b"x", partition=0)
    producer.flush(10)
    running.produce(5, partition=1)
    running.wait_lane(lambda row: row.end == 5, partition=1)
    assert running.wait_lane(lambda row: row.lag).end == 2
    producer.commit_transaction(10)
    assert running.wait_lane(lambda row: row.lag > 2).end == 4, "the record and its marker"


def test_records_that_were_deleted_before_they_were_committed_raise_the_alarm(
    running: Running, kafka: LocalKafka
) -> None:
    running.produce(10, age_s=5)
    running.commit(2)
    topic = TopicPartition(running.pipeline.names.topic(Lane.GENERAL), 0, 6)
    admin = kafka.admin()  # kept: its going away would cancel the request
    admin.delete_records([topic])[TopicPartition(topic.topic, 0)].result(10)
    row = running.wait_lane(lambda row: row.log_start == 6 and row.age_kind == "exact")
    assert (row.committed, row.lag) == (2, 8)
    assert row.oldest_age_s >= 5
    assert running.sample("fairlane_lane_log_start_ahead_records", lane="general", partition="0") == 4


def test_arrivals_are_counted_exactly_per_token_and_partition(running: Running) -> None:
    time.sleep(1)  # the scout starts at the end: it has to be there first
    running.produce(300, partition=1, token="busy")
    running.produce(20, partition=1, token="calm")
    running.produce(5, partition=2, token="busy")
    seen: dict[tuple[str, int], int] = {}

    def complete(message: telemetry.Message) -> bool:
        if isinstance(message, ArrivalReport):
            for row in message.tokens:
                seen[row.token, row.partition] = seen.get((row.token, row.partition), 0) + row.records
                assert row.bytes == 10 * row.records
        return sum(seen.values()) >= 325

    running.wait(complete)
    assert seen == {("busy", 1): 300, ("calm", 1): 20, ("busy", 2): 5}


def test_a_closed_minute_is_told_with_what_it_took(kafka: LocalKafka, pipeline_config: PipelineConfig) -> None:
    ensure_topics(kafka.admin(), pipeline_config, local=True)
    producer = Producer(kafka.config().client())
    for partition, count in ((0, 7), (3, 2)):
        for _ in range(count):
            producer.produce(pipeline_config.names.topic(Lane.GENERAL), value=b"x", partition=partition)
    assert producer.flush(10) == 0
    now = int(time.time()) // 60
    with probing(kafka.config(), pipeline_config, FAST, ahead_s=120) as running:  # by then this minute is closed
        report = running.wait(lambda message: isinstance(message, ProbeReport) and message.expected)
    assert isinstance(report, ProbeReport)
    told: dict[int, int] = {}
    for row in report.expected:
        told[row.partition] = told.get(row.partition, 0) + row.offsets
        assert row.minute in {now - 1, now, now + 1}
    assert {partition: offsets for partition, offsets in told.items() if offsets} == {0: 7, 3: 2}


def test_a_canary_is_fresh_once_it_is_committed(kafka: LocalKafka, pipeline_config: PipelineConfig) -> None:
    ensure_topics(kafka.admin(), pipeline_config, local=True)
    config = ProbeConfig(interval_s=0.2, canary_s=1.0)
    with probing(kafka.config(), pipeline_config, config) as running:
        running.wait_lane(lambda row: row.end >= 1, partition=2)
        running.commit(1, partition=2)
        report = running.wait(lambda message: isinstance(message, ProbeReport) and message.canary_s)
        assert isinstance(report, ProbeReport)
        ((partition, seconds),) = report.canary_s
        assert partition == 2
        assert running.sample("fairlane_canaries_sent_total") >= 4
        assert 0 < seconds < 20
        consumer = Consumer(kafka.config().client(group_id="canary", auto_offset_reset="earliest"))
        consumer.assign([TopicPartition(pipeline_config.names.topic(Lane.GENERAL), 2, 0)])
        canary = next(m for m in iter(lambda: consumer.poll(10), None) if m.error() is None)
        consumer.close()
    headers = dict(canary.headers() or ())
    assert headers["canary"] == b"1"
    assert headers["token"] == CANARY_TOKEN.encode()
    assert headers["distinct_id"] == canary.key()
    assert json.loads(canary.value() or b"") == {}


def test_a_broker_outage_is_survived_and_ages_are_unknown_meanwhile(
    tmp_path: Path, pipeline_config: PipelineConfig
) -> None:
    with LocalKafka(tmp_path) as broker:
        ensure_topics(broker.admin(), pipeline_config, local=True)
        with probing(broker.config(), pipeline_config, FAST) as running:
            running.produce(3, age_s=10)
            running.wait_lane(lambda row: row.lag == 3 and row.age_kind == "exact")
            broker.kill()
            deadline = time.monotonic() + 20
            labels = {"lane": "general", "partition": "0"}
            while not math.isnan(running.sample("fairlane_lane_oldest_age_seconds", **labels)):
                assert time.monotonic() < deadline, "the age is still told"
                time.sleep(0.1)
            assert running.probe.live()
            assert running.sample("fairlane_probe_rounds_total", result="failed") >= 1
            broker.restart()
            row = running.wait_lane(lambda row: row.age_kind == "exact" and row.lag == 3)
            assert row.oldest_age_s >= 10
            assert running.probe.ready()
