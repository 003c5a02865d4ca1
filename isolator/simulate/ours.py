"""The production policy as a contender: its Brain, fed with telemetry and asked every five seconds, as the controller does it."""

from typing import Final

import numpy as np

from ingestion.contracts.names import Lane
from ingestion.contracts.routes import Mode
from isolator.baseline import Baseline
from isolator.brain import Brain, Record
from isolator.constants import Policy
from isolator.interner import Interner
from isolator.observe import Observer
from isolator.simulate.contender import Orders, Reports, Site
from isolator.state import StateView
from isolator.sums import Sums
from isolator.verdict import Verdict

PIPELINE: Final = "simulated"
NAME: Final = "fairlane"


class Unwritten(Brain):
    """The brain without the snapshots that production writes to Kafka each minute: nobody would read them."""

    def snapshot(self, now_ms: int) -> list[Record]:
        """None."""
        self._snapshot_ms = now_ms
        return []


class Fairlane:
    """Production's decisions in mode `auto`, with a day of baselines learned (the site's). A Maker: `Fairlane`, or a partial of it with another policy."""

    def __init__(
        self, site: Site, policy: Policy | None = None, name: str = NAME, *, moves_backlog: bool = True
    ) -> None:
        self.name = name
        self.moves_backlog = moves_backlog
        self._policy = policy or Policy(slo_s=site.slo_s)
        self.tick_s = self._policy.tick_s
        interner = Interner()
        interner.ids(site.names)
        measured = (
            Observer(PIPELINE, self._policy, interner),
            Baseline(self._policy, interner, learned(site, self._policy)),
        )
        self._ids = interner.by_name
        self.brain = Unwritten(StateView(PIPELINE), self._policy, Mode.AUTO, measured)
        self.verdicts: list[Verdict] = []
        """Everything new that it has said."""
        self._lanes: dict[str, Lane] = {}
        self._limits: dict[int, float] = {}

    def see(self, reports: Reports) -> None:
        """Fold telemetry."""
        now_ms = round(reports.at_s * 1000)
        some = (reports.arrivals, *reports.workers, reports.probe)
        for report in some:
            if report is not None:
                self.brain.observer.fold(report, now_ms)

    def tick(self, now_s: float) -> Orders:
        """Decide; what changed in the routes is the order."""
        now_ms = round(now_s * 1000)
        self.verdicts += self.brain.tick(now_ms).new
        before = self._lanes
        state = self.brain.state
        now = {token: route.lane for token, route in state.moved().items()}
        self._lanes = now
        limits = {
            self._ids[token]: limit
            for token, route in state.limited().items()
            if (limit := route.limit_at(now_ms)) is not None
        }
        changed, self._limits = limits != self._limits, limits
        return Orders(
            self._to(now, before, Lane.OVERFLOW),
            self._to(now, before, Lane.QUARANTINE),
            tuple(self._ids[token] for token in sorted(before) if token not in now),
            limits if changed else None,
        )

    def _to(self, now: dict[str, Lane], before: dict[str, Lane], lane: Lane) -> tuple[int, ...]:
        return tuple(self._ids[t] for t, to in sorted(now.items()) if to is lane and before.get(t) is not lane)


def learned(site: Site, policy: Policy) -> Sums:
    """What calm days would have taught: the site's rates and costs, with the spread that a steady tenant has."""
    rate, cost = np.asarray(site.learned_rate, dtype=np.float64), np.asarray(site.learned_cost, dtype=np.float64)
    seconds, ticks = site.learned_s, site.learned_s / policy.tick_s
    mean = rate * policy.tick_s
    events = rate * seconds
    squares = (mean + mean**2 * (1.0 + 1.0 / policy.dispersion)) * ticks
    sums = Sums(events, squares, events.copy(), events * cost, seconds, ticks, float(events.sum()))
    active = np.count_nonzero(rate > 0)
    # tokens that are seen within the minute in which the active ones are counted
    sums.active_s = float((1.0 - np.exp(-rate * 45.0)).sum()) * seconds if active else seconds
    sums.warm = seconds >= policy.warm_s * 0.7
    return sums
