"""The lane worker: fetch, take, decide, handle, commit; one class for every lane.

The Kafka thread (whoever calls `run`) alone touches the consumer and the transactional producer; the handler has threads of its own.
Side lanes never forward: they have an empty fence and no routes, and they commit their idle position so that their lag reaches 0.
"""

import logging
import threading
from typing import Final

from confluent_kafka import KafkaError
from prometheus_client import CollectorRegistry

from ingestion.config import KafkaConfig, PipelineConfig, WorkerConfig
from ingestion.contracts.names import Lane
from ingestion.contracts.records import Handler, Record
from ingestion.lanes.account import Account
from ingestion.lanes.assignment import Restored, Restorer
from ingestion.lanes.buffer import Buffer
from ingestion.lanes.chunk import Chunk
from ingestion.lanes.collector import held_back
from ingestion.lanes.commit import Contents
from ingestion.lanes.handling import Handling
from ingestion.lanes.hold import Holds
from ingestion.lanes.hooks import Hooks, Moment, NoHooks, Point
from ingestion.lanes.intake import Intake
from ingestion.lanes.ledger import Ledger
from ingestion.lanes.metadata import CAREFUL, Suspect
from ingestion.lanes.opening import open_parts
from ingestion.lanes.owned import Owned
from ingestion.lanes.reporting import Meters, Reporter
from ingestion.lanes.taking import Taker
from ingestion.lanes.tokens import Names
from ingestion.lanes.trouble import Trouble
from slo.clock import Clock

log = logging.getLogger(__name__)

HUNG_EXIT: Final = 75
"""Exit code: the handler hung; start me again."""
_POLL_S: Final = 0.02
_GRACE_S: Final = 5.0
_WHILE_HANDLING: Final = 1_000
_RETRY_S: Final = (0.1, 30.0)


