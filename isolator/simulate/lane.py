"""One lane: its partitions' queues and the worker slots that serve them in equal shares of work over those that have any."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from isolator.interner import Floats, Ints
from isolator.simulate.queue import EPSILON, Batch, Choice, Portion, Queue

WATCHDOG_S = 60.0
"""Seconds after which a worker gives up on a record: it commits the suspect and exits."""
RESTART_S = 5.0
"""Seconds until its successor works."""

Take = Callable[[int, Portion], None]
"""(partition, what was taken)"""


@dataclass(slots=True)
class Hang:
    """A record that occupies its worker."""

    batch: Batch
    partition: int
    since_s: float
    until_s: float


@dataclass(slots=True)
class Worker:
    """One slot."""

    hang: Hang | None = None
    down_until_s: float = 0.0


class LaneModel:
    """One lane of the world. `code` is 0 for general, 1 for overflow, 2 for quarantine."""

    def __init__(self, code: int, partitions: int, slots: int, capacity: float) -> None:
        self.code = code
        self.capacity = capacity
        self.queues = [Queue() for _ in range(partitions)]
        self.workers = [Worker() for _ in range(slots)]
        self.owner: Ints = np.arange(partitions) % slots
        self.assigned_s: Floats = np.full(partitions, -1e6)
        self.busy: Floats = np.zeros(partitions)
        """Seconds since it was last read, by partition."""

    def backlog(self) -> bool:
        """Does anything wait, or hang?"""
        return any(q.batches for q in self.queues) or any(w.hang or w.down_until_s for w in self.workers)

    def owned(self, slot: int) -> list[int]:
        """The slot's partitions."""
        return np.flatnonzero(self.owner == slot).tolist()

    def serve(
        self,
        from_s: float,
        to_s: float,
        speed: Sequence[float],
        choices: Sequence[Choice | None],
        take: Take,
        slowness: float = 1.0,
    ) -> None:
        """Work from `from_s` to `to_s`; `speed` is the share of its capacity that each slot works, `choices` what is decided on each partition, `slowness` how
        many times its work everything takes.
        """
        for number, (worker, share) in enumerate(zip(self.workers, speed, strict=True)):
            begin_s = self._resume(worker, number, from_s, to_s, take)
            if begin_s < to_s - EPSILON and share > 0:
                capacity = self.capacity * share / slowness
                before = self.busy.copy()
                self._work(worker, self.owned(number), begin_s, to_s, capacity, choices, take)
                self.busy = before + (self.busy - before) * slowness

    def _resume(self, worker: Worker, number: int, from_s: float, to_s: float, take: Take) -> float:
        """When the worker is free: it may be down, or occupied by a record."""
        if worker.down_until_s:
            if worker.down_until_s >= to_s:
                return to_s
            from_s, worker.down_until_s = max(worker.down_until_s, from_s), 0.0
            self.assigned_s[self.owned(number)] = from_s
        hang = worker.hang
        if hang is None:
            return from_s
        given_up_s = hang.since_s + WATCHDOG_S
        end_s = min(hang.until_s, given_up_s)
        self.busy[hang.partition] += min(end_s, to_s) - from_s
        if end_s >= to_s:
            return to_s
        worker.hang = None
        if hang.until_s <= given_up_s:
            take(hang.partition, Portion(hang.batch, 0.0, 1.0, end_s, end_s, None))
            return end_s
        # the second try is quarantine's; the second there ends among the dead letters
        worker.down_until_s = end_s + RESTART_S
        lanes = np.full(1, 2) if self.code != 2 else None
        take(hang.partition, Portion(hang.batch, 0.0, 1.0, end_s, end_s, lanes))
        return self._resume(worker, number, end_s, to_s, take)

    def _work(
        self,
        worker: Worker,
        mine: list[int],
        from_s: float,
        to_s: float,
        capacity: float,
        choices: Sequence[Choice | None],
        take: Take,
    ) -> None:
        budget = capacity * (to_s - from_s)
        demands = [self.queues[p].demand(budget, choices[p]) for p in mine]
        allotted = fair(demands, budget)
        total = sum(allotted)
        for p, allowed in zip(mine, allotted, strict=True):
            if allowed <= 0:
                continue
            pace = max(allowed, budget - (total - allowed)) / (to_s - from_s)
            at_s, used = from_s, 0.0
            for portion in self.queues[p].serve(allowed, from_s, pace, choices[p]):
                at_s = portion.to_s
                used = (at_s - from_s) * pace
                take(p, portion)
            self.busy[p] += used
            if worker.hang is None and allowed - used > EPSILON and self.queues[p].hanging(choices[p]):
                batch = self.queues[p].pop()
                worker.hang = Hang(batch, p, at_s, at_s + batch.total_work)
                self.busy[p] += to_s - at_s


def fair(demands: Sequence[float], budget: float) -> list[float]:
    """Max-min fair: everybody has its demand, or the same share of what is left."""
    given = [0.0] * len(demands)
    left = budget
    order = sorted(range(len(demands)), key=lambda i: demands[i])
    for place, i in enumerate(order):
        given[i] = min(demands[i], left / (len(order) - place))
        left -= given[i]
    return given
