"""The cover that perfect knowledge would choose: the fewest culprits whose absence brings every consumer to the target, by integer programming on the true loads."""

from collections.abc import Sequence
from typing import Final

import numpy as np
from scipy.optimize import Bounds, LinearConstraint, milp

from isolator.interner import Floats
from isolator.simulate.plan import Plan
from isolator.simulate.settings import Settings
from isolator.simulate.sums import summed

TARGET_RHO: Final = 0.8
"""Utilisation that a cover must reach on every overloaded consumer (the design's step 5)."""
AGAIN: Final = 1e-3
"""What it costs to choose a token that was chosen before, in tokens."""
LOOK_S: Final = 15.0
"""Seconds between looks while a load changes gradually."""


def smallest(gains: Floats, needs: Floats, price: Floats) -> tuple[int, ...]:
    """Indices of the cheapest set that covers `needs` (constraints,) by `gains` (candidates, constraints); needs beyond all candidates' reach are covered as far
    as they go. Ties go to the lower index.
    """
    reach = np.minimum(needs, gains.sum(axis=0) * (1 - 1e-9))
    open_ = reach > 1e-9
    if not open_.any():
        return ()
    tie = 1e-6 * np.arange(len(price))
    solved = milp(
        price + tie,
        constraints=LinearConstraint(gains[:, open_].T, lb=reach[open_]),
        integrality=np.ones(len(price), dtype=np.int64),
        bounds=Bounds(0, 1),
    )
    assert solved.x is not None, "all candidates together cover what is within their reach"
    return tuple(int(i) for i in np.flatnonzero(solved.x > 0.5))


class Oracle:
    """Knows the plan: true loads by consumer at any time, when a consumer is overloaded, and who had to be moved."""

    def __init__(self, plan: Plan, settings: Settings, background: Floats) -> None:
        """`background` (slots,) is the background's work/s on each general slot at growth 1."""
        self._plan, self._settings, self._background = plan, settings, background
        slot_of = np.arange(settings.partitions) % settings.slots
        self._slot_share = [summed(slot_of, s.share, settings.slots) for s in plan.sources]

    def loads(self, t: float) -> tuple[Floats, Floats]:
        """Work/s on each slot (slots,), and each source's part of it (sources, slots), at `t`."""
        slow = self._plan.slowness.at(t)
        parts = [
            share * (s.rate.at(t) * s.cost.at(t)) for s, share in zip(self._plan.sources, self._slot_share, strict=True)
        ]
        mine = np.array(parts).reshape(len(parts), self._settings.slots)
        return (self._background * self._plan.growth.at(t) + mine.sum(axis=0)) * slow, mine * slow

    def overloaded(self, t: float) -> list[int]:
        """Slots whose true demand exceeds their capacity, or that a record occupies, at `t`."""
        total, _ = self.loads(t)
        speed = np.ones(self._settings.slots)
        for slot, curve in self._plan.speed:
            speed[slot] = curve.at(t)
        hot = set(np.flatnonzero(total > self._settings.capacity * speed).tolist())
        for source in self._plan.sources:
            hot |= {p % self._settings.slots for at, seconds, p in source.hangs if at <= t < at + seconds}
        return sorted(hot)

    def onsets(self) -> dict[int, float]:
        """Source number -> when a consumer that it loads is first overloaded while it is to blame; those that never overload anything are left out."""
        found: dict[int, float] = {}
        for number, source in enumerate(self._plan.sources):
            for begin, end in source.culprit:
                at = next((t for t in self._looks(begin, end) if self._hits(number, t)), None)
                if at is not None:
                    found[number] = at
                    break
        return found

    def episodes(self, number: int) -> list[tuple[float, float]]:
        """(onset, end) of each of the source's spans in which it overloads a consumer."""
        found = []
        for begin, end in self._plan.sources[number].culprit:
            at = next((t for t in self._looks(begin, end) if self._hits(number, t)), None)
            if at is not None:
                found.append((at, end))
        return found

    def _hits(self, number: int, t: float) -> bool:
        share = self._slot_share[number]
        return any(share[slot] > 0 for slot in self.overloaded(t))

    def _looks(self, begin: float, end: float) -> Sequence[float]:
        return np.arange(begin, end, 1.0).tolist()

    def cover(self) -> tuple[int, ...]:
        """Source numbers that had to be moved at some time: the smallest cover at every change of load, keeping to those already chosen."""
        times = sorted(
            {t for t in self._plan.times() if t < self._plan.end_s}
            | set(np.arange(self._plan.begin_s, self._plan.calm_s, LOOK_S).tolist())
        )
        chosen: list[int] = []
        for t in times:
            guilty = [n for n, s in enumerate(self._plan.sources) if any(begin <= t < end for begin, end in s.culprit)]
            if not guilty:
                continue
            hanging = [n for n in guilty if any(at <= t < at + long for at, long, _ in self._plan.sources[n].hangs)]
            chosen += [n for n in hanging if n not in chosen]
            total, mine = self.loads(t)
            hot = total > self._settings.capacity
            needs = np.where(hot, total - TARGET_RHO * self._settings.capacity, 0.0)
            if not hot.any():
                continue
            price = np.array([AGAIN if n in chosen else 1.0 for n in guilty])
            chosen += [n for i in smallest(mine[guilty], needs, price) if (n := guilty[i]) not in chosen]
        return tuple(chosen)