class LaneWorker:
    """One slot's worker of one lane. `handler` None: count and account only.

    `rewind`, `drained`, `next_offset` and `check_next` are the rules that fault tests break on purpose.
    """

    def __init__(
        self,
        lane: Lane,
        pipeline: PipelineConfig,
        kafka: KafkaConfig,
        worker: WorkerConfig,
        handler: Handler | None,
        clock: Clock,
        registry: CollectorRegistry,
        *,
        hooks: Hooks | None = None,
    ) -> None:
        self.lane = lane
        self.slot = worker.slot
        self._pipeline = pipeline
        self._kafka = kafka
        self._worker = worker
        self._handler = handler
        self._clock = clock
        self._hooks = hooks or NoHooks()
        self._watched = hooks is not None
        self._meters = Meters(registry, pipeline.name, lane)
        self._names = Names()
        self._holds = Holds(pipeline.hold_max_s)
        self._account = Account()
        self._trouble = Trouble(lane, clock)
        self._chunk: Chunk | None = None
        self._exit: int | None = None
        self._out_of_range = False
        self._stop = threading.Event()
        self._beat = clock.monotonic()
        self._joined = False

    # ---- what the outside sees

    def live(self) -> bool:
        """Does the Kafka thread turn? False when it has not come round for 30 s."""
        return self._exit is None and self._clock.monotonic() - self._beat < 30.0

    def ready(self) -> bool:
        """Assigned, turning, and handing records out."""
        return self._joined and self.live() and not self._trouble.paused

    def run(self, stop: threading.Event) -> int:
        """Work until `stop` is set; returns the exit code: 0 stopped, 1 fatal, HUNG_EXIT.

        Raises BrokerUnreachable when Kafka does not answer at the start, RefusedTopic when a topic is missing.
        """
        self._stop = stop
        self._open()
        try:
            self._intake.join()
            with held_back():
                while not self._stopping():
                    self._once()
            self._ledger.leaving = True
            if not self._finish(_GRACE_S):
                log.warning("%s: stopped before the handler was done: its chunk comes again", self.lane)
                self._chunk = None
        finally:
            self._close()
        return self._exit or 0

    # ---- the rules that fault tests break

    def rewind(self) -> None:
        """Rule 3 after an abort or an unknown outcome: forget buffers and F, read `committed()`, seek."""
        if not self._transactor.ready(self._stopping):
            return
        owned = self._intake.owned
        restored = self._restorer.restore(list(owned), self._stopping)
        for p, found in restored.items():
            self._note(p, found)
            owned[p].rewound(found.position, found.fence, found.suspect, found.must_commit)
            self._intake.seek(owned[p])

    def drained(self, lane: Lane, partition: int, last: int) -> bool:
        """Rule 4: has that lane's group committed more than `last` on the partition? Not known means no."""
        return self._taker.elsewhere.get(lane, {}).get(partition, -1) > last

    def next_offset(self, partition: int, last: int) -> int:
        """Rule 7: the head of the buffer, else the larger of last + 1 and `position()`."""
        head = self._intake.owned[partition].buffer.head()
        return head if head is not None else max(last + 1, self.position(partition))

    @staticmethod
    def check_next(offset: int) -> int:
        """Committing a negative offset silently commits nothing: never do it."""
        assert offset >= 0, f"next offset {offset} is negative"
        return offset

    def position(self, partition: int) -> int:
        """librdkafka's position; -1001 from a seek until the next record."""
        return self._intake.position(partition)

    # ---- one turn

    def _once(self) -> None:
        if not self._transactor.usable or self._out_of_range:
            self._out_of_range = False
            self.rewind()
            return
        start = self._clock.monotonic()
        waiting = self._intake.waiting()
        self._intake.poll(self._appetite(), 0.0 if waiting else _POLL_S)
        if not waiting:
            self._reporter.spent(self._clock.monotonic() - start)
        self._routes.poll()
        self._tick()
        self._intake.balance(self._pipeline.buffer_s, 2 * self._pipeline.chunk_records)
        chunk = self._take()
        if chunk is None:
            self._ledger.commit_idle()
            if waiting:  # buffered, but held or waiting for a retry: do not spin
                self._pause(_POLL_S)
            return
        self._chunk = chunk
        self._at(Point.TAKEN, chunk)
        self._hand(chunk)
        while self._chunk is chunk and not self._finish(_POLL_S):
            self._while_handling(chunk)
            if self._stopping():
                return
        self._intake.balance(self._pipeline.buffer_s, 2 * self._pipeline.chunk_records)

    def _take(self) -> Chunk | None:
        now = self._clock.monotonic()
        ready = [one for one in self._intake.owned.values() if len(one.buffer) and one.retry_at <= now]
        if not ready or not self._trouble.may_take() or now < self._ledger.not_before:
            return None
        wanted: dict[bytes, Lane] = {}
        if self.lane is Lane.GENERAL:
            banished = self._trouble.banished
            wanted = {**self._routes.wanted, **banished} if banished else self._routes.wanted
        chunk = self._taker.take(ready, wanted, self.drained, now)
        if self._taker.refused:
            self._reporter.refused()
        return chunk

    def _hand(self, chunk: Chunk) -> None:
        if self._handling is None:
            return
        chunk.prepare(self.lane)
        chunk.job = self._handling.start(chunk.records)

    def _appetite(self) -> int:
        """Records to fetch at most: what a chunk lacks. Always some, so that no partition hides behind another's backlog."""
        ahead = sum(len(one.buffer) for one in self._intake.owned.values())
        return max(_WHILE_HANDLING, self._pipeline.chunk_records - ahead)

    def _while_handling(self, chunk: Chunk) -> None:
        self._beat = self._clock.monotonic()
        self._intake.poll(_WHILE_HANDLING, 0.0)
        self._intake.balance(self._pipeline.buffer_s, 2 * self._pipeline.chunk_records)
        self._tick()
        if chunk.job is not None and self._chunk is chunk and self._handling is not None:
            record, seconds = self._handling.in_flight(chunk.job)
            if seconds > self._pipeline.hung_s:
                self._hung(chunk, record)

    def _finish(self, wait_s: float) -> bool:
        """Wait for the present chunk's handler and commit; False when it needs longer. Also called from within a rebalance."""
        chunk = self._chunk
        if chunk is None:
            return True
        if chunk.job is not None:
            start = self._clock.monotonic()
            done = chunk.job.wait(wait_s)
            self._reporter.spent(self._clock.monotonic() - start)
            if not done:
                return False
            self._settle(chunk)
        self._chunk = None
        self._at(Point.HANDLED, chunk)
        if len(chunk):
            self._ledger.commit(chunk, self._routes.routed)
        return True

    def _settle(self, chunk: Chunk) -> None:
        job = chunk.job
        assert job is not None
        now = self._clock.monotonic()
        if job.crash is not None:
            log.error("the handler's thread ended: %r", job.crash)
            job.errors += 1
        self._meters.handler_errors.inc(job.errors)
        self._trouble.settled(len(chunk.records), clean=not job.errors)
        waits = chunk.apply(job.settled)
        low, high = _RETRY_S
        for p, (settled, wait) in waits.items():
            one = self._intake.owned[p]
            again = 0.0 if settled else one.retry_delay * 2  # the same record once more
            one.retry_delay = min(high, max(low, wait, again))
            one.retry_at = now + one.retry_delay
        for share in chunk.shares:
            if share.partition not in waits:
                self._intake.owned[share.partition].retry_delay = 0.0
        self._meters.paused.set(self._trouble.paused)

    # ---- membership

    def _on_assigned(self, partitions: list[int]) -> dict[int, Owned]:
        self._transactor.ready(self._stopping)
        restored = self._restorer.restore(partitions, self._stopping)
        now = self._clock.monotonic()
        owned = {}
        for p, found in restored.items():
            self._note(p, found)
            owned[p] = Owned(p, Buffer(p), found.position, now, found.fence, found.suspect, found.must_commit)
        self._joined = True
        self._meters.ready.set(1)
        log.info("%s %s: assigned %s", self._pipeline.name, self.lane, sorted(owned))
        self._hooks.at(Point.ASSIGNED, Moment(self.lane, self.slot, 0, tuple(sorted(owned))))
        return owned

    def _on_revoked(self, partitions: list[int]) -> None:
        self._ledger.leaving = True  # whatever the commit's outcome, there is nothing to go back to
        if not self._finish(_GRACE_S):
            log.warning("%s: partitions leave before the handler was done: its chunk comes again", self.lane)
        self._ledger.leaving = False
        self._leave(partitions)

    def _leave(self, partitions: list[int]) -> None:
        self._chunk = None
        for p in partitions:
            self._taker.forget(p)
            self._meters.forget(p)

    def _on_out_of_range(self, partition: int) -> None:
        log.error(
            "%s/%d: the committed offset is out of the log's range; was the topic made anew?", self.lane, partition
        )
        self._stop.wait(1.0)
        self._out_of_range = True

    def _on_fenced(self) -> None:
        if self._trouble.fenced():
            log.error("another worker of lane %s uses slot %s: give each its own --slot", self.lane, self.slot)
            self._exit = 1

    def _note(self, partition: int, found: Restored) -> None:
        if found.lost:
            self._meters.lost.inc(found.lost)
            log.error(
                "%s/%d: %d records were deleted by retention before they were handled", self.lane, partition, found.lost
            )

    # ---- a handler that hangs

    def _hung(self, chunk: Chunk, record: Record | None) -> None:
        """Commit the suspect with F at the chunk's start, and leave: a hung thread cannot be ended."""
        self._meters.hung.inc()
        self._exit = HUNG_EXIT
        self._chunk = None
        suspects: dict[int, Suspect] = {}
        if record is not None:
            known = self._intake.owned[record.partition].suspect
            again = known is not None and known.attempts != CAREFUL and known.offset == record.offset
            attempts = known.attempts + 1 if known is not None and again else 1
            suspects = {record.partition: Suspect(record.offset, min(attempts, CAREFUL - 1))}
            log.error(
                "the handler of lane %s hangs on %s, attempt %d: starting anew", self.lane, record.source, attempts
            )
        else:
            suspects = {share.partition: Suspect(share.last, CAREFUL) for share in chunk.shares}
            log.error(
                "the handler of lane %s hangs in a batch of %d: its records will be tried one by one",
                self.lane,
                len(chunk.records),
            )
        self._ledger.leaving = True
        self._ledger.commit_suspects(suspects)

    # ---- opening, closing, small things

    def _open(self) -> None:
        pipeline, lane = self._pipeline, self.lane
        parts = self._parts = open_parts(lane, self.slot, pipeline, self._kafka, self._on_error)
        topic = pipeline.names.topic(lane)
        self._transactor = parts.transactor
        self._routes = parts.routes
        self._restorer = Restorer(parts.consumer, topic, lane, parts.neighbours)
        self._intake = Intake(
            parts.consumer, topic, self._on_assigned, self._on_revoked, self._leave, self._on_out_of_range
        )
        counting = self._handler is None
        self._taker = Taker(lane, pipeline, self._names, self._holds, parts.neighbours, counting=counting)
        contents = Contents(pipeline, lane, parts.partitions, self._names, parts.transactor)
        target = parts.partitions.telemetry_of_pipeline
        self._reporter = Reporter(pipeline, lane, self._worker, parts.reports, target, self._clock, self._meters)
        self._ledger = Ledger(
            lane, pipeline, self, self._intake, parts.transactor, contents, self._taker.predictions,
            self._account, self._meters, self._clock, self._at, self._on_fenced,
        )  # fmt: skip
        self._handling = None
        if self._handler is not None:
            name = f"{pipeline.name}-{lane}"
            self._handling = Handling(self._handler, pipeline.concurrency, self._clock, self._trouble.give_up, name)

    def _close(self) -> None:
        self._joined = False
        self._meters.ready.set(0)
        try:
            self._intake.consumer.close()
        finally:
            if self._handling is not None:
                self._handling.close()
            self._reporter.close()
            self._parts.close()

    def _tick(self) -> None:
        if not self._reporter.due():
            return
        flying: dict[int, tuple[str, float]] = {}
        chunk = self._chunk
        if chunk is not None and chunk.job is not None and self._handling is not None:
            record, seconds = self._handling.in_flight(chunk.job)
            flying = {share.partition: ("", seconds) for share in chunk.shares if record is None}
            if record is not None:
                flying = {record.partition: (record.token, seconds)}
        self._reporter.send(self._intake.owned.values(), self._account, self._holds, self._intake.end, flying)

    def _at(self, point: Point, chunk: Chunk) -> None:
        if self._watched:
            moment = Moment(
                self.lane,
                self.slot,
                chunk.turn,
                tuple(share.partition for share in chunk.shares),
                len(chunk.rows) if chunk.rows else sum(len(s) - s.forwards() for s in chunk.shares),
                sum(s.forwards() for s in chunk.shares),
            )
            self._hooks.at(point, moment)

    def _pause(self, seconds: float) -> None:
        self._reporter.spent(seconds)
        self._stop.wait(seconds)

    def _stopping(self) -> bool:
        self._beat = self._clock.monotonic()
        return self._stop.is_set() or self._exit is not None

    def _on_error(self, error: KafkaError) -> None:
        self._meters.kafka_errors.inc()
        log.warning("%s: %s", self.lane, error.str())
