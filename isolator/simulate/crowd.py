"""The many tokens of a trace as one: their events in any interval, drawn over arrays."""

from dataclasses import dataclass

import numpy as np

from isolator.interner import Floats, Ints

SHORT_S = 2.0
"""A row that is not longer is a count: its records come as they are. A longer one is a rate: they come at random."""
HEAVY = 2_000
"""Events of one token in one interval from which they are spread by shares, not one by one."""


@dataclass(frozen=True, slots=True)
class Crowd:
    """Rows (rows,) in order of time; `token` counts from 0. `keys` (tokens,)."""

    begin_s: Floats
    end_s: Floats
    token: Ints
    records: Floats
    cost: Floats
    """work per record"""
    keys: Ints
    partitions: int
    longest_s: float
    names: list[str]
    learned_rate: Floats
    learned_cost: Floats

    def draw(
        self, begin_s: float, end_s: float, rng: np.random.Generator, *, noise: bool
    ) -> tuple[Ints, Ints, Floats, Floats]:
        """(token, partition, events, work) of [begin_s, end_s); a (token, partition) may come more than once."""
        first = int(np.searchsorted(self.begin_s, begin_s - self.longest_s, side="left"))
        last = int(np.searchsorted(self.begin_s, end_s, side="left"))
        rows = first + np.flatnonzero(self.end_s[first:last] > begin_s)
        begins, ends = self.begin_s[rows], self.end_s[rows]
        share = (np.minimum(ends, end_s) - np.maximum(begins, begin_s)) / (ends - begins)
        mean = self.records[rows] * np.maximum(share, 0.0)
        if not noise:
            token = np.repeat(self.token[rows], self.partitions)
            where = np.tile(np.arange(self.partitions), len(rows))
            even = np.repeat(mean / self.partitions, self.partitions)
            return token, where, even, even * np.repeat(self.cost[rows], self.partitions)
        short = ends - begins <= SHORT_S
        count = np.where(short, np.floor(mean + rng.random(len(mean))), rng.poisson(np.where(short, 0.0, mean)))
        heavy = count > HEAVY
        each = np.repeat(rows[~heavy], count[~heavy].astype(np.int64))
        key = (rng.random(len(each)) * self.keys[self.token[each]]).astype(np.int64)
        tokens, places = [self.token[each]], [place(self.token[each], key, self.partitions)]
        events, works = [np.ones(len(each))], [self.cost[each]]
        for row, number in zip(rows[heavy].tolist(), count[heavy].tolist(), strict=True):
            share_of = self.shares(int(self.token[row]))
            tokens.append(np.full(self.partitions, self.token[row]))
            places.append(np.arange(self.partitions))
            events.append(number * share_of)
            works.append(events[-1] * self.cost[row])
        return np.concatenate(tokens), np.concatenate(places), np.concatenate(events), np.concatenate(works)

    def shares(self, token: int) -> Floats:
        """Of the token's events by partition."""
        return shares(token, int(self.keys[token]), self.partitions)


def shares(token: int, keys: int, partitions: int) -> Floats:
    """Shares of a token by partition, its keys being equally busy."""
    if keys >= 100 * partitions:
        return np.full(partitions, 1.0 / partitions)
    mine = place(np.full(keys, token), np.arange(keys), partitions)
    return np.bincount(mine, minlength=partitions) / keys


def place(token: Ints, key: Ints, partitions: int) -> Ints:
    """The partition to which a token's key is hashed (splitmix64)."""
    x = token.astype(np.uint64) * np.uint64(0x9E3779B97F4A7C15) + key.astype(np.uint64)
    x = (x ^ (x >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    x = (x ^ (x >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return ((x ^ (x >> np.uint64(31))) % np.uint64(partitions)).astype(np.int64)
