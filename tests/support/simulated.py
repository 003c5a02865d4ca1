"""Small simulated pipelines for tests."""

from collections.abc import Sequence

import numpy as np

from isolator.simulate.contender import Orders, Reports, Site
from isolator.simulate.curve import Curve
from isolator.simulate.plan import Plan, Source, spread
from isolator.simulate.recorder import Recorder
from isolator.simulate.settings import Settings
from isolator.simulate.world import World

SMALL = Settings(partitions=4, slots=2, capacity=1.0, side_slots=1, tokens=50, rate=100.0, noise=False)


def source(
    name: str = "x",
    rate: Curve | float = 10.0,
    cost: float = 0.01,
    share: Sequence[float] = (1, 0, 0, 0),
    culprit: tuple[tuple[float, float], ...] = (),
    learned: float = 0.0,
) -> Source:
    """A token; `share` by partition."""
    load = Curve.flat(rate) if isinstance(rate, float | int) else rate
    return Source(name, load, Curve.flat(cost), np.array(share, dtype=np.float64), 10, learned, cost, culprit)


def plan(*sources: Source, calm: float = 100.0, utilisation: float = 0.01, **more: object) -> Plan:
    """A plan of two hundred seconds."""
    return Plan(0.0, calm, 200.0, sources, utilisation=utilisation, **more)  # type: ignore[arg-type]


def recorded(of: Plan, settings: Settings = SMALL, **options: bool) -> tuple[World, Recorder]:
    """A world and a recorder that takes the sources for culprits where the plan does."""
    culprits = np.zeros(settings.tokens + of.extra, dtype=np.bool_)
    culprits[[settings.tokens + i for i, s in enumerate(of.sources) if s.culprit]] = True
    recorder = Recorder(culprits, (0.0, 1e9), settings.slo_s)
    return World(of, settings, 1, [recorder], **options), recorder


def run(world: World, seconds: float, step: float = 1.0) -> None:
    """Let it work for so long."""
    until = world.now_s + seconds
    while world.now_s < until - 1e-9:
        world.advance(world.second(min(step, until - world.now_s)))


class Script:
    """A contender that gives prepared orders: (seconds from the start, Orders)."""

    name = "script"
    tick_s = 5.0
    moves_backlog = True

    def __init__(self, site: Site, orders: Sequence[tuple[float, Orders]] = (), *, reroutes: bool = False) -> None:
        self.site = site
        self.seen: list[Reports] = []
        self.heard: list[tuple[float, float]] = []
        """(moment of a tick, end of the newest interval that had been told by then), Unix seconds"""
        self.moves_backlog = not reroutes
        self._orders = list(orders)
        self._began: float | None = None

    def see(self, reports: Reports) -> None:
        self.seen.append(reports)

    def tick(self, now_s: float) -> Orders:
        if self._began is None:
            self._began = now_s - self.tick_s
        if self.seen:
            self.heard.append((now_s, max(r.arrivals.at_ms for r in self.seen if r.arrivals is not None) / 1000))
        if self._orders and now_s - self._began >= self._orders[0][0]:
            return self._orders.pop(0)[1]
        return Orders()


__all__ = ["SMALL", "Script", "plan", "recorded", "run", "source", "spread"]
