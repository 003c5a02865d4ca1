"""Whatever happens to the workers, and while tokens move all the time: nothing is lost, doubled or reordered, and every record is counted once."""

import signal
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from confluent_kafka import Consumer, KafkaException, TopicPartition

from fairlane.stack.kafka import LocalKafka
from ingestion.contracts.names import Lane
from ingestion.lanes.hooks import Point
from tests.support.orders import Fault
from tests.support.stage import Stage, staged

pytestmark = pytest.mark.kafka


@pytest.fixture
def stage(kafka: LocalKafka, pipeline_name: str, tmp_path: Path) -> Iterator[Stage]:
    """A fresh pipeline with two slow side lanes."""
    with staged(kafka, pipeline_name, tmp_path) as found:
        found.side_workers()
        yield found


def finish(stage: Stage) -> None:
    """Everything drains, and the oracle finds nothing."""
    stage.until_drained()
    finding = stage.judge()
    assert finding.violations == [], f"{finding}\n{stage.logs()}"
    assert finding.forwards > 0, "nothing was moved: this run showed nothing"
    assert finding.audit.visible == finding.audit.accepted == len(stage.accepted)


def waves(stage: Stage, count: int = 6, records: int = 100) -> None:
    """Load that goes on for a while."""
    for _ in range(count):
        stage.send(records)
        time.sleep(0.2)


def test_without_faults_tokens_move_to_and_fro(stage: Stage) -> None:
    stage.worker(Lane.GENERAL)
    with stage.flapping():
        waves(stage)
    finish(stage)


@pytest.mark.parametrize("point", [Point.PRODUCED, Point.OFFSETS_SENT, Point.COMMITTED])
def test_a_worker_is_killed(stage: Stage, point: Point) -> None:
    victim = stage.worker(Lane.GENERAL, fault=Fault(do="kill", at=point))
    with stage.flapping():
        stage.send_until_dead(victim)
        again = stage.worker(Lane.GENERAL, fault=Fault(do="kill", at=point, every=4))
        stage.send_until_dead(again)
        stage.worker(Lane.GENERAL)
        waves(stage, 2)
    finish(stage)


@pytest.mark.parametrize("point", [Point.HANDLED, Point.OFFSETS_SENT])
def test_a_stopped_worker_wakes_up_as_a_zombie(stage: Stage, point: Point) -> None:
    zombie = stage.worker(Lane.GENERAL, slot="0", fault=Fault(do="stop", at=point))
    with stage.flapping():
        stage.send_until_stopped(zombie)
        stage.worker(Lane.GENERAL, slot="1")
        seen = len(stage.journal.read_bytes().splitlines())
        waves(stage, 2)
        stage.until_effects(seen + 100)  # the other one has taken over, so the group has given the zombie up
        zombie.send_signal(signal.SIGCONT)
        waves(stage, 2)
    finish(stage)


def test_every_third_transaction_aborts(stage: Stage) -> None:
    stage.worker(Lane.GENERAL, fault=Fault(do="abort", at=Point.FLUSHED, every=3))
    with stage.flapping():
        waves(stage)
    finish(stage)


def test_every_third_outcome_is_unknown(stage: Stage) -> None:
    stage.worker(Lane.GENERAL, fault=Fault(do="unknown", at=Point.OFFSETS_SENT, every=3))
    with stage.flapping():
        waves(stage)
    finish(stage)


def test_an_operator_resets_the_offsets_and_the_metadata_is_lost(stage: Stage) -> None:
    victim = stage.worker(Lane.GENERAL, fault=Fault(do="kill", at=Point.COMMITTED, every=3))
    with stage.flapping():
        stage.send_until_dead(victim)
        stage.until("the offsets are re-committed without metadata", lambda: recommit(stage))
        stage.worker(Lane.GENERAL)
        waves(stage, 3)
    finish(stage)


def recommit(stage: Stage) -> bool:
    """What `kafka-consumer-groups --reset-offsets --to-current` does; False while the group still has a member."""
    names = stage.pipeline.names
    operator = Consumer(stage.kafka.client(group_id=names.group(Lane.GENERAL), enable_auto_commit=False))
    try:
        places = [TopicPartition(names.topic(Lane.GENERAL), p) for p in range(stage.pipeline.partitions)]
        plain = [
            TopicPartition(at.topic, at.partition, at.offset) for at in operator.committed(places, 5) if at.offset >= 0
        ]
        operator.commit(offsets=plain, asynchronous=False)
        after = operator.committed(places, 5)
    except KafkaException:
        return False
    finally:
        operator.close()
    assert not any(at.metadata for at in after)
    return True
