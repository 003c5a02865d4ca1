"""The local Kafka on the real thing: it starts, keeps its data, is refused with reasons, and leaves nothing behind."""

import os
import signal
import subprocess
import sys
import threading
from pathlib import Path

import psutil
import pytest
from confluent_kafka import Consumer, Producer
from confluent_kafka.admin import AdminClient, NewTopic

from fairlane.stack.kafka import LocalKafka
from fairlane.stack.ports import accepts, free_ports
from ingestion.config import KafkaConfig
from slo.errors import StackUnavailable, StateDirectoryError
from tests.support.waiting import until

pytestmark = pytest.mark.kafka


def produce(kafka: LocalKafka, topic: str, values: list[bytes]) -> None:
    producer = Producer(kafka.config().client(acks="all", enable_idempotence=True))
    for value in values:
        producer.produce(topic, value)
    assert producer.flush(15) == 0


def consume(kafka: LocalKafka, topic: str, count: int) -> list[bytes]:
    consumer = Consumer(kafka.config().client(group_id=topic, auto_offset_reset="earliest"))
    consumer.subscribe([topic])
    try:
        values: list[bytes] = []
        until(
            lambda: (
                values.extend(m.value() for m in consumer.consume(count, 0.5) if m.error() is None)
                or len(values) >= count
            ),
            30,
        )
        return values
    finally:
        consumer.close()


def test_a_kill_loses_nothing_and_ports_stay(state_dir: Path) -> None:
    with LocalKafka(state_dir) as kafka:
        assert kafka.version.startswith("4.")
        assert 0 < kafka.ready_s < 60
        admin, before = kafka.admin(), (kafka.bootstrap, kafka.pid)
        admin.create_topics([NewTopic("kept", num_partitions=1, replication_factor=1)])["kept"].result(20)
        produce(kafka, "kept", [b"1", b"2"])
        kafka.kill()
        assert not kafka.running
        kafka.restart()
        assert kafka.bootstrap == before[0]
        assert kafka.pid != before[1]
        assert consume(kafka, "kept", 2) == [b"1", b"2"]
        port = int(kafka.bootstrap.partition(":")[2])
        pid = kafka.pid
        with pytest.raises(StateDirectoryError, match=f"in use by process {os.getpid()}"):
            LocalKafka(state_dir).start()
    assert not psutil.pid_exists(pid)
    assert not accepts(port)
    assert (state_dir / "kafka.log").stat().st_size > 0
    with LocalKafka(state_dir) as again:  # other ports, same data
        assert "kept" in again.admin().list_topics(timeout=10).topics


def test_it_dies_with_a_parent_that_is_killed(tmp_path: Path) -> None:
    code = "import sys, time; from pathlib import Path; from fairlane.stack.kafka import LocalKafka\n"
    code += "k = LocalKafka(Path(sys.argv[1])).start(); print(k.pid, flush=True); time.sleep(60)"
    with subprocess.Popen([sys.executable, "-c", code, str(tmp_path)], stdout=subprocess.PIPE, text=True) as parent:
        assert parent.stdout is not None
        pid = int(parent.stdout.readline())
        assert psutil.pid_exists(pid)
        parent.send_signal(signal.SIGKILL)
    until(lambda: not psutil.pid_exists(pid), 10)


def test_clients_are_sent_through_the_proxy_and_the_broker_talks_past_it(state_dir: Path) -> None:
    (proxy_port,) = free_ports(1)
    with LocalKafka(state_dir, proxy_port=proxy_port, properties={"num.partitions": "3"}) as kafka:
        assert kafka.bootstrap == f"127.0.0.1:{proxy_port}"
        assert not accepts(proxy_port), "nobody is there yet"
        told = (
            AdminClient(KafkaConfig(bootstrap=f"127.0.0.1:{kafka.target_port}").client())
            .list_topics(timeout=10)
            .brokers[1]
        )
        assert told.port == proxy_port
        direct = AdminClient(KafkaConfig(bootstrap=kafka.direct).client())
        direct.create_topics([NewTopic("t", replication_factor=1)])["t"].result(20)
        until(lambda: "t" in direct.list_topics(timeout=10).topics, 10)
        assert len(direct.list_topics(timeout=10).topics["t"].partitions) == 3


def test_a_broker_that_cannot_start_is_told_with_its_own_words(state_dir: Path) -> None:
    with pytest.raises(StackUnavailable, match=r"could not be formatted|ended while starting") as caught:
        LocalKafka(state_dir, properties={"node.id": "minus one"}).start()
    assert "kafka.log" in str(caught.value)


def test_a_state_directory_that_is_a_file_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(StateDirectoryError, match="FAIRLANE_STATE_DIR"):
        LocalKafka(tmp_path / "file").start()


def test_no_network_and_no_cache_says_what_to_do(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("KAFKA_HOME", raising=False)
    for name in ("HTTPS_PROXY", "https_proxy"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    with pytest.raises(StackUnavailable) as caught:
        LocalKafka(tmp_path / "state", cache=tmp_path / "cache", quiet=True).start()
    for advice in ("KAFKA_HOME", "kafka.bootstrap", "once"):
        assert advice in str(caught.value)
    assert list((tmp_path / "cache").glob("kafka-*")) == []
    assert threading.active_count() < 20
