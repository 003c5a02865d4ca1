"""Everybody else: background tokens with Zipf rates, each spread over the partitions by its keys, and their arrivals.

Arrivals are drawn by the number of events, not of tokens: the large rows by a Poisson draw each, all others by one draw of how many events there are and a
sorted walk along the cumulated rates. A hundred thousand tokens cost what their events cost.
"""

from dataclasses import dataclass

import numpy as np

from isolator.interner import Floats, Ints
from isolator.simulate.plan import Plan
from isolator.simulate.settings import Settings

OFFSET = 20.0
"""Zipf's law r_i ~ 1 / (i + OFFSET): the largest token has about half a percent of the traffic."""
KEYS_PER_RATE = 300.0
"""Distinct keys of a token for each event a second that it has."""
LARGE = 0.3
"""events/s of a (token, partition) row from which it is drawn by itself."""
SWING_S = 30.0
"""Seconds for which a large token keeps its swing."""
STEPS = 4
"""Parts of a Ladder for each of its rows."""


@dataclass(frozen=True, slots=True)
class Population:
    """Background tokens (tokens,) and their (token, partition) rows (rows,), sorted by partition."""

    rate: Floats
    cost: Floats
    """work per event"""
    token: Ints
    partition: Ints
    row_rate: Floats
    row_keys: Floats

    @staticmethod
    def draw(settings: Settings, plan: Plan, rng: np.random.Generator) -> "Population":
        """Tokens that together use `plan.utilisation` of the general lane."""
        count, partitions = settings.tokens, settings.partitions
        rate: Floats = 1.0 / (np.arange(count, dtype=np.float64) + OFFSET)
        rate *= settings.rate / rate.sum()
        cost = rng.lognormal(0.0, 0.5, count)
        cost *= plan.utilisation * settings.total / float(rate @ cost)
        wanted = np.maximum(1, np.rint(rate * KEYS_PER_RATE * rng.lognormal(0.0, 0.7, count))).astype(np.int64)
        placed = rng.multinomial(wanted, np.full(partitions, 1 / partitions)).T
        partition, token = np.nonzero(placed)
        keys = placed[partition, token].astype(np.float64)
        return Population(rate, cost, token, partition, rate[token] * keys / wanted[token], keys)


@dataclass(frozen=True, slots=True)
class Drawn:
    """Events that arrive in one interval, rows by partition; a (token, partition) comes at most once."""

    token: Ints
    partition: Ints
    events: Floats
    top_key: Floats
    """events of the row's busiest key, about"""


