"""z > 6: a token is moved when its arrivals are six standard deviations above its own running mean. It has no gate: it judges rates, not lag."""

from typing import Final

import numpy as np

from isolator.interner import Bools, Floats
from isolator.simulate.contender import Orders, Reports, Site
from isolator.simulate.rivals.note import Note
from isolator.simulate.rivals.tally import Tally

LIMIT = 6.0
WINDOW_S = 10.0
MEMORY = 0.99
"""Kept of mean and variance from tick to tick: a half-life of six minutes."""
CALM_S = 60.0

NOTE: Final = Note(
    rule=f"The common rule of monitoring systems: a series that is {LIMIT:g} standard deviations above its running mean is anomalous.",
    sources=(),
    model=(
        f"An exponentially weighted mean and variance of each token's records in {WINDOW_S:.0f} s; over {LIMIT:g} deviations it is moved with its backlog, {CALM_S:.0f} s without "
        "an anomaly bring it back."
    ),
    kinder=(
        "It starts from the learned rates; a deviation is never taken for less than a Poisson process of that mean would have, nor for less than one record; what is out of "
        "bounds is not learned."
    ),
)


class ZScore:
    """One mean and variance of the records in a window for each token."""

    name = "z > 6"
    moves_backlog = True
    tick_s = 5.0

    def __init__(self, site: Site) -> None:
        tokens = len(site.names)
        self._tally = Tally(site)
        learned = np.asarray(site.learned_rate, dtype=np.float64)
        self._mean: Floats = WINDOW_S * (learned if len(learned) == tokens else np.zeros(tokens))
        self._variance: Floats = self._mean.copy()
        self._known: bool = len(learned) == tokens
        self._before: Floats = self._mean / 2
        self._high_at: Floats = np.full(tokens, -np.inf)
        self._moved: set[int] = set()

    def see(self, reports: Reports) -> None:
        """Fold."""
        self._tally.see(reports)

    def tick(self, now_s: float) -> Orders:
        """Judge the last two ticks' records, then learn them."""
        told = self._tally.take()
        if told.seconds <= 0:
            return Orders()
        now = np.zeros(len(self._mean))
        np.add.at(now, told.arrived.token, told.arrived.records * (self.tick_s / told.seconds))
        window, self._before = self._before + now, now
        if not self._known:
            self._mean, self._variance, self._known = 2 * now, 2 * now, True
            self._before = now
            return Orders()
        spread = np.sqrt(np.maximum(np.maximum(self._variance, self._mean), 1.0))
        z = (window - self._mean) / spread
        high = z > LIMIT
        self._high_at[high] = now_s
        self._learn(window, ~high)
        move = [int(i) for i in np.flatnonzero(high) if int(i) not in self._moved]
        home = [i for i in sorted(self._moved) if now_s - self._high_at[i] >= CALM_S]
        self._moved |= set(move)
        self._moved -= set(home)
        return Orders(move=tuple(move), restore=tuple(home))

    def _learn(self, window: Floats, normal: Bools) -> None:
        off = window - self._mean
        keep = np.where(normal, MEMORY, 1.0)
        self._mean = self._mean + (1 - keep) * off
        self._variance = keep * (self._variance + (1 - keep) * off**2)
