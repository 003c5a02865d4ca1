"""Per-token baselines, learned from calm ticks only.

Events, their squares per tick, handled events and work are summed with a long half-life next to the time they stand for. A token's usual rate is shrunk towards
the population's mean by `prior_events` pseudo-events (the posterior mean of a Gamma-Poisson model), so that a token never seen before has the mean rate. The
largest tokens have an expectation for each hour of the week besides (`hours`), and costs are those of the builds that run (`builds`).
"""

from collections import deque
from dataclasses import dataclass
from typing import Final

import numpy as np

from isolator.builds import BuildBook
from isolator.constants import WARM_ENOUGH, Policy
from isolator.hours import Hours
from isolator.interner import Bools, Floats, Interner, Ints, grown
from isolator.observation import BuildCost, Observation, Tick
from isolator.sums import Sums

WHOLE_S: Final = 30.0
"""A longer tick is not whole: the machine slept or another controller decided, and reports that old are not counted."""
RECOUNT_TICKS: Final = 60
"""Ticks after which everybody's usual work is summed up anew."""
_CHUNK: Final = 1 << 18
NOBODY: Final = np.zeros(0, dtype=np.int64)


@dataclass(frozen=True, slots=True)
class Usual:
    """What is usual, at one moment: (tokens,) arrays by place of an observation."""

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
    rest_rate: float = 0.0
    """events/s of the known tokens that are not among (tokens,)"""
    rest_work: float = 0.0
    """Their work/s."""
    known: int = 0
    """Tokens of which anything was learned (at least half an event of a day's memory): who is served, not who happens to send now."""

    @property
    def work(self) -> Floats:
        """Usual work/s (tokens,)."""
        return self.rate * self.cost


