"""Objectives and evaluations as series, so that rules join targets and thresholds in and need not be written anew."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from math import inf
from typing import Final

from prometheus_client import CollectorRegistry
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily
from prometheus_client.registry import Collector

from slo import metrics
from slo.burn import State
from slo.catalogue import Metric
from slo.evaluation import Evaluation
from slo.objective import Audience, Objective, Sli
from slo.store import Totals
from slo.windows import window_name

_STATES: Final = {State.OK: 0, State.FIRING: 1, State.FROZEN: 2}
_SHARE_WINDOW: Final = "1h"
_SUMS: Final[tuple[tuple[Metric, Callable[[Totals], int]], ...]] = (
    (metrics.GOOD, lambda t: t.slice.good + t.revised),
    (metrics.EXPECTED, lambda t: t.slice.total + t.revised),
    (metrics.REVISIONS, lambda t: t.lately),
    (metrics.OBSERVED, lambda t: t.slice.observed + t.unseen),
)
"""Counters are what the database holds and nothing of this process: they neither go back nor begin anew with it."""
_Family = GaugeMetricFamily | CounterMetricFamily
_Labels = tuple[str, ...]


class Exporter(Collector):
    """The `fairlane_slo_*` series of a registry, made when they are scraped: a round costs nothing for what nobody reads. One thread publishes."""

    def __init__(self, registry: CollectorRegistry, objectives: Sequence[Objective]) -> None:
        """Register the series; targets, owners and thresholds are told from the first scrape on."""
        self._objectives = tuple(objectives)
        self._labels = {o.name: (o.name, o.pipeline, str(o.population)) for o in objectives}
        self._found: Sequence[Evaluation] = ()
        self._totals: Mapping[str, Totals] = {}
        self._sliced = frozenset(o.name for o in objectives if o.whole_s)
        registry.register(self)

    def publish(self, evaluations: Sequence[Evaluation], totals: Mapping[str, Totals]) -> None:
        """What the next scrape shows. Neither is changed afterwards."""
        self._found, self._totals = evaluations, totals

    def describe(self) -> list[_Family]:
        """Nothing: the names are catalogued, and asking for them must not cost a scrape."""
        return []

    def collect(self) -> Iterator[_Family]:
        """All series. Thread-safe: takes what was published last."""
        found, totals = list(self._found), self._totals
        yield from self._promises()
        yield from self._sums(found, totals)
        yield from self._pairs(found)
        for metric, value in (
            (metrics.BUDGET_LEFT, lambda e: e.budget_left),
            (metrics.BUDGET_LEFT_SECONDS, lambda e: e.budget_left_s),
            (metrics.EXHAUSTION, lambda e: inf if e.exhaustion_s is None else e.exhaustion_s),
            (metrics.STATE, lambda e: _STATES[e.state]),
            (metrics.SEVERITY, lambda e: e.severity.rank),
        ):
            yield _gauge(metric, ((self._labels[e.slo], value(e)) for e in found))
        yield _gauge(metrics.BAD_MINUTES, (((e.slo,), e.bad_minutes) for e in found if e.slo in self._sliced))
        yield _gauge(metrics.MOVED_RATIO, _shares(found))
        last = max((e.at_ms for e in found), default=0)
        yield _gauge(metrics.LAST_EVALUATION, [((), last / 1000)])

    def _promises(self) -> Iterator[_Family]:
        yield _gauge(metrics.TARGET, ((self._labels[o.name], float(o.target)) for o in self._objectives))
        late = ((o.name, max(o.late_s, o.whole_s)) for o in self._objectives)
        yield _gauge(metrics.LATE, (((name,), float(seconds)) for name, seconds in late if seconds))
        yield _gauge(
            metrics.INFO, (((*self._labels[o.name], str(o.sli), o.owner, o.runbook), 1.0) for o in self._objectives)
        )
        yield _gauge(
            metrics.THRESHOLD,
            (
                ((o.name, window_name(window), str(pair.tier), pair.name, side), float(pair.factor))
                for o in self._objectives
                for pair in o.pairs
                for side, window in (("long", pair.long_s), ("short", pair.short_s))
            ),
        )

    def _sums(self, found: Sequence[Evaluation], totals: Mapping[str, Totals]) -> Iterator[_Family]:
        for metric, counted in _SUMS:
            family = CounterMetricFamily(metric.name.removesuffix("_total"), metric.meaning, labels=metric.labels)
            for e in found:
                if e.slo in totals:
                    family.add_metric(self._labels[e.slo], counted(totals[e.slo]))
            yield family

    @staticmethod
    def _pairs(found: Sequence[Evaluation]) -> Iterator[_Family]:
        burns: dict[_Labels, float] = {}
        coverages: dict[_Labels, float] = {}
        for e in found:
            for p in e.pairs:
                for window, burn, coverage in (
                    (p.long_window, p.long_burn, p.long_coverage),
                    (p.short_window, p.short_burn, p.short_coverage),
                ):
                    burns[e.slo, window] = burn or 0.0
                    coverages[e.slo, window] = coverage if coverage is not None else float(e.observed_s > 0)
        yield _gauge(metrics.BURN, burns.items())
        yield _gauge(metrics.COVERAGE, coverages.items())


def _gauge(metric: Metric, samples: Iterable[tuple[_Labels, float]]) -> GaugeMetricFamily:
    family = GaugeMetricFamily(metric.name, metric.meaning, labels=metric.labels)
    for labels, value in samples:
        family.add_metric(labels, value)
    return family


def _shares(found: Sequence[Evaluation]) -> Iterator[tuple[_Labels, float]]:
    counts: dict[str, dict[str, int]] = {}
    for e in found:
        if e.sli == Sli.FRESHNESS:
            hour = next((p.total for p in e.pairs if p.long_window == _SHARE_WINDOW), 0)
            counts.setdefault(e.pipeline, {})[e.population] = hour
    for pipeline, by in counts.items():
        # not the moved ones' own hour, which ended when theirs were known
        whole = by.get(Audience.ALL, 0)
        kept = by.get(Audience.PROTECTED, whole)
        yield (pipeline,), max(1 - kept / whole, 0.0) if whole else 0.0
