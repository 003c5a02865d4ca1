"""Worker slots of one lane: capacity, how busy they are, and what capacity a partition has left.

Capacity mu belongs to the slot (a worker with all its partitions), in work per second: its concurrency less the measured overhead. A partition has what the
others of its slot leave under max-min fairness, which is how the worker shares its turns.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import numpy as np

from ingestion.contracts.names import Lane
from isolator.columns import WorkerColumns
from isolator.interner import Floats, Ints

_SMOOTHING = 0.3
_LEAST = 0.2
_BILLED_LEAST = 0.65
"""Less busy than this with a backlog is a stall, not a costly batch."""
_GONE_MS = 3_600_000


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
    last: WorkerColumns | None = None
    """Its newest report."""
    seconds: float = 0.0
    """that were reported"""

    def fold(self, report: WorkerColumns) -> None:
        """Take one report in. A report that is split into two of half the time changes nothing."""
        seconds = max(report.interval_s, 0.05)
        busy = float(report.busy_s.sum()) / seconds
        # work that has not ended is credited to no interval yet, but its thread is busy
        running = sum(1.0 for _, _, since_s in report.in_flight if since_s >= seconds)
        self.seconds += seconds
        weight = max(1.0 - (1.0 - _SMOOTHING) ** seconds, seconds / self.seconds)
        self.overhead += weight * (report.overhead_s / seconds - self.overhead)
        self.busy += weight * (max(busy, min(running, report.concurrency)) - self.busy)
        waiting = float(np.maximum(report.end - report.position, 0.0).sum())
        forwarded = float(report.forwarded.sum())
        handled = float(report.records.sum() - forwarded + report.other_records.sum())
        achieved = busy / self._free
        if waiting > handled > 0 and not forwarded and achieved >= _BILLED_LEAST:
            # over an interval of backlog before it and after it: it did all that it can
            self.billed += weight * (min(achieved, 1.0) - self.billed)
        self.forwarding += weight * (forwarded / seconds - self.forwarding)
        self.concurrency, self.build, self.refused = report.concurrency, report.build, report.moves_refused
        self.last = report

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


def remembered(slots: Mapping[tuple[Lane, str], Slot], now_ms: int) -> dict[tuple[Lane, str], Slot]:
    """Without those that have been silent for an hour: the names of some change at every restart."""
    return {key: slot for key, slot in slots.items() if now_ms - slot.at_ms <= _GONE_MS}


def fresh(slots: Iterable[Slot], now_ms: int, stale_s: float) -> list[Slot]:
    """Slots that reported within `stale_s`, by name."""
    return sorted((s for s in slots if now_ms - s.at_ms <= stale_s * 1000), key=lambda s: s.name)


def shares(capacity: float, demand: Floats) -> Floats:
    """What each partition could take if it had unlimited work and the others their `demand` (work/s, shape (n,)): max-min fair, shape (n,).

    For partition i it is the level L with L + sum over the others of min(demand, L) = capacity. Let G(L) be the sum of min(demand, L) over all: partitions that
    demand at least the level L0 with G(L0) = capacity get L0, the others the L with G(L) + L = capacity + their demand. Both are inverted on G's corners.
    """
    count = len(demand)
    if count == 0:
        return np.zeros(0)
    ordered = np.sort(demand)
    before = np.concatenate(([0.0], np.cumsum(ordered)))
    more = np.arange(count, 0, -1)
    corners = before[:-1] + more * ordered
    wanted = capacity + demand
    at = np.searchsorted(corners + ordered, wanted)
    level = (wanted - before[at]) / (count - at + 1)
    if capacity < before[-1]:
        at_all = int(np.searchsorted(corners, capacity))
        everyone = (capacity - before[at_all]) / (count - at_all)
        level = np.where(demand >= everyone, everyone, level)
    return np.maximum(level, 0.0)


def share_left(slot_of: Ints, capacity: Floats, demand: Floats) -> Floats:
    """Capacity left for each partition, shape (partitions,). `slot_of` gives the slot's number, -1 for a partition nobody owns (0 left)."""
    owner = np.asarray(slot_of, dtype=np.int64)
    left = np.zeros(len(owner))
    for slot, mu in enumerate(capacity.tolist()):
        mine = np.flatnonzero(owner == slot)
        left[mine] = shares(mu, demand[mine])
    return left
