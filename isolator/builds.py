"""Service time by build: is it the token that became slower, or the code?"""

import math
from collections.abc import Mapping
from typing import Final, Protocol

import numpy as np

from isolator.interner import Bools, Floats, Ints
from isolator.observation import BuildCost
from isolator.rates import Decayed

KEPT_S: Final = 600.0
"""A build that has not reported for so long is forgotten."""
MOST: Final = 8
"""Builds that are told apart; more than a rolling deploy ever has at once."""
ENOUGH_EVENTS: Final = 1.0
"""Decayed events of a token under a build from which its cost is believed."""


_STEPS: Final = 100
_SPAN: Final = 461


class Learned(Protocol):
    """What is known of a build: the usual cost ratio and the calm seconds behind it."""

    def build(self, name: str) -> tuple[float, float]:
        """(ratio, seconds); (1, 0) for a new one."""


class _Build:
    def __init__(self, half_life_s: float, at_s: float) -> None:
        self.handled, self.work = Decayed(half_life_s), Decayed(half_life_s)
        self.since_s = self.last_s = at_s


class Builds:
    """Decayed handled events and work by build and place."""

    def __init__(self, half_life_s: float) -> None:
        self._half_life_s = half_life_s
        self._builds: dict[str, _Build] = {}

    def add(
        self, name: str, at: Ints, handled: Floats, work: Floats, at_s: float, size: int, interval_s: float
    ) -> None:
        """What workers of a build did, by place."""
        build = self._builds.get(name)
        if build is None:
            if len(self._builds) >= MOST:
                del self._builds[min(self._builds, key=lambda n: (self._builds[n].last_s, n))]
            build = self._builds[name] = _Build(self._half_life_s, at_s)
        build.since_s, build.last_s = min(build.since_s, at_s), max(build.last_s, at_s)
        build.handled.add(at, handled, at_s, size, interval_s)
        build.work.add(at, work, at_s, size, interval_s)

    def advance(self, now_s: float) -> None:
        """Decay to `now_s`; forget builds that are gone."""
        self._builds = {name: b for name, b in self._builds.items() if now_s - b.last_s <= KEPT_S}
        for build in self._builds.values():
            build.handled.advance(now_s)
            build.work.advance(now_s)

    def keep(self, mask: Bools) -> None:
        """Move the places where `mask` is True together."""
        for build in self._builds.values():
            build.handled.keep(mask)
            build.work.keep(mask)

    def costs(self, rate: Floats, cost: Floats, learned: Learned, now_s: float) -> tuple[BuildCost, ...]:
        """Each build, oldest first. `rate` and `cost` (places,) are what is usual under all builds together."""
        size, found = len(rate), list[BuildCost]()
        works = {name: float(build.work.upto(size).sum()) for name, build in self._builds.items()}
        total = sum(works.values())
        for name, build in sorted(self._builds.items(), key=lambda item: (item[1].since_s, item[0])):
            handled = build.handled.upto(size)
            known = np.flatnonzero(handled >= ENOUGH_EVENTS)
            ratio = 1.0
            if len(known):
                measured = build.work.upto(size)[known] / handled[known]
                ratio = weighted_median(measured / np.maximum(cost[known], 1e-12), rate[known] * cost[known])
            usual, seconds = learned.build(name)
            share = works[name] / total if total > 0 else 0.0
            found.append(BuildCost(name, share, ratio, usual, seconds, max(now_s - build.since_s, 0.0)))
        return tuple(found)


def weighted_median(values: Floats, weights: Floats) -> float:
    """The value up to which half of the weight lies, to 1 %, from 0.01 to 100; 1 when nothing weighs anything."""
    steps = np.rint(np.log(np.maximum(values, 1e-9)) * _STEPS).astype(np.int64)
    upto = np.cumsum(np.bincount(np.clip(steps, -_SPAN, _SPAN) + _SPAN, weights, 2 * _SPAN + 1))
    if upto[-1] <= 0:
        return 1.0
    return math.exp((int(np.searchsorted(upto, upto[-1] / 2)) - _SPAN) / _STEPS)


class BuildBook:
    """What was learned of builds: a logarithm of the cost ratio, forgotten with an hour's half-life, because the baselines follow a new build within days."""

    HALF_LIFE_S: Final = 3600.0
    BELIEVED_S: Final = 300.0
    """Calm seconds from which a build's own ratio counts."""

    def __init__(self, known: Mapping[str, tuple[float, float]] | None = None) -> None:
        self._known: dict[str, tuple[float, float]] = dict(known or {})

    def learn(self, builds: tuple[BuildCost, ...], elapsed_s: float) -> None:
        """A calm tick under these builds."""
        for one in builds:
            if one.share <= 0 or one.ratio <= 0:
                continue
            # taken out and put back: the first is then the one that ran longest ago
            total, seconds = self._known.pop(one.name, (0.0, 0.0))
            fade = 0.5 ** (elapsed_s / self.HALF_LIFE_S)
            self._known[one.name] = (
                total * fade + math.log(one.ratio) * elapsed_s,
                seconds * fade + elapsed_s,
            )
        while len(self._known) > MOST:
            del self._known[next(iter(self._known))]

    def build(self, name: str) -> tuple[float, float]:
        """The usual ratio of a build and the calm seconds behind it; (1, 0) for a new one."""
        total, seconds = self._known.get(name, (0.0, 0.0))
        return (math.exp(total / seconds) if seconds > 0 else 1.0), seconds

    def factor(self, builds: tuple[BuildCost, ...]) -> float:
        """By how much the running builds' usual cost differs from the baselines', where there is evidence."""
        total = sum(b.share for b in builds)
        if total <= 0:
            return 1.0
        known = ((b.share, math.log(b.usual_ratio) if b.learned_s >= self.BELIEVED_S else 0.0) for b in builds)
        return math.exp(min(max(sum(share * log for share, log in known) / total, -2.0), 2.0))

    def as_dict(self) -> dict[str, tuple[float, float]]:
        """For the snapshot."""
        return dict(self._known)