class Baseline:
    """One pipeline's baselines. A tick is learned only when the next `learn_delay_ticks` were calm as well."""

    def __init__(
        self,
        policy: Policy,
        interner: Interner,
        sums: Sums | None = None,
        hours: Hours | None = None,
        builds: BuildBook | None = None,
    ) -> None:
        self.sums = sums or Sums.empty()
        self.hours = hours or Hours(interner)
        self.builds = builds or BuildBook()
        self._policy = policy
        self._interner = interner
        self._pending: deque[tuple[Tick, int, Ints, Ints]] = deque()
        self._work, self._counted, self._recount, self._known = 0.0, 0, 0, 0
        self._mark: Bools = np.zeros(0, dtype=np.bool_)
        self._asked: tuple[Ints, Floats] | None = None

    # learning

    def learn(self, seen: Observation, held: Ints, *, calm: bool, odd: Ints = NOBODY) -> None:
        """Take the tick of an observation in; `held` and `odd` by place. See `offer`."""
        self.offer(seen.tick, seen.active_tokens, seen.token_ids[held], calm=calm, odd=seen.token_ids[odd])

    def offer(self, tick: Tick, active_tokens: int, held: Ints, *, calm: bool, odd: Ints = NOBODY) -> None:
        """Take a tick in. `held` are the ids of tokens that are moved or blamed: nothing is learned of them.

        `odd` are ids of tokens that are anomalous while nobody suffers: nothing is learned of them but what they do at this hour, once the hour has
        passed without harm.
        """
        self.hours.void(held, tick.at_ms)
        if not calm or tick.elapsed_s > WHOLE_S:
            self._pending.clear()
            return
        self._pending.append((tick, active_tokens, held, odd))
        while len(self._pending) > self._policy.learn_delay_ticks:
            self._learn(*self._pending.popleft())

    def _learn(self, tick: Tick, active_tokens: int, held: Ints, odd: Ints) -> None:
        """`held` and `odd` each hold an id once."""
        if tick.elapsed_s <= 0:
            return
        sums = self.sums
        self._recount -= 1
        sums.grow(len(self._interner))
        apart = self._apart(held, odd)
        usual = self.general(apart)[0] * tick.elapsed_s
        self._asked = None
        sums.fade(0.5 ** (tick.elapsed_s / self._policy.learn_half_life_s))
        token, events = tick.token, tick.events
        handled, done, work = tick.handled_token, tick.handled, tick.work
        self.hours.learn(
            tick.at_ms, tick.elapsed_s, (token, events), (handled, done, work), float(events.sum()) + tick.other
        )
        if len(apart):
            free = ~self._mark[token]
            token, events = token[free], events[free]
            free = ~self._mark[handled]
            handled, done, work = handled[free], done[free], work[free]
            self._mark[apart] = False
            # as if they had done the usual: their share of the exposure is then neutral
            sums.arrive(apart, usual)
        sums.arrive(token, events)
        sums.handle(handled, done, work)
        sums.learned_s += tick.elapsed_s
        sums.ticks += 1.0
        sums.all_events += float(events.sum()) + tick.other
        sums.active_s += active_tokens * tick.elapsed_s
        self.builds.learn(tick.builds, tick.elapsed_s)

    def _apart(self, held: Ints, odd: Ints) -> Ints:
        """Both together, each once; marked."""
        self._mark = grown(self._mark, len(self._interner))
        self._mark[held] = True
        both = np.concatenate((held, odd[~self._mark[odd]]))
        self._mark[odd] = True
        return both

    # what is usual

    @property
    def population_rate(self) -> float:
        """The mean active token's events/s."""
        sums = self.sums
        known = sums.active_s > 0 and sums.all_events > 0
        return sums.all_events / sums.active_s if known else self._policy.prior_rate

    @property
    def population_cost(self) -> float:
        """Everybody's work per event."""
        sums = self.sums
        return (sums.work_total + 1e-9) / sums.handled_total if sums.handled_total > 0 else self._policy.prior_cost_s

    def build(self, name: str) -> tuple[float, float]:
        """A build's usual cost ratio and the calm seconds behind it."""
        return self.builds.build(name)

    def general(self, ids: Ints) -> tuple[Floats, Floats]:
        """Usual events/s and work per event of `ids`, whatever the hour and the build."""
        self.sums.grow(len(self._interner))
        events, _, handled, work = self._of(ids)
        return self._rate(events), self._cost(handled, work)

    def _of(self, ids: Ints) -> Floats:
        # an observation is asked about twice: for its costs, and for what is usual
        if self._asked is None or self._asked[0] is not ids:
            self._asked = ids, self.sums.of(ids)
        return self._asked[1]

    def _rate(self, events: Floats) -> Floats:
        prior = self._policy.prior_events
        return (events + prior) / (self.sums.learned_s + prior / self.population_rate)

    def _cost(self, handled: Floats, work: Floats) -> Floats:
        weight = self._policy.cost_prior_events
        return (work + weight * self.population_cost) / (handled + weight)

    def usual(self, ids: Ints | None = None, at_ms: int | None = None, builds: tuple[BuildCost, ...] = ()) -> Usual:
        """What is usual now for `ids` (None: every known token); at the hour of `at_ms` and under `builds` when they are given."""
        policy, sums, size = self._policy, self.sums, len(self._interner)
        sums.grow(size)
        if ids is None:
            ids = np.arange(size)
        events, squares, handled, work = self._of(ids)
        rate, cost = self._rate(events), self._cost(handled, work)
        rest_rate = max(
            (sums.events_total + policy.prior_events * size)
            / (sums.learned_s + policy.prior_events / self.population_rate)
            - float(rate.sum()),
            0.0,
        )
        rest_work = max(self._everybodys_work() - float((rate * cost).sum()), 0.0)
        total = sums.all_events / sums.learned_s if sums.learned_s > 0 else 0.0
        dearer = self.builds.factor(builds)
        factor = 1.0
        if at_ms is not None:
            rate, cost, factor = self.hours.expect(at_ms, ids, rate, cost, total)
        pending = sum(tick.elapsed_s for tick, *_ in self._pending)
        if sums.learned_s > 0 and sums.learned_s + pending >= policy.warm_s * WARM_ENOUGH:
            sums.warm = True
        return Usual(
            rate,
            cost * dearer,
            self._dispersion(events, squares),
            self.population_rate,
            self.population_cost,
            total * factor,
            sums.learned_s,
            sums.warm,
            rest_rate * factor,
            rest_work * factor * dearer,
            self._known,
        )

    def _everybodys_work(self) -> float:
        """Usual work/s of all known tokens. Summed up once in a while; tokens that came since count as new ones."""
        size = len(self._interner)
        if self._recount <= 0 or not self._counted:
            self._work, self._known = 0.0, 0
            for start in range(0, size, _CHUNK):
                events, _, handled, work = self.sums.of(np.arange(start, min(start + _CHUNK, size)))
                self._work += float(self._rate(events) @ self._cost(handled, work))
                self._known += int(np.count_nonzero(events >= 0.5))
            self._counted, self._recount = size, RECOUNT_TICKS
        nothing = np.zeros(1)
        new = float((self._rate(nothing) * self._cost(nothing, nothing))[0])
        return self._work + new * max(size - self._counted, 0)

    def _dispersion(self, events: Floats, squares: Floats) -> Floats:
        policy, ticks = self._policy, self.sums.ticks
        if ticks < policy.dispersion_ticks:
            return np.full(len(events), policy.dispersion)
        # method of moments over the ticks' counts
        mean = events / ticks
        variance = squares / ticks - mean**2
        excess = np.maximum(variance - mean, 1e-12)
        own = np.clip(mean**2 / excess, policy.dispersion_min, policy.dispersion_max)
        return np.where(mean >= 1.0, own, policy.dispersion)
