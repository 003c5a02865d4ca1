"""A local Kafka that dies comes back with its data, and a stop in the middle of that leaves nothing behind."""

import os
import signal
import time
from pathlib import Path

import psutil
import pytest
from confluent_kafka.admin import NewTopic

from fairlane.stack.kafka import LocalKafka
from fairlane.stack.keeper import Keeper
from fairlane.stack.ports import accepts
from tests.support.waiting import until

pytestmark = pytest.mark.kafka


def another(kafka: LocalKafka, dead: int) -> int:
    """The broker's new process, 0 while there is none: the keeper may be between two just now."""
    try:
        return kafka.pid if kafka.running and kafka.pid != dead else 0
    except RuntimeError:
        return 0


def test_a_dead_broker_comes_back_and_a_stop_meanwhile_ends_it(state_dir: Path) -> None:
    said: list[str] = []
    with LocalKafka(state_dir) as kafka:
        admin = kafka.admin()
        admin.create_topics([NewTopic("kept", num_partitions=1, replication_factor=1)])["kept"].result(20)
        port = int(kafka.bootstrap.partition(":")[2])
        with Keeper(kafka, said.append):
            os.kill(kafka.pid, signal.SIGKILL)
            until(lambda: len(said) == 2, 60)
            assert "kafka.log" in said[0]
            assert "is back" in said[1]
            assert int(kafka.bootstrap.partition(":")[2]) == port
            assert "kept" in admin.list_topics(timeout=10).topics
            dead = kafka.pid
            os.kill(dead, signal.SIGKILL)
            until(lambda: another(kafka, dead), 30)
            pid = kafka.pid
            began = time.monotonic()
        assert time.monotonic() - began < 10
        assert len(said) == 3, "a start that was broken off is no failure to tell of"
    assert not psutil.pid_exists(pid)
    assert not accepts(port)
