"""The laws of topics, pure: which ones a pipeline needs, and which settings would lose or reorder records.

Every topic uses LogAppendTime: with CreateTime a forwarded old record can be deleted by retention before it is read. The side lanes keep everything
until it is handled.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from ingestion.config import PipelineConfig
from ingestion.contracts.names import SIDE_LANES, STATE_TOPIC, TELEMETRY_TOPIC, Lane

HOUR_MS: Final = 3_600_000
LEAST_RETENTION_MS: Final = 72 * HOUR_MS
DEAD_RETENTION_MS: Final = 30 * 24 * HOUR_MS
LEAST_REPLICATION: Final = 3
GENERAL_MAX_MESSAGE: Final = 1_048_588
"""Kafka's default: what a created general topic takes."""
HEADER_ROOM: Final = 16_384
"""Bytes by which a forward or a dead letter may be larger than its original."""
TELEMETRY_PARTITIONS: Final = 4


class Level(StrEnum):
    """How bad a finding is."""

    OK = "ok"
    WARN = "warn"
    FAIL = "fail"


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that was looked at: what was seen where, and what to change (empty when nothing)."""

    level: Level
    where: str
    what: str
    fix: str = ""

    def __str__(self) -> str:
        """One line: where, what and the change."""
        return f"{self.where}: {self.what}" + (f"; {self.fix}" if self.fix else "")


@dataclass(frozen=True, slots=True)
class Topic:
    """A topic as it is, or as it should be made: `config` holds topic properties as Kafka writes them."""

    name: str
    partitions: int
    replication: int
    config: Mapping[str, str]


def wanted(pipeline: PipelineConfig, *, local: bool) -> tuple[Topic, ...]:
    """The topics that a pipeline needs, with the settings that they are created with."""
    replication = 1 if local else pipeline.replication
    common = {"message.timestamp.type": "LogAppendTime", "min.insync.replicas": "1" if local else "2"}
    forever = {"retention.ms": "-1", "retention.bytes": "-1"}
    roomy = {"max.message.bytes": str(GENERAL_MAX_MESSAGE + HEADER_ROOM)}
    general = {"retention.ms": str(pipeline.retention_hours * HOUR_MS), "max.message.bytes": str(GENERAL_MAX_MESSAGE)}
    names, count = pipeline.names, pipeline.partitions
    compacted = {"cleanup.policy": "compact", "segment.ms": str(HOUR_MS), "min.cleanable.dirty.ratio": "0.1"}
    return (
        Topic(names.topic(Lane.GENERAL), count, replication, common | general),
        *(Topic(names.topic(lane), count, replication, common | forever | roomy) for lane in SIDE_LANES),
        Topic(
            names.dead,
            count,
            replication,
            common | roomy | {"retention.ms": str(max(DEAD_RETENTION_MS, pipeline.retention_hours * HOUR_MS))},
        ),
        Topic(TELEMETRY_TOPIC, TELEMETRY_PARTITIONS, replication, common | {"retention.ms": str(24 * HOUR_MS)}),
        Topic(STATE_TOPIC, 1, replication, common | compacted),
    )


def judge_config(pipeline: PipelineConfig, *, local: bool) -> list[Finding]:
    """What is wrong with the pipeline's own settings, whatever the broker says."""
    found: list[Finding] = []
    if pipeline.retention_hours * HOUR_MS < LEAST_RETENTION_MS:
        what = f"is {pipeline.retention_hours}: a weekend's backlog could be deleted before it is handled"
        found.append(Finding(Level.FAIL, "pipeline.retention_hours", what, "set it to 72 or more"))
    if pipeline.replication < LEAST_REPLICATION and not local:
        what = f"is {pipeline.replication}: losing one broker could lose acknowledged events"
        found.append(
            Finding(
                Level.FAIL,
                "pipeline.replication",
                what,
                "set it to 3 or more (fewer is allowed on the local stack only)",
            )
        )
    return found


def judge(pipeline: PipelineConfig, have: Mapping[str, Topic], *, local: bool) -> list[Finding]:
    """Hold the topics that exist (`have`, by name) against what the pipeline needs: one finding per defect, one OK per faultless topic."""
    general = have.get(pipeline.names.topic(Lane.GENERAL))
    most = _number(general, "max.message.bytes", GENERAL_MAX_MESSAGE) if general else GENERAL_MAX_MESSAGE
    found: list[Finding] = []
    for want in wanted(pipeline, local=local):
        topic = have.get(want.name)
        defects = [missing(want)] if topic is None else [*_defects(pipeline, want, topic, most, local=local)]
        found += defects or [
            Finding(Level.OK, f"topic {want.name}", f"{want.partitions} partitions, settings are safe")
        ]
    return found


