"""The worker's Kafka clients and their settings. Properties under `kafka.` pass through; those that the protocol rests on are ours."""

from collections.abc import Callable
from typing import Any

from confluent_kafka import Consumer, KafkaError, Producer

from ingestion.config import KafkaConfig, PipelineConfig
from ingestion.contracts.names import Lane

OnError = Callable[[KafkaError], None]


def lane_consumer(kafka: KafkaConfig, pipeline: PipelineConfig, lane: Lane, on_error: OnError) -> Consumer:
    """The member of the lane's group: read_committed, nothing committed or reset behind our back."""
    own: dict[str, Any] = {
        "group.id": pipeline.names.group(lane),
        "group.protocol": "classic",
        "partition.assignment.strategy": "range,roundrobin",
        "session.timeout.ms": int(pipeline.session_timeout_s * 1000),
        "heartbeat.interval.ms": max(100, int(pipeline.session_timeout_s * 300)),
        # the loop polls all the time, also while the handler runs: a worker that is stuck must not hold its whole group up
        "max.poll.interval.ms": int(
            1000 * max(3 * pipeline.transaction_timeout_s, pipeline.session_timeout_s) + 15_000
        ),
        "isolation.level": "read_committed",
        "enable.auto.commit": False,
        "enable.auto.offset.store": False,
        "auto.offset.reset": "error",
        "enable.partition.eof": lane is not Lane.GENERAL,
        "queued.min.messages": 20_000,
        "queued.max.messages.kbytes": 16_384,
        "fetch.queue.backoff.ms": 20,
        "fetch.wait.max.ms": 100,
        "error_cb": on_error,
    }
    return Consumer({**kafka.client(), **own})


def reader(kafka: KafkaConfig, group: str, **own: Any) -> Consumer:
    """A consumer that never joins its group: reads committed offsets, watermarks, or partitions assigned by hand."""
    config = {"group.id": group, "enable.auto.commit": False, "enable.auto.offset.store": False, **own}
    return Consumer({**kafka.client(), **config})


def transactional_producer(
    kafka: KafkaConfig, pipeline: PipelineConfig, lane: Lane, slot: str, on_error: OnError
) -> Producer:
    """The slot's producer: its transactional.id stays the same through restarts, so a successor finishes what a dead worker left open."""
    limit_ms = int(pipeline.transaction_timeout_s * 1000)
    own: dict[str, Any] = {
        "transactional.id": pipeline.names.transactional_id(lane, slot),
        "transaction.timeout.ms": limit_ms,
        "message.timeout.ms": limit_ms,
        "acks": "all",
        "enable.idempotence": True,
        "linger.ms": 2,
        # whatever general took must be accepted: the topics decide, `topic_laws` sees to their room. A batch stays under what they take
        "message.max.bytes": 1_000_000_000,
        "batch.size": 1_000_000,
        "queue.buffering.max.messages": 200_000,
        "error_cb": on_error,
    }
    return Producer({**kafka.client(), **own})


def plain_producer(kafka: KafkaConfig, on_error: OnError) -> Producer:
    """For reports: losing one is no harm. Without a partition a message goes to crc32(key) % partitions, of as many as there are by now."""
    own: dict[str, Any] = {
        "acks": "1",
        "linger.ms": 5,
        "message.timeout.ms": 5_000,
        "partitioner": "consistent",
        "topic.metadata.refresh.interval.ms": 30_000,
        "error_cb": on_error,
    }
    return Producer({**kafka.client(), **own})
