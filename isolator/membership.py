"""The controllers' consumer groups on `fairlane.telemetry`: how a member is made, where it begins to read, how many partitions there are."""

import logging
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final
from zlib import crc32

from confluent_kafka import OFFSET_END, OFFSET_INVALID, Consumer, KafkaException, TopicPartition

from ingestion.contracts.names import CONTROLLER_GROUP, TELEMETRY_TOPIC

log = logging.getLogger(__name__)

SESSION_S: Final = 7.0
"""A controller that is silent for this long has lost its pipelines; above the 6 s that brokers allow at least by default."""
LOOK_BACK_S: Final = 60.0
"""Telemetry older than this is not read again after a break: it tells nothing about now."""
OnPartitions = Callable[[Consumer, list[TopicPartition]], None]


def group_of(pipelines: Sequence[str]) -> str:
    """The group of the controllers of just these pipelines: those of others must not be given a partition that they would leave alone."""
    return ".".join((CONTROLLER_GROUP, *sorted(pipelines)))


def member(
    kafka: Mapping[str, Any],
    pipelines: Sequence[str],
    session_s: float,
    on_assign: OnPartitions,
    on_revoke: OnPartitions,
) -> Consumer:
    """A member of the pipelines' group, subscribed. The callbacks run inside its `consume`."""
    consumer = Consumer(
        {
            # by default a grown topic is noticed after five minutes
            "topic.metadata.refresh.interval.ms": 30_000,
            **kafka,
            "group.id": group_of(pipelines),
            "group.protocol": "classic",
            "enable.auto.commit": False,
            "auto.offset.reset": "latest",
            "isolation.level": "read_uncommitted",
            "session.timeout.ms": int(session_s * 1000),
            "heartbeat.interval.ms": int(session_s * 280),
            "max.poll.interval.ms": 60_000,
            "fetch.wait.max.ms": 50,
            "queued.max.messages.kbytes": 32_768,
            "allow.auto.create.topics": False,
        }
    )
    consumer.subscribe([TELEMETRY_TOPIC], on_assign=on_assign, on_revoke=on_revoke, on_lost=on_revoke)
    return consumer


def beginnings(consumer: Consumer, partitions: Sequence[TopicPartition], now_ms: int) -> list[TopicPartition]:
    """Where to begin: the committed offset, but nothing older than LOOK_BACK_S; the end when the broker does not tell. Never raises for Kafka's errors."""
    since = [TopicPartition(p.topic, p.partition, now_ms - int(LOOK_BACK_S * 1000)) for p in partitions]
    try:
        committed = {p.partition: p.offset for p in consumer.committed(list(partitions), timeout=10.0)}
        recent = {p.partition: p.offset for p in consumer.offsets_for_times(since, timeout=10.0)}
    except KafkaException as error:
        log.warning("telemetry positions cannot be read (%s): starting at the end", error)
        committed, recent = {}, {}
    starts: list[TopicPartition] = []
    for p in partitions:
        # offsets_for_times answers -1 (the end) when nothing is as new
        fresh = recent.get(p.partition, OFFSET_INVALID)
        if fresh < 0:
            # a number, not "the end": a command that comes before the first fetch must not be missed
            fresh = _end(consumer, p)
        starts.append(TopicPartition(p.topic, p.partition, max(committed.get(p.partition, OFFSET_INVALID), fresh)))
    return starts


def _end(consumer: Consumer, partition: TopicPartition) -> int:
    try:
        return consumer.get_watermark_offsets(partition, timeout=10.0)[1]
    except KafkaException:
        # an exception would leave the group's callback and end the process
        return OFFSET_END


def partition_count(kafka: Mapping[str, Any]) -> int:
    """How many partitions `fairlane.telemetry` has now; 0 when that cannot be told."""
    # a consumer of its own: the group's must not be used for anything slow
    probe = Consumer({**kafka, "group.id": CONTROLLER_GROUP})
    try:
        return len(probe.list_topics(TELEMETRY_TOPIC, timeout=5.0).topics[TELEMETRY_TOPIC].partitions)
    except KafkaException as error:
        log.warning("%s cannot be described: %s", TELEMETRY_TOPIC, error)
        return 0
    finally:
        probe.close()


def place_of(pipeline: str, count: int) -> int:
    """The telemetry partition of a pipeline, -1 while their `count` is not known (0)."""
    return crc32(pipeline.encode()) % count if count else -1