def missing(want: Topic) -> Finding:
    """The finding for a topic that does not exist, with the command that makes it."""
    config = " ".join(f"--config {key}={value}" for key, value in want.config.items())
    make = f"kafka-topics.sh --bootstrap-server BOOTSTRAP --create --topic {want.name} --partitions {want.partitions}"
    return Finding(
        Level.FAIL,
        f"topic {want.name}",
        "does not exist",
        f"`fairlane up` and `fairlane serve` make it, or: {make} --replication-factor {want.replication} {config}",
    )


def _defects(pipeline: PipelineConfig, want: Topic, topic: Topic, most: int, *, local: bool) -> Iterable[Finding]:
    names = pipeline.names
    sides = {names.topic(lane) for lane in SIDE_LANES}
    lanes = {names.topic(Lane.GENERAL), names.dead, *sides}
    where = f"topic {topic.name}"

    def fail(what: str, fix: str) -> Finding:
        return Finding(Level.FAIL, where, what, fix)

    def alter(key: str, value: object) -> str:
        command = f"kafka-configs.sh --bootstrap-server BOOTSTRAP --alter --entity-type topics --entity-name {topic.name} --add-config {key}={value}"
        return f"run: {command}"

    if topic.name in lanes and topic.partitions != want.partitions:
        yield fail(
            f"has {topic.partitions} partitions, pipeline.partitions is {want.partitions}: a forward keeps its partition, so all lanes need the same number",
            f"set pipeline.partitions = {topic.partitions} if all lanes have that many, else grow the smaller ones (side lanes first, and only while "
            f"nothing is moved): kafka-topics.sh --bootstrap-server BOOTSTRAP --alter --topic {topic.name} --partitions {max(want.partitions, topic.partitions)}",
        )
    if topic.name == STATE_TOPIC and topic.partitions != 1:
        yield fail(
            f"has {topic.partitions} partitions: its offsets are the order of routes, so it must have one",
            "delete it and start again: it is made anew",
        )
    if (kind := topic.config.get("message.timestamp.type", "CreateTime")) != "LogAppendTime":
        yield fail(
            f"uses {kind}: a forwarded old record could be deleted by retention before it is read",
            alter("message.timestamp.type", "LogAppendTime"),
        )
    policy = topic.config.get("cleanup.policy", "delete")
    if topic.name == STATE_TOPIC and policy != "compact":
        yield fail(f"has cleanup.policy={policy}: routes would be deleted by age", alter("cleanup.policy", "compact"))
    if topic.name in lanes and policy != "delete":
        yield fail(
            f"has cleanup.policy={policy}: compaction would drop events of the same key",
            alter("cleanup.policy", "delete"),
        )
    retention, size = _number(topic, "retention.ms", -1), _number(topic, "retention.bytes", -1)
    if topic.name in sides:
        for key, value in (("retention.ms", retention), ("retention.bytes", size)):
            if value != -1:
                yield fail(f"has {key}={value}: a side lane keeps everything until it is handled", alter(key, -1))
    elif topic.name in lanes:
        if 0 <= retention < LEAST_RETENTION_MS:
            yield fail(
                f"keeps records for {retention / HOUR_MS:g} h, 72 h is the least: a weekend's backlog could be deleted before it is handled",
                alter("retention.ms", want.config["retention.ms"]),
            )
        if size != -1:
            what = f"has retention.bytes={size}: a flood can push unread records out before retention.ms"
            yield Finding(Level.WARN, where, what, alter("retention.bytes", -1))
    # forwards travel in batches of up to 1 MB, however small they are
    least = max(most, GENERAL_MAX_MESSAGE) + HEADER_ROOM
    if (
        topic.name in sides | {names.dead}
        and (room := _number(topic, "max.message.bytes", GENERAL_MAX_MESSAGE)) < least
    ):
        yield fail(
            f"has max.message.bytes={room}: a forward of general's largest record ({most} bytes) with its headers would be refused for ever",
            alter("max.message.bytes", least),
        )
    if not local:
        if topic.replication < LEAST_REPLICATION:
            yield fail(
                f"has {topic.replication} replica{'s' if topic.replication != 1 else ''}: losing one broker could lose acknowledged events",
                "give it 3 replicas with kafka-reassign-partitions.sh",
            )
        insync = _number(topic, "min.insync.replicas", 1)
        if insync < 2:
            yield fail(
                f"has min.insync.replicas={insync}: acks=all would then mean one broker",
                alter("min.insync.replicas", 2),
            )


def _number(topic: Topic, key: str, default: int) -> int:
    try:
        return int(topic.config.get(key, default))
    except ValueError:
        return default
