"""Topics on the real broker: made, accepted again, refused with reasons."""

import threading
import time

import pytest
from confluent_kafka.admin import AdminClient, AlterConfigOpType, ConfigEntry, ConfigResource, NewTopic, ResourceType

from fairlane.stack.kafka import LocalKafka
from fairlane.stack.ports import free_ports
from ingestion.config import KafkaConfig, PipelineConfig
from ingestion.contracts.names import STATE_TOPIC, TELEMETRY_TOPIC
from ingestion.lanes.topic_laws import Level
from ingestion.lanes.topics import check_topics, ensure_topics, read_topics
from slo.errors import BrokerUnreachable, RefusedTopic

pytestmark = pytest.mark.kafka


def alter(admin: AdminClient, topic: str, key: str, value: str) -> None:
    entry = ConfigEntry(key, value, incremental_operation=AlterConfigOpType.SET)
    resource = ConfigResource(ResourceType.TOPIC, topic, incremental_configs=[entry])
    for future in admin.incremental_alter_configs([resource]).values():
        future.result(timeout=10)
    deadline = time.monotonic() + 10
    while (
        read_topics(admin, [topic])[topic].config[key] != value
    ):  # the broker learns it from the controller a little later
        assert time.monotonic() < deadline, f"{key} of {topic} did not become {value}"
        time.sleep(0.05)


def test_missing_topics_are_made_as_the_lanes_need_them(kafka: LocalKafka, pipeline_config: PipelineConfig) -> None:
    admin = kafka.admin()
    ensure_topics(admin, pipeline_config, local=True)
    name = pipeline_config.name
    have = read_topics(
        admin,
        [f"{name}.{lane}" for lane in ("general", "overflow", "quarantine", "dead")] + [TELEMETRY_TOPIC, STATE_TOPIC],
    )
    assert len(have) == 6
    assert {topic.config["message.timestamp.type"] for topic in have.values()} == {"LogAppendTime"}
    assert [have[f"{name}.{lane}"].partitions for lane in ("general", "overflow", "quarantine")] == [4, 4, 4]
    assert have[f"{name}.overflow"].config["retention.ms"] == "-1"
    assert have[STATE_TOPIC].partitions == 1
    assert have[STATE_TOPIC].config["cleanup.policy"] == "compact"
    ensure_topics(admin, pipeline_config, local=True)
    assert {finding.level for finding in check_topics(admin, pipeline_config, local=True)} == {Level.OK}


def test_two_processes_may_make_them_at_once(kafka: LocalKafka, pipeline_config: PipelineConfig) -> None:
    failures: list[BaseException] = []

    def one() -> None:
        try:
            ensure_topics(kafka.admin(), pipeline_config, local=True)
        except BaseException as error:
            failures.append(error)

    threads = [threading.Thread(target=one) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(timeout=40)
    assert failures == []


def test_a_changed_setting_is_refused_with_the_command_that_mends_it(
    kafka: LocalKafka, pipeline_config: PipelineConfig
) -> None:
    admin = kafka.admin()
    ensure_topics(admin, pipeline_config, local=True)
    alter(admin, f"{pipeline_config.name}.general", "retention.ms", "3600000")
    alter(admin, f"{pipeline_config.name}.quarantine", "message.timestamp.type", "CreateTime")
    with pytest.raises(RefusedTopic) as caught:
        ensure_topics(admin, pipeline_config, local=True)
    message = str(caught.value)
    assert f"topic {pipeline_config.name}.general: keeps records for 1 h" in message
    assert (
        f"--entity-name {pipeline_config.name}.quarantine --add-config message.timestamp.type=LogAppendTime" in message
    )


def test_a_lane_with_the_wrong_partition_count_is_refused(kafka: LocalKafka, pipeline_config: PipelineConfig) -> None:
    admin = kafka.admin()
    admin.create_topics([NewTopic(f"{pipeline_config.name}.overflow", num_partitions=3, replication_factor=1)])[
        f"{pipeline_config.name}.overflow"
    ].result(10)
    with pytest.raises(RefusedTopic, match=r"overflow: has 3 partitions, pipeline\.partitions is 4"):
        ensure_topics(admin, pipeline_config, local=True)


def test_production_rules_hold_on_a_cluster_that_is_not_ours(
    kafka: LocalKafka, pipeline_config: PipelineConfig
) -> None:
    with pytest.raises(RefusedTopic, match=r"pipeline\.replication: is 1"):
        ensure_topics(kafka.admin(), pipeline_config, local=False)
    assert f"{pipeline_config.name}.general" not in kafka.admin().list_topics(timeout=10).topics, (
        "nothing is made when the configuration is refused"
    )
    three = pipeline_config.model_copy(update={"replication": 3})
    with pytest.raises(RefusedTopic, match="could not be created"):  # one broker cannot hold three replicas
        ensure_topics(kafka.admin(), three, local=False)


def test_no_broker_is_unreachable(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ingestion.lanes.topics._TIMEOUT_S", 1.0)
    admin = AdminClient({**KafkaConfig(bootstrap=f"127.0.0.1:{free_ports(1)[0]}").client(), "log_level": 0})
    with pytest.raises(BrokerUnreachable, match=r"kafka\.bootstrap"):
        ensure_topics(admin, PipelineConfig(), local=True)
