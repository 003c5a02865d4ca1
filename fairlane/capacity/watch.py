"""The job: read what can be read, keep it, judge everything, publish it."""

import logging
from dataclasses import dataclass
from typing import Final

from prometheus_client import CollectorRegistry
from sqlalchemy import Engine

from fairlane.capacity.reading import Meter
from fairlane.capacity.watched import Watched, worst_first
from slo.capacity import metrics
from slo.capacity.cost import Cost, account
from slo.capacity.export import CapacityExporter
from slo.capacity.limit import DAY
from slo.capacity.standing import Standing, judge
from slo.capacity.store import Samples
from slo.clock import Clock
from slo.errors import Unreachable

HISTORY_S: Final = 120 * DAY
"""As far back as a forecast looks."""

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Round:
    """Everything at one time, worst first."""

    at_s: float
    standings: tuple[Standing, ...]
    costs: tuple[Cost, ...]


def look(samples: Samples, watched: Watched, at_s: float) -> Round:
    """How everything stands by the samples that are kept. Raises sqlalchemy.exc.SQLAlchemyError."""
    since = at_s - HISTORY_S
    standings = worst_first([judge(limit, samples.read(limit.name, since), at_s) for limit in watched.limits])
    costs = [account(budget, samples.read(budget.name, since), at_s) for budget in watched.budgets]
    return Round(at_s, standings, tuple(sorted(costs, key=lambda c: (-c.stage.rank, c.budget.name))))


class Watch:
    """Runs the job. One thread uses it."""

    def __init__(
        self, engine: Engine, watched: Watched, meter: Meter, clock: Clock, registry: CollectorRegistry
    ) -> None:
        self._samples = Samples(engine)
        self._watched = watched
        self._meter = meter
        self._clock = clock
        self._exporter = CapacityExporter(registry)
        self._errors = metrics.SAMPLE_ERRORS.counter(registry)
        for name in watched.names:
            self._errors.labels(name)

    def go(self) -> Round:
        """One round. A source that fails is counted and logged, the others go on. Raises sqlalchemy.exc.SQLAlchemyError."""
        now = self._clock.now()
        values: dict[tuple[str, int], float] = {}
        for name, source in self._watched.sources.items():
            try:
                value = self._meter.read(source, now)
            except Unreachable as error:
                self._errors.labels(name).inc()
                log.warning("capacity %s: %s; it is read again at the next time", name, error)
                continue
            if value is not None:
                values[name, int(now)] = value
        self._samples.put(values)
        self._samples.forget(now)
        found = look(self._samples, self._watched, now)
        self._exporter.publish(found.standings, found.costs, now)
        return found
