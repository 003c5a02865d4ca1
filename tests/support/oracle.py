"""The oracle of the fault suite: reads the lanes, the dead letters and the counts read_committed, and the journal of effects, and judges."""

import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from confluent_kafka import OFFSET_BEGINNING, Consumer, KafkaError, TopicPartition

from fairlane.demo.audit import Audit, Effects, identity, judge, parse_place, read_topics
from ingestion.config import KafkaConfig, PipelineConfig
from ingestion.contracts import telemetry
from ingestion.contracts.names import TELEMETRY_TOPIC, Lane
from ingestion.contracts.telemetry import Kind, SliCounts
from tests.support import journal

OUTCOMES = (Kind.GOOD, Kind.SLOW, Kind.LATE, Kind.DEAD, Kind.INVALID)


@dataclass(frozen=True, slots=True)
class Finding:
    """What the oracle found after a run."""

    audit: Audit
    records: int
    """Records in general."""
    forwards: int
    """Committed forwards."""
    effects: int
    """Effects, repeats included."""
    outcomes: int
    """Outcomes counted in committed telemetry."""
    counted_forwards: int
    """Forwards counted there."""

    @property
    def violations(self) -> list[str]:
        """What is wrong, in words; empty for nothing."""
        audit = self.audit
        said = [
            f"{count} {what}"
            for count, what in (
                (audit.missing, "missing"),
                (audit.duplicated, "owned twice"),
                (audit.out_of_order, "out of order"),
                (audit.strangers, "handled or given up without a committed owner"),
            )
            if count
        ]
        if self.outcomes != self.records:
            said.append(f"{self.outcomes} outcomes counted for {self.records} records")
        if self.counted_forwards != self.forwards:
            said.append(f"{self.counted_forwards} forwards counted for {self.forwards}")
        return said


def inspect(kafka: KafkaConfig, pipeline: PipelineConfig, path: Path, accepted: list[str]) -> Finding:
    """Judge what is there now; `accepted` are the event ids that Kafka confirmed in general."""
    topics = read_topics(kafka, pipeline.names, lambda _: None)
    found = journal.read(path)
    effects = Effects()
    seen: set[str] = set()
    for effect in found:
        if effect.source not in seen:  # the first effect counts: repeats are harmless to an idempotent sink
            seen.add(effect.source)
            _, source = parse_place(effect.source)
            side = effect.lane is not Lane.GENERAL
            effects.add(effect.event_id, effect.token, effect.distinct_id, source, side=side)
    ids = np.unique(np.fromiter((identity(event_id) for event_id in accepted), dtype=np.int64))
    outcomes, forwards = count(kafka, pipeline.name)
    return Finding(
        judge(ids, topics, effects), len(topics.source), len(topics.forwarded), len(found), outcomes, forwards
    )


def count(kafka: KafkaConfig, pipeline: str) -> tuple[int, int]:
    """Outcomes and forwards in the committed SLI counts of the pipeline."""
    outcomes = forwards = 0
    consumer = Consumer(
        kafka.client(
            group_id="oracle",
            enable_auto_commit=False,
            isolation_level="read_committed",
            enable_partition_eof=True,
            fetch_wait_max_ms=20,
        )
    )
    try:
        left = set(consumer.list_topics(TELEMETRY_TOPIC, timeout=10).topics[TELEMETRY_TOPIC].partitions)
        consumer.assign([TopicPartition(TELEMETRY_TOPIC, partition, OFFSET_BEGINNING) for partition in left])
        deadline = time.monotonic() + 30
        while left:
            assert time.monotonic() < deadline, "the telemetry topic does not answer"
            for message in consumer.consume(1_000, 0.1):
                if (error := message.error()) is not None:
                    assert error.code() == KafkaError._PARTITION_EOF, error
                    left.discard(message.partition())
                elif message.key() == pipeline.encode() and telemetry.kind_of(message.value() or b"") == "sli":
                    report = telemetry.decode(message.value() or b"")
                    assert isinstance(report, SliCounts)
                    outcomes += sum(row.count for row in report.counts if row.kind in OUTCOMES)
                    forwards += sum(row.count for row in report.counts if row.kind is Kind.FORWARDED)
    finally:
        consumer.close()
    return outcomes, forwards
