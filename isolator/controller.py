"""The controller: telemetry in, decisions out, through Kafka alone.

Controllers of the same pipelines form a consumer group, which elects one owner for each partition of `fairlane.telemetry`; a pipeline belongs to partition
crc32(name) % partitions. The owner folds the state topic first, ticks every `policy.tick_s` and obeys commands as they come. Everything it writes goes
through a transactional producer whose id is the pipeline's, with the consumed offset: a zombie is fenced, by the id or by its place in the group, and a
command is answered once. One thread (`run`) owns the consumer and all that it decides.
"""

import logging
import threading
import time
from collections.abc import Mapping, Sequence
from typing import Any, Final

from apscheduler.schedulers.background import BackgroundScheduler
from confluent_kafka import Consumer, KafkaException, TopicPartition
from prometheus_client import CollectorRegistry

from ingestion.contracts.routes import Mode
from ingestion.contracts.telemetry import (
    ArrivalReport,
    Command,
    ProbeReport,
    UnknownMessage,
    WorkerReport,
    decode,
)
from isolator import membership, snapshot
from isolator.answers import Answer
from isolator.brain import Batch, Brain
from isolator.constants import Policy
from isolator.gauges import Gauges
from isolator.inbox import Inbox, Item
from isolator.ledger import Ledger, LostOwnership
from isolator.obey import obey
from isolator.projection import Projection
from isolator.state import StateReader, StateView
from slo.clock import Clock
from slo.errors import BrokerUnreachable

log = logging.getLogger(__name__)

