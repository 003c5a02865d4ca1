"""Per-token baselines, learned from calm ticks only.

Events, their squares per tick, handled events and work are summed with a long half-life next to the time they stand for. A token's usual rate is shrunk towards
the population's mean by `prior_events` pseudo-events (the posterior mean of a Gamma-Poisson model), so that a token never seen before has the mean rate.
"""

from collections import deque
from dataclasses import dataclass
from typing import Final

import numpy as np

from isolator.constants import Policy
from isolator.interner import Floats, Interner, Ints, grown
from isolator.observation import Tick

WHOLE_S: Final = 30.0
"""A longer tick is not whole: the machine slept or another controller decided, and reports that old are not counted."""


@dataclass(frozen=True, slots=True)
class Usual:
    """What is usual, at one moment: (tokens,) arrays."""

    rate: Floats
    """events/s"""
    cost: Floats
    """work per event"""
    dispersion: Floats
    """size k of the negative binomial: variance m + m^2/k"""
    population_rate: float
    population_cost: float
    total_rate: float
    """events/s of everybody; 0 when nothing is known"""
    learned_s: float
    """Calm seconds behind it."""
    warm: bool
    """Old enough for `auto` to act on."""

    @property
    def work(self) -> Floats:
        """Usual work/s (tokens,)."""
        return self.rate * self.cost


@dataclass(slots=True)
class Sums:
    """What has been learned; the snapshot stores just this. The arrays are (tokens,)."""

    events: Floats
    squares: Floats
    handled: Floats
    work: Floats
    learned_s: float = 0.0
    ticks: float = 0.0
    all_events: float = 0.0
    """With those of tokens that are not told apart."""
    active_s: float = 0.0
    """Sum of active tokens times seconds."""
    warm: bool = False
    """Was once old enough, and stays so."""

    @staticmethod
    def empty() -> "Sums":
        """Nothing learned."""
        return Sums(np.zeros(0), np.zeros(0), np.zeros(0), np.zeros(0))

    def grow(self, size: int) -> None:
        """Room for `size` tokens."""
        self.events, self.squares = grown(self.events, size), grown(self.squares, size)
        self.handled, self.work = grown(self.handled, size), grown(self.work, size)

    def fade(self, factor: float) -> None:
        """Forget a little."""
        self.events *= factor
        self.squares *= factor
        self.handled *= factor
        self.work *= factor
        self.learned_s *= factor
        self.ticks *= factor
        self.all_events *= factor
        self.active_s *= factor


class Baseline:
    """One pipeline's baselines. A tick is learned only when the next `learn_delay_ticks` were calm as well."""

    def __init__(self, policy: Policy, interner: Interner, sums: Sums | None = None) -> None:
        self.sums = sums or Sums.empty()
        self._policy = policy
        self._interner = interner
        self._pending: deque[tuple[Tick, int, Ints]] = deque()

    def offer(self, tick: Tick, active_tokens: int, held: Ints, *, calm: bool) -> None:
        """Take a tick in. `held` are the ids of tokens under suspicion or moved: nothing about them is learned."""
        if not calm or tick.elapsed_s > WHOLE_S:
            self._pending.clear()
            return
        self._pending.append((tick, active_tokens, held))
        while len(self._pending) > self._policy.learn_delay_ticks:
            self._learn(*self._pending.popleft())

    def _learn(self, tick: Tick, active_tokens: int, held: Ints) -> None:
        if tick.elapsed_s <= 0:
            return
        usual, sums = self.usual(), self.sums
        sums.fade(0.5 ** (tick.elapsed_s / self._policy.learn_half_life_s))
        sums.grow(len(self._interner))
        events = tick.events.copy()
        if len(held):
            # as if it had done the usual: its share of the exposure is then neutral
            known = held[held < len(usual.rate)]
            suspect = np.isin(tick.token, held)
            events[suspect] = 0.0
            sums.events[known] += usual.rate[known] * tick.elapsed_s
            sums.squares[known] += (usual.rate[known] * tick.elapsed_s) ** 2
        sums.events[tick.token] += events
        sums.squares[tick.token] += events**2
        free = ~np.isin(tick.handled_token, held)
        sums.handled[tick.handled_token[free]] += tick.handled[free]
        sums.work[tick.handled_token[free]] += tick.work[free]
        sums.learned_s += tick.elapsed_s
        sums.ticks += 1.0
        sums.all_events += float(events.sum()) + tick.other
        sums.active_s += active_tokens * tick.elapsed_s

    def usual(self) -> Usual:
        """What is usual now, for every known token."""
        policy, sums, size = self._policy, self.sums, len(self._interner)
        sums.grow(size)
        rate0 = sums.all_events / sums.active_s if sums.active_s > 0 and sums.all_events > 0 else policy.prior_rate
        handled = float(sums.handled.sum())
        cost0 = (float(sums.work.sum()) + 1e-9) / handled if handled > 0 else policy.prior_cost_s
        rate = (sums.events[:size] + policy.prior_events) / (sums.learned_s + policy.prior_events / rate0)
        weight = policy.cost_prior_events
        cost = (sums.work[:size] + weight * cost0) / (sums.handled[:size] + weight)
        pending = sum(tick.elapsed_s for tick, _, _ in self._pending)
        if sums.learned_s > 0 and sums.learned_s + pending >= policy.warm_s * _NEARLY:
            sums.warm = True
        total = sums.all_events / sums.learned_s if sums.learned_s > 0 else 0.0
        return Usual(rate, cost, self._dispersion(size), rate0, cost0, total, sums.learned_s, sums.warm)

    def _dispersion(self, size: int) -> Floats:
        policy, sums = self._policy, self.sums
        if sums.ticks < policy.dispersion_ticks:
            return np.full(size, policy.dispersion)
        # method of moments over the ticks' counts
        mean = sums.events[:size] / sums.ticks
        variance = sums.squares[:size] / sums.ticks - mean**2
        excess = np.maximum(variance - mean, 1e-12)
        own = np.clip(mean**2 / excess, policy.dispersion_min, policy.dispersion_max)
        return np.where(mean >= 1.0, own, policy.dispersion)


# a day of learning that fades with a day's half-life never sums to a whole day
_NEARLY = 0.7
