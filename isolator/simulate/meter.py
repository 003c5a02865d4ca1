"""The telemetry of the world, as real scouts, workers and probes would send it: top tokens a partition, the rest as `other`, work as it was handled, never the truth."""

import math
from itertools import pairwise
from typing import Final

import numpy as np

from ingestion.contracts.names import Lane
from ingestion.contracts.telemetry import TOP_TOKENS, LanePartition, ProbeReport
from isolator.columns import ArrivalColumns, WorkerColumns
from isolator.interner import Floats, Ints
from isolator.simulate.contender import Reports
from isolator.simulate.nature import SKETCH_S, SKETCHES
from isolator.simulate.population import stream
from isolator.simulate.queue import Portion
from isolator.simulate.sums import run_sums, summed
from isolator.simulate.world import Arrived, World

START_S: Final = 1_700_000_000
"""When every run starts, Unix seconds: what contenders see as time."""
LANES: Final = (Lane.GENERAL, Lane.OVERFLOW, Lane.QUARANTINE)
COMMIT_S: Final = 0.15
"""Seconds by which a commit follows the work: what lags behind even when nothing waits."""


class Rows:
    """Columns of (token, partition) rows that grow until they are reported."""

    def __init__(self, width: int) -> None:
        """`width` values a row."""
        self._width = width
        self._parts: list[tuple[Ints, Ints, tuple[Floats, ...]]] = []

    def add(self, token: Ints, partition: Ints, *values: Floats) -> None:
        """More rows, by partition."""
        self._parts.append((token, partition, values))

    def take(self) -> tuple[Ints, Ints, list[Floats]]:
        """Everything since the last call by partition, a (token, partition) once, and empty the columns."""
        parts, self._parts = self._parts, []
        if not parts:
            empty = np.zeros(0, dtype=np.int64)
            return empty, empty, [np.zeros(0)] * self._width
        if len(parts) == 1:
            return parts[0][0], parts[0][1], list(parts[0][2])
        token, partition = (np.concatenate([part[i] for part in parts]) for i in (0, 1))
        most = int(token.max()) + 1
        keys, place = np.unique(partition * most + token, return_inverse=True)
        columns = (np.concatenate([part[2][i] for part in parts]) for i in range(self._width))
        return keys % most, keys // most, [summed(place, column, len(keys)) for column in columns]