class Arrivals:
    """Draws a population's events. Second t of seed s is drawn from its own stream, whatever was drawn before."""

    def __init__(
        self, population: Population, settings: Settings, plan: Plan, seed: int, *, keep: bool = False
    ) -> None:
        self._kept: dict[tuple[float, float], tuple[Ints, Floats]] | None = {} if keep else None
        """(begin, length) -> rows and events, in few bytes"""
        self._seed = seed
        self._plan = plan
        self._noise = settings.noise
        self._all = population
        self._bounds = np.searchsorted(population.partition, np.arange(settings.partitions + 1))
        large = population.row_rate >= LARGE
        self._large, self._small = np.flatnonzero(large), np.flatnonzero(~large)
        self._large_rate = population.row_rate[self._large]
        self._large_token = population.token[self._large]
        self._ladder = Ladder(population.row_rate[self._small])
        self._swing_of = -1
        self._swing: Floats = np.ones(int(self._large_token.max(initial=-1)) + 1)

    def draw(self, at_s: float, span_s: float) -> Drawn:
        """The events of [at_s, at_s + span_s)."""
        if self._kept is None or not self._noise:
            return self._drawn(*self._rows(at_s, span_s))
        found = self._kept.get((at_s, span_s))
        if found is None:
            found = self._kept[at_s, span_s] = _small(*self._rows(at_s, span_s))
        return self._drawn(found[0].astype(np.int64), found[1].astype(np.float64))

    def _rows(self, at_s: float, span_s: float) -> tuple[Ints, Floats]:
        factor = self._plan.growth.mean(at_s, at_s + span_s) * span_s
        people = self._all
        if not self._noise:
            return np.arange(len(people.token)), people.row_rate * factor
        rng = stream(self._seed, 1, round(at_s * 1000))
        mean = self._large_rate * self._swings(at_s)[self._large_token] * factor
        large = rng.poisson(mean)
        some = np.flatnonzero(large)
        count = int(rng.poisson(self._ladder.total * factor))
        if not count or not self._ladder.total:
            return self._large[some], large[some].astype(np.float64)
        # sorted uniforms: cumulated exponentials over their sum
        steps = np.cumsum(rng.standard_exponential(count + 1))
        hits = self._ladder.find(steps[:-1] * (self._ladder.total / steps[-1]))
        starts = np.flatnonzero(np.concatenate(([True], hits[1:] != hits[:-1])))
        events = np.diff(np.append(starts, count)).astype(np.float64)
        rows: Ints = np.concatenate((self._large[some], self._small[hits[starts]]))
        number: Floats = np.concatenate((large[some].astype(np.float64), events))
        # two sorted runs: merged, and neighbours in memory are read together from here on
        order = np.argsort(rows, kind="stable")
        return rows[order], number[order]

    def _drawn(self, rows: Ints, events: Floats) -> Drawn:
        people = self._all
        top = np.minimum(events, 1.0)
        several = np.flatnonzero(events > 1.0)
        top[several] = np.maximum(1.0, events[several] / people.row_keys[rows[several]])
        counts = np.diff(np.searchsorted(rows, self._bounds))
        return Drawn(people.token[rows], np.repeat(np.arange(len(counts)), counts), events, top)

    def _swings(self, at_s: float) -> Floats:
        window = int(at_s // SWING_S)
        if window != self._swing_of and self._plan.swing > 0:
            shape = 1.0 / self._plan.swing
            self._swing = stream(self._seed, 2, window).gamma(shape, 1.0 / shape, len(self._swing))
            self._swing_of = window
        return self._swing


class Ladder:
    """Cumulated rates (rows,), and which row a number up to their `total` falls on.

    The total is cut into STEPS equal parts for each row, and it is known on which row each part begins: a number is found by a look there and a step or two,
    where a binary search over a million rows would miss the cache twenty times.
    """

    def __init__(self, rates: Floats) -> None:
        self._ends = np.cumsum(rates)
        self.total = float(self._ends[-1]) if len(rates) else 0.0
        parts = max(STEPS * len(rates), 1)
        self._scale = parts / self.total if self.total > 0 else 0.0
        # a part too low where rounding says so: the walk only goes up
        begins = np.maximum(np.arange(parts + 1) - 1, 0) * (self.total / parts)
        self._start = np.searchsorted(self._ends, begins, side="right").astype(np.int32) if len(rates) else None

    def find(self, places: Floats) -> Ints:
        """The rows (n,) on which `places` (n,), each from 0 up to `total`, fall; as `searchsorted(..., side="right")`, the last row for the total itself."""
        if self._start is None:
            return np.zeros(0, dtype=np.int64)
        last = len(self._ends) - 1
        rows = np.minimum(self._start[(places * self._scale).astype(np.int64)], last).astype(np.int64)
        below = np.flatnonzero((self._ends[rows] <= places) & (rows < last))
        while len(below):
            rows[below] += 1
            below = below[(self._ends[rows[below]] <= places[below]) & (rows[below] < last)]
        return rows


def _small(rows: Ints, events: Floats) -> tuple[Ints, Floats]:
    """The same numbers in half the bytes: both are whole and far below 2^31."""
    return rows.astype(np.int32), events.astype(np.int32)


def stream(seed: int, what: int, number: int) -> np.random.Generator:
    """Random numbers that depend on these three alone."""
    return np.random.Generator(np.random.Philox(key=seed, counter=[0, 0, what, number]))
