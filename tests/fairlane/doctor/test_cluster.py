"""What the doctor judges, as tables; and one look at the real broker."""

import pytest

from fairlane.doctor import cluster
from fairlane.stack.kafka import LocalKafka
from fairlane.stack.ports import free_ports
from ingestion.config import KafkaConfig, PipelineConfig
from ingestion.lanes.topic_laws import Finding, Level
from slo.errors import BrokerUnreachable

PIPELINE = PipelineConfig(name="orders")
ALL = {"READ", "WRITE", "CREATE", "DELETE", "ALTER", "DESCRIBE", "DESCRIBE_CONFIGS", "ALTER_CONFIGS"}
TOPICS = dict.fromkeys(
    ("orders.general", "orders.overflow", "orders.quarantine", "orders.dead", "fairlane.telemetry", "fairlane.state"),
    ALL,
)


def worst(found: list[Finding]) -> Level:
    return max((finding.level for finding in found), key=list(Level).index)


@pytest.mark.parametrize(
    ("apis", "level", "says"),
    [
        ({"Produce": 13, "TxnOffsetCommit": 5}, Level.OK, "Kafka 4.1 or newer"),
        ({"Produce": 99, "TxnOffsetCommit": 9}, Level.OK, "Kafka 4.1 or newer"),
        ({"Produce": 9, "TxnOffsetCommit": 3}, Level.OK, "Kafka 2.8 or newer"),
        ({"Produce": 8, "TxnOffsetCommit": 2}, Level.FAIL, "KIP-447"),
        ({"Produce": 3}, Level.FAIL, "older than Kafka 2.1"),
        ({}, Level.WARN, "could not be told"),
    ],
)
def test_version(apis: dict, level: Level, says: str) -> None:
    (finding,) = cluster.version(apis)
    assert finding.level is level
    assert says in finding.what


def test_rights_that_suffice() -> None:
    assert worst(cluster.judge_rights(set(), TOPICS, PIPELINE)) is Level.OK, (
        "CREATE is not needed when all topics exist"
    )


@pytest.mark.parametrize(
    ("topic", "lost", "level"),
    [
        ("orders.general", "WRITE", Level.FAIL),
        ("orders.general", "DELETE", Level.OK),
        ("orders.overflow", "DELETE", Level.FAIL),
        ("fairlane.state", "READ", Level.FAIL),
        ("orders.dead", "DESCRIBE_CONFIGS", Level.FAIL),
    ],
)
def test_a_lost_right(topic: str, lost: str, level: Level) -> None:
    found = cluster.judge_rights({"CREATE"}, TOPICS | {topic: ALL - {lost}}, PIPELINE)
    assert worst(found) is level
    if level is Level.FAIL:
        assert f"--topic {topic}" in found[0].fix


def test_missing_topics_need_create() -> None:
    assert worst(cluster.judge_rights(set(), {}, PIPELINE)) is Level.WARN
    assert worst(cluster.judge_rights({"CREATE"}, {}, PIPELINE)) is Level.OK


@pytest.mark.parametrize(
    ("config", "local", "level"),
    [
        ({}, False, Level.OK),
        ({"transaction.max.timeout.ms": "5000"}, True, Level.FAIL),
        ({"group.min.session.timeout.ms": "20000"}, True, Level.FAIL),
        ({"group.max.session.timeout.ms": "5000"}, True, Level.FAIL),
        ({"transaction.state.log.replication.factor": "1"}, False, Level.FAIL),
        ({"transaction.state.log.replication.factor": "1"}, True, Level.OK),
        ({"offsets.topic.replication.factor": "2"}, False, Level.FAIL),
        ({"transaction.max.timeout.ms": "None"}, False, Level.OK),
    ],
)
def test_limits(config: dict, local: bool, level: Level) -> None:
    assert worst(cluster.judge_limits(config, PIPELINE, local=local)) is level


@pytest.mark.kafka
def test_the_real_broker_is_fit_as_a_local_one_and_not_for_production(
    kafka: LocalKafka, pipeline_config: PipelineConfig
) -> None:
    client, apis = cluster.connect(kafka.config())
    assert worst(cluster.version(apis)) is Level.OK
    assert worst(cluster.rights(client, pipeline_config)) is Level.OK
    assert (
        worst(
            cluster.brokers(client, pipeline_config, local=True) + cluster.limits(client, pipeline_config, local=True)
        )
        is Level.OK
    )
    assert worst(cluster.brokers(client, pipeline_config, local=False)) is Level.FAIL
    assert worst(cluster.limits(client, pipeline_config, local=False)) is Level.FAIL


def test_nobody_there(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cluster, "TIMEOUT_S", 1.0)
    with pytest.raises(BrokerUnreachable, match=r"kafka\.bootstrap"):
        cluster.connect(KafkaConfig(bootstrap=f"127.0.0.1:{free_ports(1)[0]}"))
