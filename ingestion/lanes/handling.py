"""The handler's own threads. The Kafka thread hands a batch over, goes on polling, and looks whether it is done."""

import queue
import threading
from collections.abc import Callable, Sequence
from time import monotonic
from typing import Final
from zlib import crc32

from ingestion.contracts.records import Handler, Record
from ingestion.lanes.handler import PerRecord
from ingestion.lanes.settle import NOT_REACHED, Settled, Settler
from slo.clock import Clock

_CLOSE_S: Final = 1.0
"""How long all threads together may take to end."""

_Task = tuple["Job", int, list[int]]


class Job:
    """One batch on its way through the handler."""

    def __init__(self, batch: Sequence[Record], parts: int, started: float) -> None:
        self.batch = batch
        self.started = started
        """Monotonic seconds."""
        self.settled: list[Settled] = [NOT_REACHED] * len(batch)
        self.busy_s = 0.0
        """Handler seconds, summed over the threads."""
        self.errors = 0
        self.crash: BaseException | None = None
        self.running: dict[int, Settler] = {}
        """Thread -> who settles its part of the batch."""
        self._left = parts
        self._lock = threading.Lock()
        self._done = threading.Event()
        if not parts:
            self._done.set()

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
        self, handler: Handler, concurrency: int, clock: Clock, give_up: Callable[[Record], bool], name: str
    ) -> None:
        self._handler = handler
        self._clock = clock
        self._give_up = give_up
        self._concurrency = concurrency
        self._stop = threading.Event()
        self._tasks: queue.SimpleQueue[_Task | None] = queue.SimpleQueue()
        self._threads = [
            threading.Thread(target=self._work, name=f"{name}-handler-{i}", daemon=True) for i in range(concurrency)
        ]
        for thread in self._threads:
            thread.start()

    def start(self, batch: Sequence[Record]) -> Job:
        """Hand a batch over; returns at once."""
        parts = self._parts(batch)
        job = Job(batch, len(parts), self._clock.monotonic())
        for number, part in enumerate(parts):
            self._tasks.put((job, number, part))
        return job

    def in_flight(self, job: Job) -> tuple[Record | None, float]:
        """The record that has been running longest and its seconds; None when the handler takes batches and nobody can tell which one.

        The time is that of one call of the handler: settling a batch record by record may rightly take longer than any call may.
        """
        now = self._clock.monotonic()
        if isinstance(self._handler, PerRecord):
            records = [c for thread in list(job.running) if (c := self._handler.current(thread)) is not None]
            if records:
                record, since = min(records, key=lambda c: c[1])
                return record, max(0.0, self._handler.clock() - since)
        settlers = list(job.running.values())
        if not settlers:  # waits for a thread: whatever holds them all has been at it for as long
            return None, 0.0 if job.done else now - job.started
        calls = [call for settler in settlers if (call := settler.calling) is not None]
        if not calls:
            return None, 0.0
        batch, since = min(calls, key=lambda c: c[1])
        return (batch[0] if len(batch) == 1 else None), now - since

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

    def _parts(self, batch: Sequence[Record]) -> list[list[int]]:
        if not batch:
            return []  # a chunk of forwards alone: nothing is the handler's
        if self._concurrency == 1:
            return [list(range(len(batch)))]
        parts: dict[int, list[int]] = {}
        for i, record in enumerate(batch):
            parts.setdefault((crc32(record.key or b"") + record.partition) % self._concurrency, []).append(i)
        return list(parts.values())

    def _work(self) -> None:
        while (task := self._tasks.get()) is not None:
            job, _, part = task
            me = threading.get_ident()
            batch = job.batch if len(part) == len(job.batch) else [job.batch[i] for i in part]
            start = self._clock.monotonic()
            settler = job.running[me] = Settler(self._handler, self._clock, self._give_up, self._stop.wait)
            try:
                for i, settled in zip(part, settler.settle(batch), strict=True):
                    job.settled[i] = settled
            except BaseException as error:  # SystemExit in a handler must not leave the chunk waiting for ever
                job.crash = error
            job.running.pop(me, None)
            job.finish(self._clock.monotonic() - start, settler.errors)