RETRY_S: Final = 2.0
FENCED_S: Final = 5.0
"""Waited after being fenced, so that a zombie learns of its eviction (heartbeat: 2 s) before it could fence the rightful owner back."""
BATCH: Final = 64
READS: Final = 16
"""Batches that are taken before something is folded."""
FOLD_S: Final = 0.25
"""Folding pauses after so long to see whether a command has come."""
POLL_S: Final = 0.1
ALIVE_S: Final = 45.0
POISONED_TICKS: Final = 3
"""After so many decisions in a row that failed, what was measured is thrown away: something in it cannot be decided on."""


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
        *,
        session_s: float = membership.SESSION_S,
    ) -> None:
        self._pipelines = tuple(pipelines)
        self._kafka = dict(kafka)
        self._policy = policy
        self._clock = clock
        self._gauges = Gauges(registry)
        self._projection = projection
        self._default = mode
        self._session_s = session_s
        self._count = 0
        self._assigned: set[int] = set()
        self._retry_at: dict[str, float] = {}
        self._ledgers: dict[str, Ledger] = {}
        self._brains: dict[str, Brain] = {}
        self._spare: dict[str, Brain] = {}
        self._next: dict[int, int] = {}
        self._inbox = Inbox()
        self._unanswered: dict[str, list[tuple[int, Command]]] = {}
        self._failures: dict[str, int] = {}
        self._tick_s: dict[str, float] = {}
        self._due = threading.Event()
        self._beat = clock.monotonic()
        self._joined = False

    def live(self) -> bool:
        """Is the loop turning?"""
        return self._clock.monotonic() - self._beat < ALIVE_S

    def ready(self) -> bool:
        """Has it joined the group, and taken over every pipeline that is its own?"""
        return self._joined and (
            not self._assigned or (self._count > 0 and all(n in self._brains for n in self._mine()))
        )

    def owned(self) -> tuple[str, ...]:
        """Pipelines that it decides for now."""
        return tuple(sorted(self._brains))

    def tick(self) -> None:
        """Ask for a decision; the loop makes it within a poll."""
        self._due.set()

    def run(self, stop: threading.Event) -> int:
        """Decide until `stop`; returns 0. Broker trouble is waited out."""
        consumer = membership.member(self._kafka, self._pipelines, self._session_s, self._on_assign, self._on_revoke)
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
            self._release(tuple(self._ledgers))
            self._projection.close()
        return 0

    # the group's callbacks run inside consume(), on the loop's thread

    def _on_assign(self, consumer: Consumer, partitions: list[TopicPartition]) -> None:
        starts = membership.beginnings(consumer, partitions, self._now_ms())
        consumer.assign(starts)
        self._assigned = {p.partition for p in partitions}
        self._next = {p.partition: p.offset for p in starts if p.offset >= 0}
        self._retry_at = {}
        # the topic may have grown, which moves pipelines: every member counts anew, and whoever held one has let go of it
        self._count = 0
        self._joined = True

    def _on_revoke(self, _: Consumer, partitions: list[TopicPartition]) -> None:
        lost = {p.partition for p in partitions}
        gone = [name for name in self._pipelines if self._partition(name) in lost]
        self._assigned -= lost
        for name in gone:
            # the offsets of what was not answered are not committed: the next owner reads it
            self._unanswered.pop(name, None)
        self._release(gone)

    # the loop

    def _turn(self, consumer: Consumer) -> None:
        self._read(consumer)
        self._acquire()
        self._fold()
        if self._due.is_set():
            self._due.clear()
            for name in sorted(self._brains):
                self._decide(consumer, name)
            self._gauges.owns(self._pipelines, self._brains)

    def _read(self, consumer: Consumer) -> None:
        """Take all that has come, and answer the commands in it at once, however many reports wait to be folded."""
        for _ in range(READS):
            messages = consumer.consume(BATCH, 0.0 if self._inbox else POLL_S)
            asked, ends = self._inbox.put(messages)
            self._next.update({partition: end for partition, end in ends.items() if partition in self._assigned})
            for item in asked:
                self._take(item)
            # not one by one: what is committed with the first answer must not pass the second command
            for name in sorted(self._unanswered) if asked else ():
                self._answer(consumer, name)
            if len(messages) < BATCH:
                return

    def _fold(self) -> None:
        """Fold what waits, for a while: a command may have come."""
        until = self._clock.monotonic() + FOLD_S
        oldest_ms = self._now_ms() - int(self._policy.stale_s * 1000)
        while (item := self._inbox.take(oldest_ms)) is not None:
            self._take(item)
            if self._clock.monotonic() > until:
                break
        self._gauges.skipped(self._inbox.skipped)

    def _take(self, item: Item) -> None:
        if item.partition not in self._assigned:
            return
        began = time.perf_counter()
        try:
            report = decode(item.value)
            if report.pipeline not in self._pipelines or self._partition(report.pipeline) not in {item.partition, -1}:
                return
            if isinstance(report, (WorkerReport, ArrivalReport, ProbeReport)):
                brain = self._brains.get(report.pipeline)
                if brain is not None:
                    brain.fold(report, self._now_ms())
        except UnknownMessage as error:
            self._gauges.unreadable()
            log.warning("a message of %s at offset %d was skipped: %s", item.kind, item.offset, error)
            return
        except Exception:
            # whatever a message holds, it must not end the decision
            self._gauges.unreadable()
            log.exception("a message of %s at offset %d was skipped", item.kind, item.offset)
            return
        self._gauges.folded(report.pipeline, item.kind, time.perf_counter() - began, self._age_s(item))
        if isinstance(report, Command):
            self._unanswered.setdefault(report.pipeline, []).append((item.offset, report))

    def _age_s(self, item: Item) -> float | None:
        return max(self._clock.now() - item.appended_ms / 1000, 0.0) if item.appended_ms else None

    def _answer(self, consumer: Consumer, pipeline: str) -> None:
        """Carry out the commands that wait, if the pipeline is ours yet."""
        while pipeline in self._brains and self._unanswered.get(pipeline):
            offset, command = self._unanswered[pipeline][0]
            brain = self._brains[pipeline]
            batch = self._obey(brain, command)
            if batch.records and not self._write(consumer, brain, batch, offset):
                return  # it stays first in line for whoever owns the pipeline next
            if batch.records:
                answered = b'"ok":true' in (_answer_of(batch) or b"")
                result = "ok" if answered else "refused"
                self._gauges.commands.labels(pipeline, str(command.action), result).inc()
                self._gauges.modes(pipeline, brain.state.mode)
                log.info("%s: %s by %s: %s", pipeline, command.action, command.by, result)
            self._unanswered[pipeline].pop(0)

    def _obey(self, brain: Brain, command: Command) -> Batch:
        before = brain.state
        try:
            return obey(brain, command, self._now_ms())
        except Exception as error:
            # it would be read again after a restart, and again: refuse it
            log.exception("%s: %s by %s failed", brain.pipeline, command.action, command.by)
            brain.state = before
            why = f"{command.action} failed inside the controller ({type(error).__name__}: {error}); its log tells more"
            answer = Answer(brain.pipeline, command.id, self._now_ms(), ok=False, message=why, problem="internal")
            brain.answers[command.id] = answer.at_ms
            return Batch((answer.encode(),))

    def _decide(self, consumer: Consumer, name: str) -> None:
        self._answer(consumer, name)
        brain = self._brains.get(name)
        if brain is None:
            return
        began = time.perf_counter()
        try:
            batch = brain.tick(self._now_ms(), self._tick_s.get(name, 0.0))
        except Exception:
            # fail open: no decision, and the age of the last one raises the alarm; commands still work
            log.exception("%s: no decision", name)
            self._failures[name] = self._failures.get(name, 0) + 1
            if self._failures[name] >= POISONED_TICKS:
                self._begin_anew(name)
            return
        self._failures.pop(name, None)
        spent = self._tick_s[name] = time.perf_counter() - began
        if self._write(consumer, brain, batch):
            self._gauges.ticked(brain, spent, self._clock.now())
            for verdict in batch.new:
                log.info("%s", verdict.sentence())

    def _begin_anew(self, name: str) -> None:
        log.error("%s: %d decisions failed in a row: measuring anew", name, self._failures.pop(name))
        self._release((name,))
        self._spare.pop(name, None)

    def _write(self, consumer: Consumer, brain: Brain, batch: Batch, answering: int = -1) -> bool:
        name = brain.pipeline
        partition = self._partition(name)
        try:
            self._ledgers[name].write(batch.records, partition, self._done_until(partition, answering), consumer)
        except LostOwnership as lost:
            log.warning("%s: %s", name, lost)
            self._gauges.writes.labels("fenced" if lost.fenced else "aborted").inc()
            self._release((name,))
            self._retry_at[name] = self._clock.monotonic() + (FENCED_S if lost.fenced else RETRY_S)
            return False
        self._gauges.wrote(name, batch)
        self._projection.write(batch.verdicts)
        self._gauges.projected(self._projection.dropped)
        return True

    def _done_until(self, partition: int, answering: int) -> int | None:
        """The telemetry offset to commit with a batch: up to the first command without an answer (but for the one at offset `answering`), which must be
        read again should this process die. None when nothing was read yet.
        """
        waiting = [
            offset
            for name, some in self._unanswered.items()
            if self._partition(name) == partition
            for offset, _ in some
            if offset != answering
        ]
        return min(waiting) if waiting else self._next.get(partition)

    # ownership

    def _now_ms(self) -> int:
        return int(self._clock.now() * 1000)

    def _partition(self, pipeline: str) -> int:
        return membership.place_of(pipeline, self._count)

    def _mine(self) -> list[str]:
        return [name for name in self._pipelines if self._partition(name) in self._assigned]

    def _acquire(self) -> None:
        """Take over what the group gave us: fence the former owner, then read the state that it left."""
        if not self._assigned or not self._counted():
            return
        now = self._clock.monotonic()
        due = [n for n in self._mine() if n not in self._ledgers and self._retry_at.get(n, 0.0) <= now]
        if due:
            self._retry_at.update(dict.fromkeys(due, now + RETRY_S))
            self._take_over(due)

    def _take_over(self, names: list[str]) -> None:
        reader: StateReader | None = None
        ledgers: dict[str, Ledger] = {}
        try:
            for name in names:
                ledgers[name] = Ledger(self._kafka, name)
            reader = StateReader(self._kafka, names)
            reader.catch_up()
        except (LostOwnership, BrokerUnreachable, KafkaException) as error:
            log.warning("%s cannot be taken over yet: %s", ", ".join(names), error)
            for ledger in ledgers.values():
                ledger.close()
            return
        finally:
            if reader is not None:
                reader.close()
        self._ledgers |= ledgers
        for name in names:
            view = reader.view(name)
            if lost := snapshot.unreadable(view.snapshot.values()):
                chunks = f"{lost} of {len(view.snapshot)} chunks of its baselines"
                log.warning("%s: %s cannot be read; what they held is learned anew", name, chunks)
            brain = self._brains[name] = self._brain(view, self._spare.pop(name, None))
            # what a former owner decided and could not write any more; the database replaces what it has
            self._projection.write(tuple(brain.verdicts.values()))
            log.info("%s: in charge, mode %s", name, brain.state.mode)
        self._gauges.owns(self._pipelines, self._brains)
        self._due.set()

    def _brain(self, view: StateView, spare: Brain | None) -> Brain:
        try:
            return spare.rebuilt(view, self._default) if spare else Brain(view, self._policy, self._default)
        except Exception:
            log.exception("%s: the baselines in the state topic are of no use: learning anew", view.pipeline)
            view.snapshot.clear()
            return Brain(view, self._policy, self._default)

    def _release(self, names: Sequence[str]) -> None:
        for name in names:
            ledger, brain = self._ledgers.pop(name, None), self._brains.pop(name, None)
            if ledger is not None:
                ledger.close()
            if brain is not None:
                # what was measured stays true; what was decided is read again from the topic
                self._spare[name] = brain
        self._gauges.owns(self._pipelines, self._brains)

    def _counted(self) -> bool:
        if not self._count:
            count = membership.partition_count(self._kafka)
            # a broker that does not know yet what the group's leader knew: ask again
            self._count = count if count > max(self._assigned) else 0
        return self._count > 0


def _answer_of(batch: Batch) -> bytes | None:
    return next((value for key, value in batch.records if key.startswith(b"answer/")), None)
