"""`bench partition`: what one partition can do on this machine with a handler, where its time goes, and what would have to change first.

A real worker on a real Kafka works off a backlog in one partition. Its Kafka thread is timed at the points of its turn; the handler runs meanwhile in its
own threads, so the shares are of the wall clock and add up to 1.
"""

import logging
import tempfile
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Final

from prometheus_client import CollectorRegistry

from fairlane.bench.backlog import Progress, broker, fill
from ingestion.config import KafkaConfig, PipelineConfig, SinkConfig, WorkerConfig
from ingestion.contracts.names import Lane
from ingestion.contracts.records import Done, Handler, Outcome, Record
from ingestion.lanes.chunk import Chunk
from ingestion.lanes.handler import HandlerContext, PerRecord
from ingestion.lanes.handler import load as load_handler
from ingestion.lanes.hooks import Moment, Point
from ingestion.lanes.worker import LaneWorker
from ingestion.sinks.sql import SqlHandler
from slo.clock import SystemClock
from slo.errors import StackUnavailable, UsageError

SECONDS: Final = 8.0
"""Of the backlog's work that is measured, unless it ends before."""
BACKLOG: Final = {"null": 400_000, "sql": 150_000}
OTHER_BACKLOG: Final = 60_000
START_LIMIT_S: Final = 60.0
_VALUE: Final = b'{"properties":{"page":"%s"}}' % (b"x" * 170)


class Null:
    """Does nothing with a batch: what is left is the worker itself."""

    def handle(self, batch: Sequence[Record], /) -> list[Outcome]:
        """All done."""
        return [Done()] * len(batch)


def sleep_5_ms(_: Record) -> None:
    """A handler that waits for somebody else, such as an HTTP service."""
    time.sleep(0.005)


class TimedSql(SqlHandler):
    """The default sink, with the seconds that its database took."""

    sink_s = 0.0

    def _store(self, rows: list[dict[str, object]]) -> None:
        start = time.perf_counter()
        super()._store(rows)
        self.sink_s += time.perf_counter() - start


BUILT_IN: Final[dict[str, Callable[[HandlerContext], Handler]]] = {
    "null": lambda _: Null(),
    "sleep5ms": lambda _: PerRecord(sleep_5_ms, "sleep5ms"),
    "sql": TimedSql,
}


@dataclass(frozen=True, slots=True)
class Shares:
    """Parts of the wall clock, 0 to 1; together 1."""

    consume: float
    """Fetching records, while the handler has none."""
    handler: float
    """Waiting for the handler, its sink apart."""
    sink: float
    """Waiting for the sink, where the handler tells (the built-in one does)."""
    commit: float
    """Kafka's transaction with the offsets and the counts."""
    overhead: float
    """The worker's own: taking, deciding, building records, accounts."""
    idle: float
    """Nothing was there to be fetched."""

    @property
    def largest(self) -> str:
        """The name of the largest one."""
        shares = asdict(self)
        return max(shares, key=lambda name: shares[name])


@dataclass(frozen=True, slots=True)
class Run:
    """One worker on one partition."""

    records: int
    seconds: float
    shares: Shares

    @property
    def rate(self) -> float:
        """Events a second."""
        return self.records / self.seconds


class Watch:
    """Adds up the Kafka thread's seconds between the points of its turn, from the first committed chunk on; `stop` is set when it has seen enough."""

    def __init__(self, records: int, seconds: float, stop: threading.Event) -> None:
        self.begun = 0.0
        self.ended = 0.0
        self.done = 0
        self.fetched_s = 0.0
        self.idle_s = 0.0
        self.handled_s = 0.0
        self.committed_s = 0.0
        self.handling = False
        self.sink_before: Callable[[], float] = lambda: 0.0
        self.sink_s = 0.0
        self._sink_start = 0.0
        self._records = records
        self._seconds = seconds
        self._stop = stop
        self._last = 0.0

    def at(self, point: Point, moment: Moment) -> None:
        """The worker has come to a point."""
        now = time.perf_counter()
        if point is Point.TAKEN:
            self.handling = True
        elif point is Point.HANDLED:
            self.handling = False
            self.handled_s += now - self._last if self.begun else 0.0
        elif point is Point.COMMITTED and moment.local:
            self._committed(moment.local, now)
        if point in (Point.TAKEN, Point.HANDLED):
            self._last = now

    def fetched(self, seconds: float, records: int) -> None:
        """A poll of the consumer has ended."""
        if not self.begun or self.handling:
            return
        if records:
            self.fetched_s += seconds
        else:
            self.idle_s += seconds

    def prepared(self, seconds: float) -> None:
        """The chunk's records have been made for the handler: the worker's work, though it stands between two points of the handler's time."""
        self._last += seconds

    def _committed(self, records: int, now: float) -> None:
        if not self.begun:
            self.begun, self._sink_start = now, self.sink_before()
            return
        self.done += records
        self.committed_s += now - self._last
        self.ended, self.sink_s = now, self.sink_before() - self._sink_start
        if now - self.begun >= self._seconds or self.done >= self._records:
            self._stop.set()

    def run(self, concurrency: int) -> Run:
        """What was seen. Raises StackUnavailable when there were not two chunks."""
        wall = self.ended - self.begun
        if wall <= 0:
            raise StackUnavailable(
                "the benchmark saw fewer than two chunks: does the handler answer? Is this machine overloaded?"
            )
        sink = min(self.sink_s / concurrency, self.handled_s)
        known = self.fetched_s + self.idle_s + self.handled_s + self.committed_s
        seconds = (
            self.fetched_s, self.handled_s - sink, sink, self.committed_s, max(0.0, wall - known), self.idle_s,
        )  # fmt: skip
        return Run(self.done, wall, Shares(*(round(part / wall, 4) for part in seconds)))


