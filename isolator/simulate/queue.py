"""One partition of one lane as a fluid in arrival order.

A batch holds what arrived within one short interval, its tokens evenly mixed. Serving takes from the oldest batch first; a part of a batch is a part of every
token in it. So who waited how long is exact up to the mixing within one interval.
"""

from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass, field

import numpy as np

from isolator.interner import Floats, Ints

EPSILON = 1e-9
HERE, HOLD = 0, -1
"""What is decided for a token besides a side lane's code: handle it here, or take nothing from its first record on."""


@dataclass(slots=True)
class Batch:
    """Events of [begin_s, end_s): rows (rows,), and how much has been taken, 0 to 1."""

    begin_s: float
    end_s: float
    token: Ints
    events: Floats
    work: Floats
    """of all its events"""
    done: float = 0.0
    alone: bool = False
    """One record that occupies its worker alone (a hang): its work is seconds of the clock."""
    total_work: float = field(init=False)
    total_events: float = field(init=False)

    def __post_init__(self) -> None:
        self.total_work = float(self.work.sum())
        self.total_events = float(self.events.sum())

    def age(self, at_s: float) -> float:
        """Seconds since its oldest event that is not taken arrived."""
        return at_s - (self.begin_s + self.done * (self.end_s - self.begin_s))


@dataclass(frozen=True, slots=True)
class Portion:
    """What was taken of a batch: its part from `first` to `last` (0 to 1), between two moments."""

    batch: Batch
    first: float
    last: float
    from_s: float
    to_s: float
    lanes: Ints | None
    """what was decided for each row (rows,), None for all handled here"""

    @property
    def part(self) -> float:
        """Share of the batch."""
        return self.last - self.first

    def ages(self) -> tuple[float, float]:
        """Ages of the first and the last event taken, when they were taken; never negative."""
        span = self.batch.end_s - self.batch.begin_s
        first = self.from_s - (self.batch.begin_s + self.first * span)
        last = self.to_s - (self.batch.begin_s + self.last * span)
        return max(first, 0.0), max(last, 0.0)

    def late(self, limit_s: float) -> float:
        """Share of its events that were older than `limit_s` when they were taken; ages run evenly from the first to the last."""
        first, last = self.ages()
        low, high = min(first, last), max(first, last)
        if low >= limit_s:
            return 1.0
        if high <= limit_s:
            return 0.0
        return (high - limit_s) / (high - low)


@dataclass(frozen=True, slots=True)
class Choice:
    """What is decided for the tokens of a partition now. `lane` (tokens,) is HERE, HOLD or a side lane's code."""

    lane: Ints
    forward_s: float
    held: bool
    """somebody is on HOLD"""

    def weigh(self, batch: Batch) -> tuple[float, Ints | None, bool]:
        """Work that taking the whole batch costs, the rows' lanes (None when all stay), and whether it must be held."""
        lanes = self.lane[batch.token]
        if not lanes.any():
            return batch.total_work, None, False
        if self.held and (lanes == HOLD).any():
            return 0.0, lanes, True
        cost = np.where(lanes > 0, batch.events * self.forward_s, batch.work)
        return float(cost.sum()), lanes, False


class Queue:
    """Batches in order. `put` and `taken` count events for ever."""

    def __init__(self) -> None:
        self.batches: deque[Batch] = deque()
        self.put = 0.0
        self.taken = 0.0

    def __len__(self) -> int:
        return len(self.batches)

    @property
    def waiting(self) -> float:
        """Events."""
        return max(self.put - self.taken, 0.0) if self.batches else 0.0

    def append(self, batch: Batch) -> None:
        """At the end."""
        self.batches.append(batch)
        self.put += batch.total_events * (1.0 - batch.done)

    def age(self, at_s: float) -> float:
        """Age of the oldest event that waits, 0 when nothing does."""
        return max(self.batches[0].age(at_s), 0.0) if self.batches else 0.0

    def demand(self, limit: float, choice: Choice | None) -> float:
        """Work that could be taken now, at most `limit`: up to a batch that is held or that would hang."""
        total = 0.0
        for batch in self.batches:
            work, lanes, held = (batch.total_work, None, False) if choice is None else choice.weigh(batch)
            if held:
                break
            if batch.alone and lanes is None:
                # it wants a whole worker
                return limit
            total += work * (1.0 - batch.done)
            if total >= limit:
                return limit
        return total

    def serve(self, budget: float, from_s: float, pace: float, choice: Choice | None) -> Iterator[Portion]:
        """Take `budget` of work, oldest first, at `pace` work a second from `from_s`. Ends early at a batch that is held or alone (see `hanging`)."""
        at_s = from_s
        while self.batches:
            batch = self.batches[0]
            work, lanes, held = (batch.total_work, None, False) if choice is None else choice.weigh(batch)
            if held or (batch.alone and lanes is None):
                return
            left = work * (1.0 - batch.done)
            if left > budget + EPSILON and budget <= EPSILON:
                return
            part = 1.0 - batch.done if left <= budget + EPSILON else budget / work
            used = min(part * work, budget)
            until_s = at_s + (used / pace if pace > 0 else 0.0)
            first = batch.done
            whole = first + part >= 1.0 - EPSILON
            last = 1.0 if whole else first + part
            yield Portion(batch, first, last, at_s, until_s, lanes)
            batch.done = last
            self.taken += batch.total_events * (last - first)
            budget -= used
            at_s = until_s
            if whole:
                self.batches.popleft()

    def hanging(self, choice: Choice | None) -> Batch | None:
        """The batch at the head if it is one that would occupy the worker alone."""
        if not self.batches or not self.batches[0].alone:
            return None
        batch = self.batches[0]
        if choice is not None and choice.weigh(batch)[1] is not None:
            return None
        return batch

    def pop(self) -> Batch:
        """Take the whole batch at the head."""
        batch = self.batches.popleft()
        self.taken += batch.total_events * (1.0 - batch.done)
        return batch
