"""The lane worker: fetch, take, decide, handle, commit; one class for every lane.

The Kafka thread (whoever calls `run`) alone touches the consumer and the transactional producer; the handler has threads of its own.
Side lanes never forward: they have an empty fence and no routes, and they commit their idle position so that their lag reaches 0.
"""

import logging
import threading
from math import inf
from time import monotonic
from typing import Final

from confluent_kafka import KafkaError
from prometheus_client import CollectorRegistry

from ingestion.config import KafkaConfig, PipelineConfig, WorkerConfig
from ingestion.contracts.names import Lane
from ingestion.contracts.records import Handler
from ingestion.contracts.telemetry import Trouble as TokenTrouble
from ingestion.lanes.account import Account
from ingestion.lanes.assignment import Restorer
from ingestion.lanes.astray import Astray
from ingestion.lanes.buffer import Buffer
from ingestion.lanes.chunk import Chunk
from ingestion.lanes.collector import held_back
from ingestion.lanes.commit import Contents
from ingestion.lanes.handling import Flight, Handling
from ingestion.lanes.hold import Holds
from ingestion.lanes.hooks import Hooks, Moment, NoHooks, Point
from ingestion.lanes.intake import Intake
from ingestion.lanes.ledger import Ledger
from ingestion.lanes.opening import open_parts
from ingestion.lanes.owned import Owned
from ingestion.lanes.reporting import Meters, Reporter
from ingestion.lanes.suspects import accuse, hanging, in_flight, indictment, one_by_one, troubles
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
_CLOSE_S: Final = 1.5
_STOP_S: Final = 3.0
"""From the stop on, transactions get no more time than this: what they leave unknown the successor finishes."""


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
        self._astray = Astray()
        self._no_member_until = 0.0
        self._until = inf
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
                self._give_up_chunk()
        finally:
            self._close()
        return self._exit or 0

    # ---- the rules that fault tests break

    def rewind(self) -> None:
        """Rule 3 after an abort or an unknown outcome: forget buffers and F, read `committed()`, seek."""
        if not self._transactor.ready(self._stopping):
            return
        self._restore(list(self._intake.owned))
        if self._transactor.evicted:
            # `committed()` is the next owner's by now. Until the client has noticed, nothing may be taken: it would be handled beside that owner's records
            self._transactor.evicted = False
            self._no_member_until = self._clock.monotonic() + self._pipeline.session_timeout_s

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

    def fetch(self, count: int, timeout_s: float) -> int:
        """Poll the consumer: records go to the buffers, rebalances are answered. Returns how many records came."""
        return self._intake.poll(count, timeout_s)

    # ---- one turn

    def _once(self) -> None:
        if not self._transactor.usable:
            self.rewind()
            return
        if strayed := self._astray.due(self._clock.monotonic()):
            self._restore(strayed)
        start = self._clock.monotonic()
        waiting = self._intake.waiting()
        self.fetch(self._intake.appetite(_WHILE_HANDLING, self._pipeline.chunk_records), 0.0 if waiting else _POLL_S)
        if not waiting:
            self._reporter.spent(self._clock.monotonic() - start)
        self._routes.poll()
        self._tick()
        self._balance()
        if self._no_member_until > self._clock.monotonic():
            self._pause(_POLL_S)
            return
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
        self._balance()

    def _take(self) -> Chunk | None:
        now = self._clock.monotonic()
        ready = [one for one in self._intake.owned.values() if len(one.buffer) and one.retry_at <= now]
        if not ready or not self._trouble.may_take() or now < self._ledger.not_before:
            return None
        wanted = self._trouble.obey(self._routes.wanted) if self.lane is Lane.GENERAL else {}
        self._taker.thorough = self._transactor.too_large
        chunk = self._taker.take(ready, wanted, self.drained, now)
        if self._taker.refused:
            self._reporter.refused()
        return chunk

    def _hand(self, chunk: Chunk) -> None:
        if self._handling is None:
            return
        chunk.prepare(self.lane)
        careful = one_by_one(self._intake.owned[share.partition] for share in chunk.shares)
        costs = self._taker.predictions.costs(share.tokens[i] for share, i in chunk.rows)
        chunk.job = self._handling.start(chunk.records, costs, careful)

    def _while_handling(self, chunk: Chunk) -> None:
        self._beat = self._clock.monotonic()
        self.fetch(_WHILE_HANDLING, 0.0)
        self._balance()
        self._tick()
        if chunk.job is not None and self._chunk is chunk and self._handling is not None:
            limit = self._pipeline.hung_s
            hung = [flight for flight in self._handling.flights(chunk.job) if flight.seconds > limit]
            if hung or self._handling.waited(chunk.job) > limit:
                self._hung(hung)

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
        waits = chunk.apply(job.settled)
        self._trouble.settled(sum(len(share.costs or ()) for share in chunk.shares))
        resting = {p: (settled, wait) for p, (settled, wait) in waits.items() if wait is not None}
        for p, (settled, wait) in resting.items():
            self._intake.owned[p].try_again(settled, wait, now)
        for share in chunk.shares:
            if share.partition not in resting:
                self._intake.owned[share.partition].retry_delay = 0.0
        self._meters.paused.set(self._trouble.paused)

    # ---- membership

    def _on_assigned(self, partitions: list[int]) -> dict[int, Owned]:
        self._transactor.ready(self._stopping)
        restored = self._restorer.restore(partitions, self._stopping)
        now = self._clock.monotonic()
        owned = {}
        for p, found in restored.items():
            self._meters.lost.inc(found.lost)
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
        self._give_up_chunk()
        self._no_member_until = 0.0
        for p in partitions:
            self._taker.forget(p)
            self._meters.forget(p)
            self._astray.forget(p)

    def _give_up_chunk(self) -> None:
        if self._chunk is not None and self._chunk.job is not None:
            self._chunk.job.cancel()
        self._chunk = None

    def _on_out_of_range(self, partition: int) -> None:
        self._astray.note(partition, self._clock.monotonic())

    def _restore(self, partitions: list[int]) -> None:
        owned = self._intake.owned
        for p, found in self._restorer.restore(partitions, self._stopping).items():
            self._meters.lost.inc(found.lost)
            owned[p].rewound(found.position, found.fence, found.suspect, found.must_commit)
            self._intake.seek(owned[p])

    def _on_fenced(self) -> None:
        if self._trouble.fenced():
            log.error("another worker of lane %s uses slot %s: give each its own --slot", self.lane, self.slot)
            self._exit = 1

    # ---- a handler that hangs

    def _hung(self, flights: list[Flight]) -> None:
        """Commit the suspects with F at the chunk's start, tell the controller, and leave: a hung thread cannot be ended."""
        self._meters.hung.inc(max(1, len(flights)))
        self._exit = HUNG_EXIT
        self._give_up_chunk()
        suspects = accuse(flights, {p: one.suspect for p, one in self._intake.owned.items()})
        for line in indictment(self.lane, flights, suspects):
            log.error("%s", line)
        self._ledger.leaving = True
        self._ledger.commit_suspects(suspects)
        self._report(
            {f.record.partition: (f.token, f.seconds) for f in flights if f.record}, hanging(flights, suspects)
        )

    # ---- opening, closing, small things

    def _open(self) -> None:
        pipeline, lane = self._pipeline, self.lane
        parts = self._parts = open_parts(lane, self.slot, pipeline, self._kafka, self._on_error)
        topic = pipeline.names.topic(lane)
        self._transactor = parts.transactor
        self._transactor.deadline = self._deadline
        self._routes = parts.routes
        self._restorer = Restorer(parts.consumer, topic, lane, parts.neighbours)
        self._intake = Intake(
            parts.consumer, topic, self._on_assigned, self._on_revoked, self._leave, self._on_out_of_range
        )
        counting = self._handler is None
        self._taker = Taker(
            lane, pipeline, self._names, self._holds, parts.neighbours, counting=counting, room=parts.room
        )
        contents = Contents(pipeline, lane, parts.partitions, self._names, parts.transactor, parts.room)
        self._reporter = Reporter(pipeline, lane, self._worker, parts.reports, self._clock, self._meters)
        self._ledger = Ledger(
            lane, pipeline, self, self._intake, parts.transactor, contents, self._taker.predictions,
            self._account, self._meters, self._clock, self._at, self._on_fenced,
        )  # fmt: skip
        self._handling = None
        if self._handler is not None:
            name, trouble = f"{pipeline.name}-{lane}", self._trouble
            self._handling = Handling(
                self._handler, pipeline.concurrency, self._clock, trouble.give_up, name, trouble.done
            )

    def _close(self) -> None:
        self._joined = False
        self._meters.ready.set(0)
        if self._handling is not None:
            self._handling.close()
        self._parts.close(_CLOSE_S)

    def _tick(self) -> None:
        if not self._reporter.due():
            return
        chunk, flights = self._chunk, []
        if chunk is not None and chunk.job is not None and self._handling is not None:
            flights = self._handling.flights(chunk.job)
        self._report(in_flight(flights), troubles(self._intake.owned.values()))

    def _report(self, flying: dict[int, tuple[str, float]], hung: tuple[TokenTrouble, ...]) -> None:
        told = (*hung, *self._trouble.reports())
        self._reporter.send(self._intake.owned.values(), self._account, self._holds, self._intake.end, flying, told)

    def _balance(self) -> None:
        pipeline = self._pipeline
        self._intake.balance(pipeline.buffer_s * pipeline.concurrency, 2 * pipeline.chunk_records, pipeline.buffer_mb)

    def _at(self, point: Point, chunk: Chunk) -> None:
        if self._watched:
            self._hooks.at(point, chunk.moment(self.lane, self.slot))

    def _pause(self, seconds: float) -> None:
        self._reporter.spent(seconds)
        self._stop.wait(seconds)

    def _stopping(self) -> bool:
        self._beat = self._clock.monotonic()
        return self._stop.is_set() or self._exit is not None

    def _deadline(self) -> float:
        if not self._stopping():
            return inf
        self._until = min(self._until, monotonic() + _STOP_S)
        return self._until

    def _on_error(self, error: KafkaError) -> None:
        self._meters.kafka_errors.inc()
        log.warning("%s: %s", self.lane, error.str())
