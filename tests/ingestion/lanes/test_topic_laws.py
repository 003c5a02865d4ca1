"""Which topic settings are refused, as a table."""

from dataclasses import replace

import pytest

from ingestion.config import PipelineConfig
from ingestion.contracts.names import STATE_TOPIC, TELEMETRY_TOPIC
from ingestion.lanes.topic_laws import HEADER_ROOM, HOUR_MS, Level, Topic, judge, judge_config, wanted

PIPELINE = PipelineConfig(name="orders", partitions=6)


def faultless(*, local: bool = False) -> dict[str, Topic]:
    return {topic.name: topic for topic in wanted(PIPELINE, local=local)}


def changed(
    name: str, *, partitions: int | None = None, replication: int | None = None, **config: str
) -> dict[str, Topic]:
    have = faultless()
    topic = have[name]
    dotted = {key.replace("_", "."): value for key, value in config.items()}
    have[name] = replace(
        topic,
        partitions=topic.partitions if partitions is None else partitions,
        replication=topic.replication if replication is None else replication,
        config={**topic.config, **dotted},
    )
    return have


def test_what_we_create_is_what_we_accept() -> None:
    for local in (True, False):
        found = judge(PIPELINE, faultless(local=local), local=local)
        assert [finding.level for finding in found] == [Level.OK] * 6
        assert judge_config(PIPELINE, local=local) == []


REFUSED = {
    "a lane has another partition count": ("orders.overflow", {"partitions": 5}, "has 5 partitions"),
    "the dead letters have another partition count": ("orders.dead", {"partitions": 1}, "has 1 partitions"),
    "the state topic has two partitions": (STATE_TOPIC, {"partitions": 2}, "must have one"),
    "general uses CreateTime": ("orders.general", {"message_timestamp_type": "CreateTime"}, "uses CreateTime"),
    "telemetry uses CreateTime": (TELEMETRY_TOPIC, {"message_timestamp_type": "CreateTime"}, "uses CreateTime"),
    "general keeps less than 72 hours": (
        "orders.general",
        {"retention_ms": str(72 * HOUR_MS - 1)},
        "72 h is the least",
    ),
    "the dead letters keep less than 72 hours": ("orders.dead", {"retention_ms": "1000"}, "72 h is the least"),
    "overflow deletes by age": ("orders.overflow", {"retention_ms": str(1000 * HOUR_MS)}, "keeps everything"),
    "quarantine deletes by size": ("orders.quarantine", {"retention_bytes": "1000000"}, "keeps everything"),
    "overflow has no room for a forward's headers": (
        "orders.overflow",
        {"max_message_bytes": "1048588"},
        "refused for ever",
    ),
    "general was allowed larger records than overflow": (
        "orders.general",
        {"max_message_bytes": "5000000"},
        "refused for ever",
    ),
    "general is compacted": ("orders.general", {"cleanup_policy": "compact"}, "drop events"),
    "the state topic is not compacted": (STATE_TOPIC, {"cleanup_policy": "delete"}, "deleted by age"),
    "a lane has two replicas": ("orders.general", {"replication": 2}, "has 2 replicas"),
    "one in-sync replica is enough for acks": ("orders.general", {"min_insync_replicas": "1"}, "mean one broker"),
}


@pytest.mark.parametrize(("name", "change", "says"), REFUSED.values(), ids=REFUSED.keys())
def test_refused(name: str, change: dict, says: str) -> None:
    failed = [
        finding for finding in judge(PIPELINE, changed(name, **change), local=False) if finding.level is Level.FAIL
    ]
    assert failed
    assert any(says in finding.what for finding in failed)
    assert all(finding.fix for finding in failed), "every refusal says what to do"
    if says != "refused for ever":
        assert [finding.where for finding in failed] == [f"topic {name}"]


def test_a_missing_topic_is_named_with_the_command_that_makes_it() -> None:
    have = faultless()
    del have["orders.quarantine"]
    (failed,) = [finding for finding in judge(PIPELINE, have, local=False) if finding.level is Level.FAIL]
    assert failed.where == "topic orders.quarantine"
    assert "--create --topic orders.quarantine --partitions 6" in failed.fix
    assert "--config retention.ms=-1" in failed.fix


def test_every_defect_is_told_at_once() -> None:
    have = changed(
        "orders.overflow",
        partitions=3,
        retention_ms="1",
        retention_bytes="1",
        message_timestamp_type="CreateTime",
        replication=1,
    )
    assert len([finding for finding in judge(PIPELINE, have, local=False) if finding.level is Level.FAIL]) == 5


def test_a_size_limit_on_general_warns_but_does_not_refuse() -> None:
    found = [
        finding
        for finding in judge(PIPELINE, changed("orders.general", retention_bytes="1000"), local=False)
        if finding.level is not Level.OK
    ]
    assert [finding.level for finding in found] == [Level.WARN]


def test_endless_retention_of_general_is_fine() -> None:
    assert {f.level for f in judge(PIPELINE, changed("orders.general", retention_ms="-1"), local=False)} == {Level.OK}


def test_the_local_stack_may_have_one_replica() -> None:
    have = changed("orders.general", replication=1, min_insync_replicas="1")
    assert {finding.level for finding in judge(PIPELINE, have, local=True)} == {Level.OK}


@pytest.mark.parametrize(
    ("setting", "local", "refused"),
    [
        ({"retention_hours": 71}, True, True),
        ({"retention_hours": 72}, False, False),
        ({"replication": 2}, False, True),
        ({"replication": 1}, True, False),
    ],
)
def test_the_configuration_itself_is_judged(setting: dict, local: bool, refused: bool) -> None:
    assert bool(judge_config(PIPELINE.model_copy(update=setting), local=local)) is refused


def test_side_lanes_have_head_room_over_general() -> None:
    have = faultless()
    room = int(have["orders.overflow"].config["max.message.bytes"]) - int(
        have["orders.general"].config["max.message.bytes"]
    )
    assert room >= HEADER_ROOM > 0
