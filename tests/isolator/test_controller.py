"""The controller on the real broker: telemetry in, routes out, commands at once, state from Kafka alone, zombies fenced."""

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from confluent_kafka import OFFSET_END, Consumer, KafkaError, KafkaException, TopicPartition
from prometheus_client import CollectorRegistry

from fairlane.stack.kafka import LocalKafka
from ingestion.config import PipelineConfig
from ingestion.contracts.names import TELEMETRY_TOPIC, Lane
from ingestion.contracts.routes import Mode
from ingestion.contracts.telemetry import Action
from ingestion.lanes.topics import ensure_topics
from isolator import commands
from isolator.constants import Policy
from isolator.controller import Controller
from isolator.ledger import Ledger, LostOwnership
from isolator.projection import MemoryProjection
from isolator.state import StateReader
from slo.clock import SystemClock
from slo.errors import Conflict, NoController, UsageError
from tests.support.control import POLICY, Feed, eventually

pytestmark = pytest.mark.kafka

CLOCK = SystemClock()


class Running:
    """A controller in a thread."""

    def __init__(self, kafka: LocalKafka, name: str, mode: Mode = Mode.AUTO, policy: Policy = POLICY) -> None:
        self.stop = threading.Event()
        self.projection = MemoryProjection()
        self.registry = CollectorRegistry()
        self.controller = Controller(
            [name], kafka.config().client(), policy, CLOCK, self.registry, self.projection, mode
        )
        self.thread = threading.Thread(target=self.controller.run, args=(self.stop,), daemon=True)
        self.thread.start()

    def end(self) -> None:
        """Stop it, and see that it stops in time."""
        self.stop.set()
        self.thread.join(15.0)
        assert not self.thread.is_alive()


@contextmanager
def running(kafka: LocalKafka, name: str, mode: Mode = Mode.AUTO) -> Iterator[Running]:
    one = Running(kafka, name, mode)
    try:
        eventually(one.controller.ready)
        yield one
    finally:
        one.end()


@pytest.fixture
def name(kafka: LocalKafka, pipeline_config: PipelineConfig) -> str:
    ensure_topics(kafka.admin(), pipeline_config, local=True)
    return pipeline_config.name


@pytest.fixture
def feed(kafka: LocalKafka, name: str) -> Iterator[Feed]:
    one = Feed(kafka, name)
    one.start()
    yield one
    one.end()


@pytest.fixture
def reader(kafka: LocalKafka, name: str) -> Iterator[StateReader]:
    one = StateReader(kafka.config().client(), [name])
    yield one
    one.close()


def ask(kafka: LocalKafka, name: str, action: Action, **details: object) -> commands.Answer:
    return commands.send(kafka.config().client(), commands.command(name, action, CLOCK, by="test", **details))  # type: ignore[arg-type]


def seen(reader: StateReader) -> StateReader:
    reader.poll(0.05)
    return reader


def test_a_broker_that_goes_while_partitions_are_assigned_ends_nothing() -> None:
    class Away:
        """A consumer whose broker does not answer."""

        assigned: list[TopicPartition]

        def committed(self, partitions: list[TopicPartition], timeout: float) -> list[TopicPartition]:
            raise KafkaException(KafkaError(KafkaError._TRANSPORT))

        offsets_for_times = committed

        def get_watermark_offsets(self, partition: TopicPartition, timeout: float) -> tuple[int, int]:
            raise KafkaException(KafkaError(KafkaError._TIMED_OUT))

        def assign(self, partitions: list[TopicPartition]) -> None:
            self.assigned = partitions

    away = Away()
    one = Controller(("p",), {}, POLICY, CLOCK, CollectorRegistry(), MemoryProjection())
    one._on_assign(away, [TopicPartition(TELEMETRY_TOPIC, 3)])  # type: ignore[arg-type]
    assert [(p.partition, p.offset) for p in away.assigned] == [(3, OFFSET_END)]


def test_a_flood_in_the_telemetry_becomes_one_route_and_comes_back_when_calm(
    kafka: LocalKafka, name: str, feed: Feed, reader: StateReader
) -> None:
    with running(kafka, name) as one:
        eventually(lambda: (s := seen(reader).status(name)) is not None and s.warm)
        feed.flooding.set()
        eventually(lambda: seen(reader).table(name).wanted("flood") is Lane.OVERFLOW)
        assert [r.token for r in reader.table(name).moved()] == ["flood"]
        verdict = reader.verdicts(name)[0]
        assert verdict.token == "flood"
        assert verdict.ratio > 3
        eventually(lambda: verdict.id in one.projection.kept, 5)
        assert (
            one.registry.get_sample_value("fairlane_isolator_moved_tokens", {"pipeline": name, "lane": "overflow"}) == 1
        )
        feed.flooding.clear()
        feed.lag = 0
        eventually(lambda: seen(reader).table(name).wanted("flood") is Lane.GENERAL, 40)
        assert len([h for h in reader.table(name).routes["flood"].history if h.lane is Lane.OVERFLOW]) == 1


