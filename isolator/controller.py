"""The controller: telemetry in, decisions out, through Kafka alone.

A consumer group elects one owner for each partition of `fairlane.telemetry`; a pipeline belongs to partition crc32(name) % partitions. The owner folds the
state topic first, ticks every `policy.tick_s` and obeys commands as they come. Everything it writes goes through a transactional producer whose id is the
partition's, with the consumed offset: a zombie is fenced, and a command is answered once. One thread (`run`) owns the consumer and all that it decides.
"""

import logging
import threading
import time
from collections.abc import Mapping, Sequence
from typing import Any, Final
from zlib import crc32

from apscheduler.schedulers.background import BackgroundScheduler
from confluent_kafka import OFFSET_END, OFFSET_INVALID, Consumer, KafkaException, Message, TopicPartition
from prometheus_client import CollectorRegistry

from ingestion.contracts.names import CONTROLLER_GROUP, TELEMETRY_TOPIC
from ingestion.contracts.routes import Mode
from ingestion.contracts.telemetry import (
    ArrivalReport,
    Command,
    ProbeReport,
    UnknownMessage,
    WorkerReport,
    decode,
    kind_of,
)
from isolator.brain import Batch, Brain
from isolator.constants import Policy
from isolator.gauges import Gauges
from isolator.ledger import Ledger, LostOwnership
from isolator.obey import obey
from isolator.projection import Projection
from isolator.state import StateReader
from slo.clock import Clock
from slo.errors import BrokerUnreachable

log = logging.getLogger(__name__)

FOLDED: Final = frozenset({"worker", "arrivals", "probe", "command"})
LOOK_BACK_S: Final = 60.0
"""Telemetry older than this is not read again after a break: it tells nothing about now."""
RETRY_S: Final = 2.0
FENCED_S: Final = 5.0
"""Waited after being fenced, so that a zombie learns of its eviction (heartbeat: 3 s) before it could fence the rightful owner back."""
BATCH: Final = 500
POLL_S: Final = 0.1
ALIVE_S: Final = 45.0


