"""Objectives and evaluations as series, so that rules join targets and thresholds in and need not be written anew."""

from collections.abc import Mapping, Sequence
from math import inf
from typing import Final

from prometheus_client import CollectorRegistry, Counter

from slo import metrics
from slo.burn import State
from slo.evaluation import Evaluation
from slo.objective import Audience, Objective, Sli
from slo.store import Totals
from slo.windows import window_name

_STATES: Final = {State.OK: 0, State.FIRING: 1, State.FROZEN: 2}
_SHARE_WINDOW: Final = "1h"


class Exporter:
    """The `fairlane_slo_*` series of a registry; one thread publishes."""

    def __init__(self, registry: CollectorRegistry, objectives: Sequence[Objective]) -> None:
        """Register the series and set what never changes: targets, owners, thresholds."""
        self._sums = [
            (metrics.GOOD.counter(registry), "good"),
            (metrics.EXPECTED.counter(registry), "total"),
            (metrics.OBSERVED.counter(registry), "observed"),
        ]
        self._told: dict[tuple[str, str], int] = {}
        self._burn = metrics.BURN.gauge(registry)
        self._coverage = metrics.COVERAGE.gauge(registry)
        self._left = metrics.BUDGET_LEFT.gauge(registry)
        self._left_s = metrics.BUDGET_LEFT_SECONDS.gauge(registry)
        self._exhaustion = metrics.EXHAUSTION.gauge(registry)
        self._state = metrics.STATE.gauge(registry)
        self._severity = metrics.SEVERITY.gauge(registry)
        self._moved = metrics.MOVED_RATIO.gauge(registry)
        self._evaluated = metrics.LAST_EVALUATION.gauge(registry)
        target, info, threshold = (
            metrics.TARGET.gauge(registry),
            metrics.INFO.gauge(registry),
            metrics.THRESHOLD.gauge(registry),
        )
        self._labels = {o.name: (o.name, o.pipeline, str(o.population)) for o in objectives}
        for o in objectives:
            target.labels(*self._labels[o.name]).set(float(o.target))
            info.labels(*self._labels[o.name], str(o.sli), o.owner, o.runbook).set(1)
            for pair in o.pairs:
                for side, window in (("long", pair.long_s), ("short", pair.short_s)):
                    threshold.labels(o.name, window_name(window), str(pair.tier), pair.name, side).set(
                        float(pair.factor)
                    )

    def publish(self, evaluations: Sequence[Evaluation], totals: Mapping[str, Totals]) -> None:
        """Show what an evaluation found, and the sums that the counters stand for."""
        for e in evaluations:
            labels = self._labels[e.slo]
            for pair in e.pairs:
                for window, burn, coverage in (
                    (pair.long_window, pair.long_burn, pair.long_coverage),
                    (pair.short_window, pair.short_burn, pair.short_coverage),
                ):
                    self._burn.labels(e.slo, window).set(burn or 0.0)
                    self._coverage.labels(e.slo, window).set(
                        coverage if coverage is not None else float(e.observed_s > 0)
                    )
            self._left.labels(*labels).set(e.budget_left)
            self._left_s.labels(*labels).set(e.budget_left_s)
            self._exhaustion.labels(*labels).set(inf if e.exhaustion_s is None else e.exhaustion_s)
            self._state.labels(*labels).set(_STATES[e.state])
            self._severity.labels(*labels).set(e.severity.rank)
            if e.slo in totals:
                for counter, name in self._sums:
                    self._advance(counter, labels, name, getattr(totals[e.slo].slice, name))
        self._shares(evaluations)
        if evaluations:
            self._evaluated.set(max(e.at_ms for e in evaluations) / 1000)

    def _advance(self, counter: Counter, labels: tuple[str, str, str], name: str, value: int) -> None:
        """A counter never goes back: after a revision downwards it waits until the sum has caught up."""
        told = self._told.get((labels[0], name), 0)
        series = counter.labels(*labels)
        if value > told:
            series.inc(value - told)
            self._told[labels[0], name] = value

    def _shares(self, evaluations: Sequence[Evaluation]) -> None:
        counts: dict[str, dict[str, int]] = {}
        for e in evaluations:
            hour = next((p.total for p in e.pairs if p.long_window == _SHARE_WINDOW), 0)
            if e.sli == Sli.FRESHNESS:
                counts.setdefault(e.pipeline, {})[e.population] = hour
        for pipeline, by in counts.items():
            moved, whole = by.get(Audience.MOVED, 0), by.get(Audience.ALL, 0)
            self._moved.labels(pipeline).set(min(moved / whole, 1.0) if whole else 0.0)
