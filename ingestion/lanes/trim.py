"""Trimming the side lanes: they keep everything until it is handled, so what was handled long ago is deleted here.

Only records below the group's committed offset ever go: the fence looks at committed offsets and high watermarks, never at the log start.
"""

import logging
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from confluent_kafka import OFFSET_BEGINNING, KafkaException, TopicPartition
from confluent_kafka.admin import AdminClient

from ingestion.config import KafkaConfig, PipelineConfig
from ingestion.contracts.names import SIDE_LANES, Lane
from ingestion.lanes.clients import reader
from ingestion.lanes.topics import unreachable

log = logging.getLogger(__name__)

KEEP: Final = 100_000
"""Handled records that stay in each partition, so that recent history can be looked at."""
LEAST: Final = 10_000
"""Fewer than this are not worth a request."""
REQUEST_S: Final = 5.0
"""How long one request may take."""


@dataclass(frozen=True, slots=True)
class Extent:
    """One partition of a side lane: where its log starts, and how far its group has committed (negative: nowhere)."""

    start: int
    committed: int


def cuts(extents: Mapping[int, Extent], *, keep: int = KEEP, least: int = LEAST) -> dict[int, int]:
    """Partition -> the offset below which its records may go: `keep` below the committed one; only where at least `least` would go."""
    before = {p: at.committed - max(0, keep) for p, at in extents.items() if at.committed >= 0}
    return {p: offset for p, offset in before.items() if offset - max(0, extents[p].start) >= max(1, least)}


def trim(kafka: KafkaConfig, pipeline: PipelineConfig, *, keep: int = KEEP, least: int = LEAST) -> int:
    """Delete what the side lanes have long handled; returns how many offsets went. Takes six request times at most.

    A partition that cannot be trimmed now is logged and left for the next time. Raises BrokerUnreachable when Kafka does not answer.
    """
    gone, wanted = 0, []
    starts: dict[tuple[str, int], int] = {}
    try:
        for lane in SIDE_LANES:
            topic, extents = pipeline.names.topic(lane), _extents(kafka, pipeline, lane)
            for partition, offset in cuts(extents, keep=keep, least=least).items():
                wanted.append(TopicPartition(topic, partition, offset))
                starts[topic, partition] = extents[partition].start
        if not wanted:
            return 0
        # short-lived on purpose: an admin client that outlives its broker can end the process (librdkafka 2.16)
        admin = AdminClient(kafka.client())
        answers = admin.delete_records(wanted, request_timeout=REQUEST_S, operation_timeout=REQUEST_S)
    except KafkaException as error:
        raise unreachable(error) from error
    for place, answer in answers.items():
        try:
            gone += max(0, answer.result(timeout=REQUEST_S + 1).low_watermark - starts[place.topic, place.partition])
        except (KafkaException, TimeoutError) as error:
            log.warning("%s/%d was not trimmed: %s", place.topic, place.partition, error)
    return gone


def _extents(kafka: KafkaConfig, pipeline: PipelineConfig, lane: Lane) -> dict[int, Extent]:
    """The lane's partitions; those that did not answer are left out. The commits are read first: they only grow."""
    topic = pipeline.names.topic(lane)
    consumer = reader(kafka, pipeline.names.group(lane), **{"isolation.level": "read_uncommitted"})
    try:
        places = [TopicPartition(topic, p) for p in range(pipeline.partitions)]
        committed = {tp.partition: tp.offset for tp in consumer.committed(places, REQUEST_S) if tp.error is None}
        asked = [TopicPartition(topic, p, OFFSET_BEGINNING) for p in committed]
        found = consumer.offsets_for_times(asked, REQUEST_S)
    finally:
        consumer.close()
    return {tp.partition: Extent(tp.offset, committed[tp.partition]) for tp in found if tp.error is None}