class Meter:
    """A witness of the world that reports what its telemetry would say. `names` is only used for what is keyed by name."""

    def __init__(self, pipeline: str, world: World, seed: int) -> None:
        self._pipeline = pipeline
        self._world = world
        self._count = world.settings.partitions
        self._arrived = Rows(2)
        self._done = [Rows(3) for _ in LANES]
        self._last_s = 0.0
        self._seed = seed
        self._concurrency = max(1, math.ceil(world.settings.capacity))
        self._sketches = world.nature.sketches
        self._sketched_s = -math.inf
        self._aged = [
            (world.id_of(i), source.aged_s) for i, source in enumerate(world.plan.sources) if source.aged_s > 0
        ]

    # a witness
    def arrived(self, some: Arrived) -> None:
        """Counted as the scout sees it."""
        self._arrived.add(some.token, some.partition, some.events, some.top_key)

    def at_once(self, some: Arrived, lanes: Ints | None, slowness: float) -> None:
        """Handled as it came."""
        work = some.work * slowness
        if lanes is None:
            self._done[0].add(some.token, some.partition, some.events, np.zeros(len(work)), work)
            return
        forwarded = np.where(lanes > 0, some.events, 0.0)
        work = np.where(lanes > 0, 0.0, work)
        here = lanes >= 0
        self._done[0].add(some.token[here], some.partition[here], some.events[here], forwarded[here], work[here])

    def taken(self, lane: int, partition: int, portion: Portion, slowness: float) -> None:
        """Handled or forwarded."""
        batch, lanes = portion.batch, portion.lanes
        events = batch.events * portion.part
        work = batch.work * (portion.part * (1.0 if batch.alone else slowness))
        forwarded = np.zeros(len(events))
        if lanes is not None:
            forwarded = np.where(lanes > 0, events, 0.0)
            work = np.where(lanes > 0, 0.0, work)
        where = np.full(len(events), partition)
        self._done[lane].add(batch.token, where, events, forwarded, work)

    def reports(self, now_s: float, delay_s: float) -> Reports:
        """The interval since the last call, as it arrives `delay_s` later; what falls into a gap of the plan is missing."""
        span, self._last_s = now_s - self._last_s, now_s
        lost = {gap.kind for gap in self._world.plan.gaps if gap.begin_s <= now_s < gap.end_s}
        at_ms = round((START_S + now_s) * 1000)
        arrivals = self._arrivals(at_ms, span, now_s)
        workers = tuple(w for code in range(len(LANES)) for w in self._workers(code, at_ms, span, now_s))
        rates = summed(arrivals.partition, arrivals.records, self._count) + arrivals.other
        return Reports(
            START_S + now_s + delay_s,
            None if "arrivals" in lost else arrivals,
            () if "workers" in lost else workers,
            None if "probe" in lost else self._probe(at_ms, now_s, arrivals, rates / max(span, 1e-9)),
        )

    def _arrivals(self, at_ms: int, span: float, now_s: float) -> ArrivalColumns:
        token, partition, (events, top_key) = self._arrived.take()
        # ties among single events are nobody's privilege
        chance = stream(self._seed, 4, round(now_s * 1000)).random(len(events)) * 0.5
        bounds = np.searchsorted(partition, np.arange(self._count + 1))
        best = top(bounds, events + chance)
        other = run_sums(bounds, events)
        other -= summed(partition[best], events[best], self._count)
        sketch = ""
        if now_s - self._sketched_s >= SKETCH_S:
            sketch, self._sketched_s = self._sketches[int(now_s // SKETCH_S) % SKETCHES], now_s
        return ArrivalColumns(
            at_ms,
            span,
            token[best],
            partition[best],
            events[best],
            top_key[best],
            np.maximum(other, 0.0),
            sketch,
        )

    def _workers(self, code: int, at_ms: int, span: float, now_s: float) -> list[WorkerColumns]:
        lane = self._world.lanes[code]
        token, partition, (taken, forwarded, work) = self._done[code].take()
        bounds = np.searchsorted(partition, np.arange(self._count + 1))
        best = top(bounds, work + taken * 1e-12)
        handled = taken - forwarded
        other = run_sums(bounds, handled)
        other -= summed(partition[best], handled[best], self._count)
        other_work = run_sums(bounds, work)
        other_work -= summed(partition[best], work[best], self._count)
        token, partition = token[best], partition[best]
        taken, forwarded, work = taken[best], forwarded[best], work[best]
        slot_of = lane.owner[partition]
        skew = dict(self._world.plan.skew_s) if code == 0 else {}
        found = []
        for number, worker in enumerate(lane.workers):
            mine = np.array(lane.owned(number), dtype=np.int64)
            if not len(mine) or worker.down_until_s > now_s:
                # a dead worker reports nothing
                continue
            rows = slot_of == number
            hang = worker.hang
            found.append(
                WorkerColumns(
                    at_ms + round(skew.get(number, 0.0) * 1000),
                    span,
                    LANES[code],
                    str(number),
                    self._build(now_s),
                    (self._concurrency - lane.capacity) * span,
                    mine,
                    lane.busy[mine],
                    np.array([lane.queues[p].taken for p in mine.tolist()]),
                    np.array([lane.queues[p].put for p in mine.tolist()]),
                    now_s - lane.assigned_s[mine],
                    token[rows],
                    partition[rows],
                    taken[rows],
                    forwarded[rows],
                    work[rows],
                    np.maximum(other[mine], 0.0),
                    np.maximum(other_work[mine], 0.0),
                    ((int(hang.batch.token[0]), hang.partition, now_s - hang.since_s),) if hang else (),
                    concurrency=self._concurrency,
                )
            )
        lane.busy[:] = 0.0
        return found

    def _build(self, now_s: float) -> str:
        return next((name for since, name in reversed(self._world.plan.builds) if now_s >= since), "build-1")

    def _probe(self, at_ms: int, now_s: float, arrivals: ArrivalColumns, rates: Floats) -> ProbeReport:
        rows: list[LanePartition] = []
        older = self._older(arrivals, rates)
        for code, lane in enumerate(self._world.lanes):
            for p, queue in enumerate(lane.queues):
                age = queue.age(now_s)
                waiting = queue.waiting
                if code == 0 and rates[p] > 1.0:
                    waiting += rates[p] * COMMIT_S
                    age = max(age, COMMIT_S) + older[p]
                end = round(queue.put)
                lag = min(round(waiting), end)
                rows.append(LanePartition(LANES[code], p, end - lag, end, lag, age, "exact"))
        return ProbeReport(self._pipeline, at_ms, tuple(rows))

    def _older(self, arrivals: ArrivalColumns, rates: Floats) -> Floats:
        """Seconds that the timestamp of the record at the head is older than its arrival, by partition: it is a backfill's by chance."""
        found = np.full(self._count, self._world.plan.aged_s)
        for token, aged_s in self._aged:
            mine = arrivals.token == token
            share = summed(arrivals.partition[mine], arrivals.records[mine], self._count)
            share /= np.maximum(rates * max(arrivals.interval_s, 1e-9), 1e-9)
            luck = stream(self._seed, 5, arrivals.at_ms).random(self._count)
            found += np.where(luck < share, aged_s, 0.0)
        return found


def top(bounds: Ints, key: Floats, most: int = TOP_TOKENS) -> Ints:
    """Indices of the `most` largest of each run [bounds[i], bounds[i + 1]), run by run, largest first."""
    found = [_largest(key[begin:end], most) + begin for begin, end in pairwise(bounds.tolist()) if end > begin]
    return np.concatenate(found) if found else np.zeros(0, dtype=np.int64)


def _largest(key: Floats, most: int) -> Ints:
    some = np.argpartition(key, len(key) - most)[len(key) - most :] if len(key) > most else np.arange(len(key))
    return some[np.argsort(-key[some], kind="stable")]
