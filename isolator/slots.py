"""Worker slots of one lane: capacity, how busy they are, and what capacity a partition has left.

Capacity mu belongs to the slot (a worker with all its partitions), in work per second: its concurrency less the measured overhead. A partition has what the
others of its slot leave under max-min fairness, which is how the worker shares its turns.
"""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

import numpy as np

from ingestion.contracts.telemetry import PartitionLoad, WorkerReport
from isolator.interner import Floats

_SMOOTHING = 0.3
_LEAST = 0.2
_BILLED_LEAST = 0.65
"""Less busy than this with a backlog is a stall, not a costly batch."""


@dataclass(slots=True)
class Slot:
    """One worker slot as its reports tell it. busy and overhead are smoothed shares of a second."""

    name: str
    build: str = ""
    at_ms: int = 0
    concurrency: int = 1
    overhead: float = 0.0
    busy: float = 0.0
    forwarding: float = 0.0
    """forwards per second"""
    billed: float = 1.0
    """share of the free time that can be billed as work: what a batch costs beyond its records' own is lost to all; seen when there is a backlog"""
    refused: bool = False
    partitions: dict[int, PartitionLoad] = field(default_factory=dict)
    reports: int = 0

    def fold(self, report: WorkerReport) -> None:
        """Take one report in."""
        seconds = max(report.interval_s, 0.05)
        busy = sum(p.busy_s for p in report.partitions) / seconds
        # work that has not ended is credited to no interval yet, but its thread is busy
        running = sum(1.0 for p in report.partitions if p.in_flight_token and p.in_flight_s >= seconds)
        weight = max(_SMOOTHING, 1.0 / (self.reports + 1))
        self.overhead += weight * (report.overhead_s / seconds - self.overhead)
        self.busy += weight * (max(busy, min(running, report.concurrency)) - self.busy)
        waiting = sum(max(p.end - p.position, 0) for p in report.partitions)
        handled = sum(p.handled for p in report.partitions)
        forwarded = sum(p.forwarded for p in report.partitions)
        achieved = busy / self._free
        if waiting > handled > 0 and not forwarded and achieved >= _BILLED_LEAST:
            # over a second of backlog before it and after it: it did all that it can
            self.billed += weight * (min(achieved, 1.0) - self.billed)
        self.forwarding += weight * (forwarded / seconds - self.forwarding)
        self.concurrency, self.build, self.refused = report.concurrency, report.build, report.moves_refused
        self.at_ms = report.at_ms
        self.partitions = {p.partition: p for p in report.partitions}
        self.reports += 1

    @property
    def capacity(self) -> float:
        """work per second that this slot can do; never under a fifth of its concurrency, so that a noisy measurement divides nothing by 0."""
        return self._free * self.billed

    @property
    def _free(self) -> float:
        return max(self.concurrency - self.overhead, _LEAST * self.concurrency)

    @property
    def used(self) -> float:
        """Share of the time that is not spent on overhead in which its threads are busy, 0 to 1."""
        return min(self.busy / self._free, 1.0)


def fresh(slots: Iterable[Slot], now_ms: int, stale_s: float) -> list[Slot]:
    """Slots that reported within `stale_s`, by name."""
    return sorted((s for s in slots if now_ms - s.at_ms <= stale_s * 1000), key=lambda s: s.name)


def shares(capacity: float, demand: Floats) -> Floats:
    """What each partition could take if it had unlimited work and the others their `demand` (work/s, shape (n,)): max-min fair, shape (n,).

    For partition i it is the level L with L + sum over the others of min(demand, L) = capacity.
    """
    count = len(demand)
    if count == 0:
        return np.zeros(0)
    order = np.argsort(demand, kind="stable")
    ordered = demand[order]
    before = np.concatenate(([0.0], np.cumsum(ordered)))
    result = np.empty(count)
    for rank in range(count):
        result[order[rank]] = _level(capacity, ordered, before, rank)
    return result


def _level(capacity: float, ordered: Floats, before: Floats, skip: int) -> float:
    # with the j smallest of the others fully served, the rest (and we) share what is left equally
    count = len(ordered)
    low, high = 0, count - 1
    while low < high:
        middle = (low + high) // 2
        level, largest = _try(capacity, ordered, before, skip, middle + 1)
        if largest <= level:
            low = middle + 1
        else:
            high = middle
    return max(_try(capacity, ordered, before, skip, low)[0], 0.0)


def _try(capacity: float, ordered: Floats, before: Floats, skip: int, served: int) -> tuple[float, float]:
    # `served` counts others; position in `ordered` is one further once past `skip`
    through = served + 1 if served > skip else served
    total = before[through] - (ordered[skip] if served > skip else 0.0)
    last = through - 1
    if last == skip:
        last -= 1
    largest = float(ordered[last]) if served and last >= 0 else -math.inf
    return float((capacity - total) / (len(ordered) - served)), largest


def share_left(slot_of: Sequence[int], capacity: Floats, demand: Floats) -> Floats:
    """Capacity left for each partition, shape (partitions,). `slot_of` gives the slot's number, -1 for a partition nobody owns (0 left)."""
    owner = np.asarray(slot_of, dtype=np.int64)
    left = np.zeros(len(owner))
    for slot, mu in enumerate(capacity):
        mine = np.flatnonzero(owner == slot)
        left[mine] = shares(float(mu), demand[mine])
    return left