def test_the_kill_switch_acts_within_two_seconds_and_nobody_is_moved_afterwards(
    kafka: LocalKafka, name: str, feed: Feed, reader: StateReader
) -> None:
    with running(kafka, name):
        eventually(lambda: (s := seen(reader).status(name)) is not None and s.warm)
        began = time.monotonic()
        ask(kafka, name, Action.MODE, mode="off")
        eventually(lambda: seen(reader).table(name).mode is Mode.OFF, 2)
        assert time.monotonic() - began < 2.0
        feed.flooding.set()
        eventually(lambda: (s := seen(reader).status(name)) is not None and s.diagnosis == "noisy_tenant")
        time.sleep(1.0)
        assert not list(seen(reader).table(name).moved())
        assert "off" in (reader.status(name).sentence)  # type: ignore[union-attr]


def test_a_restarted_controller_takes_mode_moves_and_marks_from_kafka_and_moves_nobody_twice(
    kafka: LocalKafka, name: str, feed: Feed, reader: StateReader
) -> None:
    with running(kafka, name, Mode.OBSERVE):
        ask(kafka, name, Action.MODE, mode="auto")
        ask(kafka, name, Action.PROTECT, token="quiet-1", reason="contract")
        eventually(lambda: (s := seen(reader).status(name)) is not None and s.warm)
        feed.flooding.set()
        eventually(lambda: seen(reader).table(name).wanted("flood") is Lane.OVERFLOW)
        version = reader.table(name).routes["flood"].since_ms
    began = time.monotonic()
    with running(kafka, name, Mode.OBSERVE) as again:
        eventually(lambda: again.controller.owned() == (name,))
        assert time.monotonic() - began < 15.0
        eventually(lambda: (s := seen(reader).status(name)) is not None and s.moved == ("flood",))
        time.sleep(1.5)
        seen(reader)
        assert reader.table(name).mode is Mode.AUTO
        assert reader.table(name).routes["flood"].since_ms == version
        with pytest.raises(Conflict, match="protected by test"):
            ask(kafka, name, Action.MOVE, token="quiet-1")


def test_a_command_is_refused_with_its_reason(kafka: LocalKafka, name: str, feed: Feed) -> None:
    with running(kafka, name):
        with pytest.raises(Conflict, match="neither moved"):
            ask(kafka, name, Action.RESTORE, token="nobody")
        with pytest.raises(UsageError, match="mode is one of"):
            ask(kafka, name, Action.MODE, mode="sideways")
        with pytest.raises(UsageError, match="needs a token"):
            ask(kafka, name, Action.MOVE)


def test_a_token_moved_by_hand_comes_back_by_hand(
    kafka: LocalKafka, name: str, feed: Feed, reader: StateReader
) -> None:
    with running(kafka, name, Mode.OBSERVE):
        ask(kafka, name, Action.MOVE, token="quiet-3", reason="try it")
        eventually(lambda: seen(reader).table(name).wanted("quiet-3") is Lane.OVERFLOW, 2)
        assert reader.table(name).routes["quiet-3"].by == "test"
        ask(kafka, name, Action.RESTORE_ALL)
        eventually(lambda: seen(reader).table(name).wanted("quiet-3") is Lane.GENERAL, 5)


def test_without_a_controller_a_command_says_so(kafka: LocalKafka, name: str) -> None:
    wanted = commands.command(name, Action.MODE, CLOCK, mode="off")
    with pytest.raises(NoController, match="fairlane up"):
        commands.send(kafka.config().client(), wanted, wait_s=1.5)


def test_a_second_writer_of_a_pipeline_fences_the_first(kafka: LocalKafka, name: str, reader: StateReader) -> None:
    client = kafka.config().client()
    consumer = Consumer({**client, "group.id": "fence-test"})
    key = f"status/{name}".encode()
    try:
        zombie = Ledger(client, name)
        zombie.write([(key, b"{}")], 0, None, consumer)
        owner = Ledger(client, name)
        with pytest.raises(LostOwnership) as lost:
            zombie.write([(f"route/{name}/t".encode(), b"{}")], 0, None, consumer)
        assert lost.value.fenced
        owner.write([(f"mode/{name}".encode(), b'{"mode":"auto"}')], 0, None, consumer)
        reader.catch_up()
        assert reader.table(name).mode is Mode.AUTO
        assert reader.table(name).unreadable == 0, "nothing of the fenced writer is read"
        zombie.close()
        owner.close()
    finally:
        consumer.close()


def test_a_controller_that_was_fenced_recovers_and_keeps_deciding(
    kafka: LocalKafka, name: str, feed: Feed, reader: StateReader
) -> None:
    with running(kafka, name) as one:
        eventually(lambda: seen(reader).status(name) is not None)
        usurper = Ledger(kafka.config().client(), name)
        eventually(lambda: not one.controller.owned())
        usurper.close()
        eventually(lambda: one.controller.owned() == (name,))
        last = seen(reader).status(name)
        assert last is not None
        eventually(lambda: (s := seen(reader).status(name)) is not None and s.at_ms > last.at_ms)


def test_two_controllers_leave_one_owner_and_the_other_takes_over(
    kafka: LocalKafka, name: str, feed: Feed, reader: StateReader
) -> None:
    first, second = Running(kafka, name), Running(kafka, name)
    try:
        eventually(lambda: len(first.controller.owned()) + len(second.controller.owned()) == 1)
        owner, other = (first, second) if first.controller.owned() else (second, first)
        began = time.monotonic()
        owner.end()
        eventually(lambda: other.controller.owned() == (name,))
        assert time.monotonic() - began < 15.0
    finally:
        first.end()
        second.end()
