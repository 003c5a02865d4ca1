"""What a record costs that arrives under no name, by partition: what is left of the measured work once the named have theirs.

The mean over all records will not do: a named tenant whose events are dear would be counted twice, once by himself and once in everybody else, and a partition
that is busy to 0.75 would be called full.
"""

from typing import Final

import numpy as np

from isolator.columns import WorkerColumns
from isolator.interner import Floats, Ints, grown
from isolator.observation import Partitions, Rows
from isolator.rates import Decayed

CALM_S: Final = 3.0
"""While no more than the arrivals of so many seconds wait, what is worked is what arrives."""
LEAST: Final = 0.05
"""Share of the records that must be unnamed: what is left for fewer is the error of everybody else, and dividing by them makes it a monster."""
NOISE: Final = 1.1
"""Rows that tell of more than so many times what was spent have arrived, and are not handled yet."""


class Unnamed:
    """Decayed work and records of those that no row names, from the ticks in which both are known."""

    def __init__(self, half_life_s: float) -> None:
        self._work = Decayed(half_life_s)
        self._records = Decayed(half_life_s)
        self._spent: Floats = np.zeros(0)
        self._told_s: Floats = np.zeros(0)

    def spend(self, report: WorkerColumns, size: int) -> None:
        """Add a worker's report of the general lane, which has `size` partitions, to the tick."""
        self._spent, self._told_s = grown(self._spent, size), grown(self._told_s, size)
        np.add.at(self._spent, report.partition, report.work_s)
        np.add.at(self._spent, report.partitions, report.other_work_s)
        np.add.at(self._told_s, report.partitions, report.interval_s)

    def learn(self, rows: Rows, cost: Floats, partitions: Partitions, away: Ints, now_s: float) -> None:
        """End a tick. `cost` is work per event (tokens,); `away` are the places of tokens that the general lane only forwards.

        Partitions with a backlog, with hardly an unnamed record, or whose rows tell of clearly more than was spent, teach nothing.
        """
        size = len(partitions)
        paid = cost.copy()
        paid[away] = 0.0
        named = np.bincount(rows.partition, rows.rate * paid[rows.token], size)
        spent, told_s = (grown(sums, size)[:size] for sums in (self._spent, self._told_s))
        rate = partitions.rows_rate + partitions.other_rate
        known = (partitions.lag <= CALM_S * rate) & (partitions.other_rate >= LEAST * rate) & (rate > 0)
        at = np.flatnonzero(known & (spent > 0) & (named * told_s <= NOISE * spent))
        self._work.add(at, np.maximum(spent[at] - named[at] * told_s[at], 0.0), now_s, size)
        self._records.add(at, partitions.other_rate[at] * told_s[at], now_s, size)
        self._work.advance(now_s)
        self._records.advance(now_s)
        self._spent, self._told_s = np.zeros(size), np.zeros(size)

    def cost(self, mean: Floats, weight: float) -> Floats:
        """Work per record (partitions,), shrunk towards `mean` by `weight` pseudo-records."""
        size = len(mean)
        return np.asarray((self._work.upto(size) + weight * mean) / (self._records.upto(size) + weight))
