"""The handler's own threads. The Kafka thread hands a batch over, goes on polling, and looks whether it is done."""

import queue
import threading
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from time import monotonic
from typing import Final

from ingestion.contracts.records import Handler, Record
from ingestion.lanes.handler import PerRecord
from ingestion.lanes.parts import parts_of
from ingestion.lanes.settle import NOT_REACHED, Settled, Settler
from slo.clock import Clock

_CLOSE_S: Final = 1.0
"""How long all threads together may take to end."""

_PIECES: Final = 4
"""Parts a thread of a handler that is called record by record: a thread that is done early takes another."""

_Task = tuple["Job", list[int]]


@dataclass(frozen=True, slots=True)
class Flight:
    """A call of the handler that has not returned yet, and its seconds. `record` None: it is one of `batch`, nobody can tell which."""

    record: Record | None
    batch: Sequence[Record]
    seconds: float

    @property
    def token(self) -> str:
        """Whose record it is: the record's token, or the one that all of the batch share, else ""."""
        first = self.record or self.batch[0]
        return first.token if self.record or all(r.token == first.token for r in self.batch) else ""


class Job:
    """One batch on its way through the handler. `careful`: partitions whose records are handed over one by one, because a batch of them hung."""

    def __init__(self, batch: Sequence[Record], parts: int, started: float, careful: Collection[int] = ()) -> None:
        self.batch = batch
        self.careful = careful
        self.started = started
        """Monotonic seconds."""
        self.settled: list[Settled] = [NOT_REACHED] * len(batch)
        self.busy_s = 0.0
        """Handler seconds, summed over the threads."""
        self.errors = 0
        self.crash: BaseException | None = None
        self.cancelled = False
        self.begun = False
        """A thread has taken part of it up."""
        self.running: dict[int, Settler] = {}
        """Thread -> who settles its part of the batch."""
        self._left = parts
        self._lock = threading.Lock()
        self._done = threading.Event()
        if not parts:
            self._done.set()

    def cancel(self) -> None:
        """Nobody wants its outcomes any more: parts that no thread has begun are left out."""
        self.cancelled = True

    def finish(self, seconds: float, errors: int) -> None:
        """One part is done."""
        with self._lock:
            self.busy_s += seconds
            self.errors += errors
            self._left -= 1
            if self._left <= 0:
                self._done.set()

    def wait(self, timeout_s: float) -> bool:
        """Is it done, within the time?"""
        return self._done.wait(timeout_s)

    @property
    def done(self) -> bool:
        """Every outcome is settled."""
        return self._done.is_set()


class Handling:
    """`concurrency` daemon threads (a hung one must not keep the process from leaving); a key always goes to one thread of a batch, in order."""

    def __init__(
        self,
        handler: Handler,
        concurrency: int,
        clock: Clock,
        give_up: Callable[[Record], bool],
        name: str,
        done: Callable[[Sequence[Record]], None] = lambda _: None,
    ) -> None:
        self._handler = handler
        self._clock = clock
        self._give_up = give_up
        self._done = done
        self._concurrency = concurrency
        self._stop = threading.Event()
        self._tasks: queue.SimpleQueue[_Task | None] = queue.SimpleQueue()
        self._threads = [
            threading.Thread(target=self._work, name=f"{name}-handler-{i}", daemon=True) for i in range(concurrency)
        ]
        for thread in self._threads:
            thread.start()

    def start(
        self, batch: Sequence[Record], costs: Sequence[float] | None = None, careful: Collection[int] = ()
    ) -> Job:
        """Hand a batch over; returns at once. `costs`: each record's predicted seconds, to load the threads evenly; `careful`: see Job."""
        parts = self._parts(batch, costs)
        job = Job(batch, len(parts), self._clock.monotonic(), careful)
        for part in parts:
            self._tasks.put((job, part))
        return job

    def flights(self, job: Job) -> list[Flight]:
        """The calls that run now, the longest first. Empty before a thread has taken the job up, between two calls, and when it is done.

        The time is that of one call of the handler: settling a batch record by record may rightly take longer than any call may.
        """
        now, found = self._clock.monotonic(), []
        for thread, settler in list(job.running.items()):
            call = settler.calling
            if call is None:
                continue
            batch, since = call
            if not isinstance(self._handler, PerRecord):
                found.append(Flight(batch[0] if len(batch) == 1 else None, batch, now - since))
            elif (current := self._handler.current(thread)) is not None:
                record, started = current
                found.append(Flight(record, batch, max(0.0, self._handler.clock() - started)))
        return sorted(found, key=lambda flight: -flight.seconds)

    def waited(self, job: Job) -> float:
        """Seconds for which no thread has had time for the job, because all hang in calls of jobs that were given up; 0 once one has begun."""
        return 0.0 if job.done or job.begun else self._clock.monotonic() - job.started

    def close(self) -> None:
        """Let the threads end when their batch is done, and close a handler that can be closed."""
        self._stop.set()
        for _ in self._threads:
            self._tasks.put(None)
        close = getattr(self._handler, "close", None)
        alive = False
        until = monotonic() + _CLOSE_S
        for thread in self._threads:
            thread.join(max(0.0, until - monotonic()))
            alive = alive or thread.is_alive()
        if callable(close) and not alive:
            close()

    def _parts(self, batch: Sequence[Record], costs: Sequence[float] | None) -> list[list[int]]:
        if not batch:
            return []  # a chunk of forwards alone: nothing is the handler's
        if self._concurrency == 1:
            return [list(range(len(batch)))]
        # a handler of batches loses by every cut: one part a thread
        pieces = self._concurrency * (_PIECES if isinstance(self._handler, PerRecord) else 1)
        return parts_of([(r.partition, r.key) for r in batch], pieces, costs)

    def _work(self) -> None:
        while (task := self._tasks.get()) is not None:
            job, part = task
            if job.cancelled:
                job.finish(0.0, 0)
                continue
            me = threading.get_ident()
            batch = job.batch if len(part) == len(job.batch) else [job.batch[i] for i in part]
            start = self._clock.monotonic()
            job.begun = True
            settler = job.running[me] = Settler(self._handler, self._clock, self._give_up, self._stop.wait, self._done)
            try:
                for i, settled in zip(part, settler.settle(batch, job.careful), strict=True):
                    job.settled[i] = settled
            except BaseException as error:  # SystemExit in a handler must not leave the chunk waiting for ever
                job.crash = error
            job.running.pop(me, None)
            job.finish(self._clock.monotonic() - start, settler.errors)
