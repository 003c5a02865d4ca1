"""What one plan and seed bring from outside, the same for whoever plays: the population, its arrivals, and what scouts would count of it."""

import base64
from typing import Final

import numpy as np
from datasketches import hll_sketch

from isolator.simulate.plan import Plan
from isolator.simulate.population import Arrivals, Population, stream
from isolator.simulate.settings import Settings

SKETCHES: Final = 8
SKETCH_S: Final = 5.0
LG_K: Final = 12
FAR_S: Final = 1e8
"""A moment that no run reaches."""


class Nature:
    """Shared by runs that are compared, it draws each interval once (`keep` remembers the draws: about 40 kB a second of a run with 5,000 events a second).

    A run's result does not depend on whether its nature was shared.
    """

    def __init__(self, plan: Plan, settings: Settings, seed: int, *, keep: bool = False) -> None:
        self.plan, self.settings, self.seed = plan, settings, seed
        self.population = Population.draw(settings, plan, stream(seed, 0, 0))
        self.arrivals = Arrivals(self.population, settings, plan, seed, keep=keep)
        self.sketches = self._sketches()

    def _sketches(self) -> tuple[str, ...]:
        """Distinct-count sketches of a few intervals of the background, sent in turn: their union is what half a minute of scouts would send."""
        arrivals = Arrivals(self.population, self.settings, self.plan, self.seed)
        found = []
        for number in range(SKETCHES):
            sketch = hll_sketch(LG_K)
            for token in np.unique(arrivals.draw(FAR_S + SKETCH_S * number, SKETCH_S).token).tolist():
                sketch.update(token)
            found.append(base64.b64encode(sketch.serialize_compact()).decode())
        return tuple(found)
