"""Capacity as series, made at the scrape from what was judged last."""

from collections.abc import Iterable, Iterator, Sequence
from math import inf
from typing import Final

from prometheus_client import CollectorRegistry
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.registry import Collector

from slo.capacity import metrics
from slo.capacity.cost import Cost
from slo.capacity.standing import Standing
from slo.catalogue import Metric

_Labels = tuple[str, ...]
BOUNDS: Final = ("early", "likely", "late")


class CapacityExporter(Collector):
    """The `fairlane_capacity_*` and `fairlane_cost_*` gauges of a registry. One thread publishes."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self._found: tuple[Sequence[Standing], Sequence[Cost], float] = ((), (), 0.0)
        registry.register(self)

    def publish(self, standings: Sequence[Standing], costs: Sequence[Cost], at_s: float) -> None:
        """What the next scrape shows: what was found at `at_s`."""
        self._found = standings, costs, at_s

    def describe(self) -> list[GaugeMetricFamily]:
        """Nothing: the names are catalogued, and asking for them must not cost a scrape."""
        return []

    def collect(self) -> Iterator[GaugeMetricFamily]:
        """All series. Thread-safe: takes what was published last."""
        standings, costs, at_s = self._found
        limits = [(s, (s.limit.name,)) for s in standings]
        yield _family(
            metrics.INFO,
            (((s.limit.name, s.limit.owner, s.limit.project, s.limit.unit), 1.0) for s in standings),
        )
        yield _family(metrics.CURRENT, ((name, s.current) for s, name in limits))
        yield _family(
            metrics.LEVEL,
            (
                ((*name, level), value)
                for s, name in limits
                for level, value in (("trigger", s.limit.trigger), ("critical", s.limit.critical))
            ),
        )
        yield _family(metrics.LEAD_TIME, ((name, s.limit.lead_s) for s, name in limits))
        yield _family(
            metrics.BREACH,
            (((*name, b), at) for s, name in limits for b, at in zip(BOUNDS, _breach(s), strict=True)),
        )
        yield _family(metrics.SLACK, ((name, _slack(s)) for s, name in limits))
        yield _family(metrics.STATE, ((name, float(s.stage.code)) for s, name in limits))
        yield _family(metrics.SAMPLED, ((name, s.sampled_s) for s, name in limits))
        yield _family(metrics.LAST_RUN, [((), at_s)] if at_s else [])
        budgets = [(c, (c.budget.name,)) for c in costs]
        yield _family(metrics.COST_INFO, (((*name, c.budget.owner, c.budget.currency), 1.0) for c, name in budgets))
        yield _family(metrics.COST_SPENT, ((name, c.spent_ratio) for c, name in budgets))
        yield _family(metrics.COST_FORECAST, ((name, c.forecast_ratio) for c, name in budgets))
        yield _family(metrics.COST_WEEK, ((name, c.week) for c, name in budgets))


def _breach(s: Standing) -> tuple[float | None, ...]:
    """Early, likely, late; nothing while unknown, +Inf beyond the horizon."""
    if s.current is None:
        return (None,) * 3
    if s.current >= s.limit.critical:
        return (s.at_s,) * 3
    if s.forecast is None:
        return (None,) * 3
    return tuple(
        inf if at is None else float(at) for at in (s.forecast.early_s, s.forecast.likely_s, s.forecast.late_s)
    )


def _slack(s: Standing) -> float | None:
    if s.slack_s is not None or s.forecast is None or s.current is None:
        return s.slack_s
    return inf


def _family(metric: Metric, samples: Iterable[tuple[_Labels, float | None]]) -> GaugeMetricFamily:
    family = GaugeMetricFamily(metric.name, metric.meaning, labels=metric.labels)
    for labels, value in samples:
        if value is not None:
            family.add_metric(labels, value)
    return family
