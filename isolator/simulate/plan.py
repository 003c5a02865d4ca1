"""What happens in one run, and who is to blame for it: a scenario drawn with a seed, or a trace."""

from dataclasses import dataclass, field

import numpy as np

from isolator.interner import Floats
from isolator.simulate.crowd import Crowd
from isolator.simulate.curve import ONE, Curve

Span = tuple[float, float]


@dataclass(frozen=True, slots=True)
class Source:
    """One token whose load is told exactly."""

    name: str
    rate: Curve
    """events/s"""
    cost: Curve
    """work per event, by when it arrives"""
    share: Floats
    """of its events by partition, sums to 1"""
    keys: int = 100
    """distinct_ids"""
    learned_rate: float = 0.0
    """events/s in the past day; 0 for a token that was never seen"""
    learned_cost: float = 0.0
    culprit: tuple[Span, ...] = ()
    """seconds in which it does more than its usual and is to blame for what overload there is"""
    hangs: tuple[tuple[float, float, int], ...] = ()
    """(arrival, seconds, partition) of single records that occupy a worker alone for so long"""
    aged_s: float = 0.0
    """how old its events' timestamps are when they arrive (a backfill)"""


@dataclass(frozen=True, slots=True)
class Handover:
    """From `at_s` on, `partitions` belong to `slot` (-1: to nobody)."""

    at_s: float
    partitions: tuple[int, ...]
    slot: int


@dataclass(frozen=True, slots=True)
class Gap:
    """Telemetry of a kind (arrivals, workers or probe) that never arrives."""

    kind: str
    begin_s: float
    end_s: float


@dataclass(frozen=True, slots=True)
class Plan:
    """Times in seconds from the start of the run."""

    begin_s: float
    """When the first thing out of the ordinary happens."""
    calm_s: float
    """When the last one has ended: every load is back at its baseline."""
    end_s: float
    """When the run ends at the latest."""
    sources: tuple[Source, ...] = ()
    growth: Curve = ONE
    """times the background's events"""
    slowness: Curve = ONE
    """times the work of every event, by when it is handled"""
    speed: tuple[tuple[int, Curve], ...] = ()
    """(general slot, share of its capacity that it works)"""
    handovers: tuple[Handover, ...] = ()
    gaps: tuple[Gap, ...] = ()
    builds: tuple[tuple[float, str], ...] = ()
    """(from when, what the workers' build is called)"""
    skew_s: tuple[tuple[int, float], ...] = ()
    """(general slot, seconds that its clock is ahead)"""
    aged_s: float = 0.0
    """seconds by which everybody's timestamps are too old (capture's clock is behind)"""
    utilisation: float = 0.6
    """of the general lane by the background, before anything happens"""
    crowd: Crowd | None = None
    """a trace's smaller tokens"""
    swing: float = 0.05
    """variance of the slow swings of the large tokens' rates"""

    @property
    def extra(self) -> int:
        """Tokens besides the background's."""
        return len(self.sources) + (len(self.crowd.names) if self.crowd else 0)

    def times(self) -> tuple[float, ...]:
        """Moments at which something changes, in order."""
        found = {self.begin_s, self.calm_s, *self._events()}
        for curve in self._curves():
            found.update(curve.times())
        return tuple(sorted(found))

    def sudden(self) -> tuple[float, ...]:
        """Those at which something changes at once, or within seconds."""
        found = {self.begin_s, self.calm_s, *self._events()}
        for curve in self._curves():
            found.update(curve.sudden())
        return tuple(sorted(found))

    def _curves(self) -> list[Curve]:
        loads = [curve for source in self.sources for curve in (source.rate, source.cost)]
        return [self.growth, self.slowness, *(curve for _, curve in self.speed), *loads]

    def _events(self) -> list[float]:
        hangs = [t for source in self.sources for t, _, _ in source.hangs]
        gaps = [t for gap in self.gaps for t in (gap.begin_s, gap.end_s)]
        return [*(h.at_s for h in self.handovers), *(t for t, _ in self.builds), *hangs, *gaps]


def spread(partitions: int, chosen: tuple[int, ...] | None = None) -> Floats:
    """Equal shares over the `chosen` partitions, over all by default."""
    share = np.zeros(partitions)
    share[list(chosen) if chosen is not None else slice(None)] = 1.0
    even: Floats = share / share.sum()
    return even


def hashed(partitions: int, keys: int, rng: np.random.Generator) -> Floats:
    """Shares of a token whose `keys` are hashed to partitions and are equally busy."""
    return rng.multinomial(keys, np.full(partitions, 1 / partitions)).astype(np.float64) / keys


@dataclass(frozen=True, slots=True)
class Truth:
    """Who is to blame, by token id."""

    spans: dict[int, tuple[Span, ...]] = field(default_factory=dict)
    """token id -> when it is to blame"""

    def blamed(self, token: int, at_s: float, grace_s: float = 0.0) -> bool:
        """Is the token to blame at `at_s`, or was it within `grace_s` before?"""
        return any(begin <= at_s < end + grace_s for begin, end in self.spans.get(token, ()))