class Controller:
    """Decides for those of `pipelines` whose telemetry partition the group assigns to it. `mode` is for a pipeline that has none in the state topic."""

    def __init__(
        self,
        pipelines: Sequence[str],
        kafka: Mapping[str, Any],
        policy: Policy,
        clock: Clock,
        registry: CollectorRegistry,
        projection: Projection,
        mode: Mode = Mode.OBSERVE,
    ) -> None:
        self._pipelines = tuple(pipelines)
        self._kafka = dict(kafka)
        self._policy = policy
        self._clock = clock
        self._gauges = Gauges(registry)
        self._projection = projection
        self._default = mode
        self._count = 0
        self._assigned: set[int] = set()
        self._retry_at: dict[int, float] = {}
        self._ledgers: dict[int, Ledger] = {}
        self._brains: dict[str, Brain] = {}
        self._spare: dict[str, Brain] = {}
        self._next: dict[int, int] = {}
        self._unanswered: dict[str, list[Command]] = {}
        self._tick_s: dict[str, float] = {}
        self._due = threading.Event()
        self._beat = clock.monotonic()
        self._joined = False

    def live(self) -> bool:
        """Is the loop turning?"""
        return self._clock.monotonic() - self._beat < ALIVE_S

    def ready(self) -> bool:
        """Has it joined the group, and taken over every pipeline that is its own?"""
        return self._joined and all(name in self._brains for name in self._mine())

    def owned(self) -> tuple[str, ...]:
        """Pipelines that it decides for now."""
        return tuple(sorted(self._brains))

    def tick(self) -> None:
        """Ask for a decision; the loop makes it within a poll."""
        self._due.set()

    def run(self, stop: threading.Event) -> int:
        """Decide until `stop`; returns 0. Broker trouble is waited out."""
        consumer = self._consumer()
        scheduler = BackgroundScheduler(timezone="UTC")
        scheduler.add_job(
            self.tick, "interval", seconds=self._policy.tick_s, coalesce=True, max_instances=1, misfire_grace_time=None
        )
        scheduler.start()
        try:
            while not stop.is_set():
                self._beat = self._clock.monotonic()
                self._turn(consumer)
        finally:
            scheduler.shutdown(wait=False)
            # leaving the group revokes the partitions and closes the ledgers
            consumer.close()
            self._release(set(self._ledgers))
            self._projection.close()
        return 0

    def _consumer(self) -> Consumer:
        consumer = Consumer(
            {
                **self._kafka,
                "group.id": CONTROLLER_GROUP,
                "enable.auto.commit": False,
                "auto.offset.reset": "latest",
                "isolation.level": "read_uncommitted",
                "session.timeout.ms": 10_000,
                "heartbeat.interval.ms": 2_000,
                "max.poll.interval.ms": 60_000,
                "fetch.wait.max.ms": 50,
                "allow.auto.create.topics": False,
            }
        )
        consumer.subscribe(
            [TELEMETRY_TOPIC], on_assign=self._on_assign, on_revoke=self._on_revoke, on_lost=self._on_revoke
        )
        return consumer

    # the group's callbacks run inside consume(), on the loop's thread

    def _on_assign(self, consumer: Consumer, partitions: list[TopicPartition]) -> None:
        now_ms = int(self._clock.now() * 1000)
        since = [TopicPartition(p.topic, p.partition, now_ms - int(LOOK_BACK_S * 1000)) for p in partitions]
        try:
            committed = {p.partition: p.offset for p in consumer.committed(partitions, timeout=10.0)}
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
        consumer.assign(starts)
        self._assigned = {p.partition for p in partitions}
        self._next = {}
        self._retry_at = dict.fromkeys(self._assigned, 0.0)
        self._joined = True

    def _on_revoke(self, _: Consumer, partitions: list[TopicPartition]) -> None:
        gone = {p.partition for p in partitions}
        self._assigned -= gone
        self._release(gone)

    # the loop

    def _turn(self, consumer: Consumer) -> None:
        for message in consumer.consume(BATCH, POLL_S):
            if message.error() is None:
                self._take(consumer, message)
        self._acquire()
        if self._due.is_set():
            self._due.clear()
            for name in sorted(self._brains):
                self._decide(consumer, name)
            self._gauges.owns(self._pipelines, self._brains)

    def _take(self, consumer: Consumer, message: Message) -> None:
        partition, offset, value = message.partition(), message.offset(), message.value()
        assert partition is not None
        assert offset is not None
        self._next[partition] = offset + 1
        kind = kind_of(value or b"")
        if kind not in FOLDED:
            return
        try:
            report = decode(value or b"")
        except UnknownMessage:
            self._gauges.reports.labels("unreadable").inc()
            return
        if report.pipeline not in self._pipelines or self._partition(report.pipeline) not in {partition, -1}:
            return
        self._gauges.reports.labels(kind).inc()
        if isinstance(report, Command):
            self._unanswered.setdefault(report.pipeline, []).append(report)
            self._answer(consumer, report.pipeline)
        elif isinstance(report, (WorkerReport, ArrivalReport, ProbeReport)):
            brain = self._brains.get(report.pipeline)
            if brain is not None:
                brain.fold(report, int(self._clock.now() * 1000))

    def _answer(self, consumer: Consumer, pipeline: str) -> None:
        """Carry out the commands that wait, if the pipeline is ours yet."""
        while pipeline in self._brains and self._unanswered.get(pipeline):
            command = self._unanswered[pipeline][0]
            brain = self._brains[pipeline]
            batch = obey(brain, command, int(self._clock.now() * 1000))
            if batch.records and not self._write(consumer, brain, batch):
                return  # it stays first in line for whoever owns the pipeline next
            if batch.records:
                answered = b'"ok":true' in (_answer_of(batch) or b"")
                result = "ok" if answered else "refused"
                self._gauges.commands.labels(pipeline, str(command.action), result).inc()
                self._gauges.modes(pipeline, brain.state.mode)
                log.info("%s: %s by %s: %s", pipeline, command.action, command.by, result)
            self._unanswered[pipeline].pop(0)

    def _decide(self, consumer: Consumer, name: str) -> None:
        self._answer(consumer, name)
        brain = self._brains.get(name)
        if brain is None:
            return
        began = time.perf_counter()
        try:
            batch = brain.tick(int(self._clock.now() * 1000), self._tick_s.get(name, 0.0))
        except Exception:
            # fail open: no decision, and the age of the last one raises the alarm; commands still work
            log.exception("%s: no decision", name)
            return
        spent = self._tick_s[name] = time.perf_counter() - began
        if self._write(consumer, brain, batch):
            self._gauges.ticked(brain, spent, self._clock.now())
            for verdict in batch.new:
                log.info("%s", verdict.sentence())

    def _write(self, consumer: Consumer, brain: Brain, batch: Batch) -> bool:
        partition = self._partition(brain.pipeline)
        try:
            self._ledgers[partition].write(batch.records, self._done_until(partition), consumer)
        except LostOwnership as lost:
            log.warning("%s: %s", brain.pipeline, lost)
            self._gauges.writes.labels("fenced" if lost.fenced else "aborted").inc()
            self._release({partition})
            self._retry_at[partition] = self._clock.monotonic() + (FENCED_S if lost.fenced else RETRY_S)
            return False
        self._gauges.wrote(brain.pipeline, batch)
        self._projection.write(batch.verdicts)
        self._gauges.projected(self._projection.dropped)
        return True

    def _done_until(self, partition: int) -> int | None:
        """The telemetry offset to commit with a batch; None while other commands wait: they must be read again should this process die."""
        waiting = sum(len(some) for name, some in self._unanswered.items() if self._partition(name) == partition)
        return self._next.get(partition) if waiting <= 1 else None

    # ownership

    def _partition(self, pipeline: str) -> int:
        return crc32(pipeline.encode()) % self._count if self._count else -1

    def _mine(self) -> list[str]:
        return [name for name in self._pipelines if self._partition(name) in self._assigned]

    def _acquire(self) -> None:
        """Take over what the group gave us: fence the former owner, then read the state that it left."""
        now = self._clock.monotonic()
        due = {p for p in self._assigned - set(self._ledgers) if self._retry_at.get(p, 0.0) <= now}
        if not due or not self._counted():
            return
        for partition in sorted(due):
            names = [name for name in self._pipelines if self._partition(name) == partition]
            self._retry_at[partition] = now + RETRY_S
            if names:
                self._take_over(partition, names)

    def _take_over(self, partition: int, names: list[str]) -> None:
        reader: StateReader | None = None
        try:
            ledger = Ledger(self._kafka, partition)
            reader = StateReader(self._kafka, names)
            reader.catch_up()
        except (LostOwnership, BrokerUnreachable, KafkaException) as error:
            log.warning("%s cannot be taken over yet: %s", ", ".join(names), error)
            return
        finally:
            if reader is not None:
                reader.close()
        self._ledgers[partition] = ledger
        for name in names:
            view, spare = reader.view(name), self._spare.pop(name, None)
            self._brains[name] = (
                spare.rebuilt(view, self._default) if spare else Brain(view, self._policy, self._default)
            )
            log.info("%s: in charge, mode %s", name, self._brains[name].state.mode)
        self._gauges.owns(self._pipelines, self._brains)
        self._due.set()

    def _release(self, partitions: set[int]) -> None:
        for partition in partitions:
            ledger = self._ledgers.pop(partition, None)
            if ledger is not None:
                ledger.close()
        for name in [n for n in self._brains if self._partition(n) in partitions]:
            # what was measured stays true; what was decided is read again from the topic
            self._spare[name] = self._brains.pop(name)
        self._gauges.owns(self._pipelines, self._brains)

    def _counted(self) -> bool:
        if not self._count:
            self._count = self._partitions()
        return self._count > 0

    def _partitions(self) -> int:
        # a consumer of its own: the group's must not be used for anything slow
        probe = Consumer({**self._kafka, "group.id": CONTROLLER_GROUP})
        try:
            topic = probe.list_topics(TELEMETRY_TOPIC, timeout=5.0).topics[TELEMETRY_TOPIC]
            return len(topic.partitions)
        except KafkaException as error:
            log.warning("%s cannot be described: %s", TELEMETRY_TOPIC, error)
            return 0
        finally:
            probe.close()


def _end(consumer: Consumer, partition: TopicPartition) -> int:
    try:
        return consumer.get_watermark_offsets(partition, timeout=10.0)[1]
    except KafkaException:
        # an exception would leave the group's callback and end the process
        return OFFSET_END


def _answer_of(batch: Batch) -> bytes | None:
    return next((value for key, value in batch.records if key.startswith(b"answer/")), None)