class Timed(LaneWorker):
    """The worker, its fetching and its making of records timed."""

    watch: Watch

    def _hand(self, chunk: Chunk) -> None:
        start = time.perf_counter()
        super()._hand(chunk)
        self.watch.prepared(time.perf_counter() - start)

    def fetch(self, count: int, timeout_s: float) -> int:
        """As ever."""
        start = time.perf_counter()
        records = super().fetch(count, timeout_s)
        self.watch.fetched(time.perf_counter() - start, records)
        return records


def run(progress: Progress, handler: str = "sql", concurrency: int = 1) -> dict[str, object]:
    """About 20 s, twice that with `concurrency` over 1: then one thread is measured first, and `speedup` is how much more many do.

    `handler`: `null`, `sleep5ms`, `sql` or `module:attribute`. Raises UsageError or HandlerError for a handler that is none, StackUnavailable when Kafka does not start.
    """
    if handler not in BUILT_IN and ":" not in handler:
        raise UsageError(
            f"there is no handler {handler!r}: choose {', '.join(BUILT_IN)}, or name yours as module:attribute"
        )
    logging.getLogger("ingestion").setLevel(logging.ERROR)
    records = BACKLOG.get(handler, OTHER_BACKLOG)
    with tempfile.TemporaryDirectory(prefix="fairlane-bench-") as home, broker(progress) as kafka:
        runs = []
        for threads in dict.fromkeys((1, concurrency)):
            pipeline = fill(kafka, f"bench-{threads}", records=records, partitions=1, value=_VALUE)
            pipeline = pipeline.model_copy(update={"concurrency": threads})
            sink = SinkConfig(url=f"sqlite:///{Path(home) / f'sink-{threads}.db'}")
            runs.append(measure(kafka.config(), pipeline, handler, sink, records))
            progress(f"{handler}, {threads} at a time: {runs[-1].rate:,.0f} events/s")
    one, many = runs[0], runs[-1]
    return {
        "handler": handler,
        "concurrency": concurrency,
        "events_per_s": round(many.rate, 1),
        "one_slot_events_per_s": round(one.rate, 1),
        "speedup": round(many.rate / one.rate, 2),
        "ms_per_event": round(1_000 / many.rate, 4),
        "shares": asdict(many.shares),
        "bottleneck": bottleneck(many, concurrency),
        "records": many.records,
        "seconds": round(many.seconds, 2),
    }


def measure(kafka: KafkaConfig, pipeline: PipelineConfig, name: str, sink: SinkConfig, records: int) -> Run:
    """One worker on the backlog, for SECONDS after its first chunk."""
    context = HandlerContext(Lane.GENERAL, pipeline, sink)
    handler = BUILT_IN[name](context) if name in BUILT_IN else load_handler(name, context)
    stop = threading.Event()
    # the last chunks of a backlog are small: they say nothing
    watch = Watch(records * 9 // 10, SECONDS, stop)
    timed: Any = handler
    if hasattr(handler, "sink_s"):
        watch.sink_before = lambda: float(timed.sink_s)
    worker = Timed(
        Lane.GENERAL, pipeline, kafka, WorkerConfig(slot="0"), handler, SystemClock(), CollectorRegistry(), hooks=watch
    )
    worker.watch = watch
    limit = threading.Timer(START_LIMIT_S + SECONDS, stop.set)
    limit.start()
    try:
        worker.run(stop)
    finally:
        limit.cancel()
    return watch.run(pipeline.concurrency)


def bottleneck(run: Run, concurrency: int) -> str:
    """What takes the largest share, and what to do about it, in a sentence."""
    name = run.shares.largest
    share = asdict(run.shares)[name]
    each = concurrency * share * run.seconds / run.records * 1_000
    advice = {
        "consume": "fetching the records: the client or the broker is the limit, more partitions on more workers help",
        "handler": f"the handler, {each:.2f} ms an event in each of {concurrency} at a time: if it waits for others, "
        "raise pipeline.concurrency; if it computes, add partitions and workers",
        "sink": f"the sink's database, {each:.2f} ms an event: larger batches (pipeline.chunk_s) or a faster database help",
        "commit": "Kafka's transactions: larger chunks (pipeline.chunk_s) make them fewer",
        "overhead": "the worker's own work on each record, one Python thread: more partitions on more workers help",
        "idle": "nothing: the worker waited for records, so this is not what the partition can do",
    }[name]
    return f"{share:.0%} of the time goes into {advice}"
