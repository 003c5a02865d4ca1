"""What an operator would know of a simulated pipeline before the run: its size, and what calm days taught of its tokens."""

from typing import Final

import numpy as np

from isolator.simulate.contender import Site
from isolator.simulate.population import stream
from isolator.simulate.world import World

LEARNED_S: Final = 7 * 86_400.0
"""How long the baselines were learned."""


def site(world: World) -> Site:
    """What every contender of a run on `world` knows beforehand: the configuration, and a week of calm."""
    settings, people = world.settings, world.population
    sources = world.plan.sources
    crowd = world.plan.crowd
    none = np.zeros(0)
    learned = np.concatenate((people.rate, [s.learned_rate for s in sources], crowd.learned_rate if crowd else none))
    names = [f"t-{i:06d}" for i in range(settings.tokens)] + [s.name for s in sources] + (crowd.names if crowd else [])
    # a week of counting leaves a little noise
    counted = stream(world.seed, 7, 0).poisson(learned * LEARNED_S) / LEARNED_S
    cost = np.concatenate(
        (
            people.cost,
            [s.learned_cost or world_cost(world) for s in sources],
            crowd.learned_cost if crowd else none,
        )
    )
    return Site(
        names,
        settings.partitions,
        settings.slots,
        settings.capacity,
        settings.slo_s,
        counted.tolist(),
        cost.tolist(),
        LEARNED_S,
    )


def world_cost(world: World) -> float:
    """Mean work of a background event."""
    people = world.population
    return float(people.rate @ people.cost / people.rate.sum())
