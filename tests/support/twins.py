"""Two evaluations of the same minutes: the database judges at every step, promtool executes the rules on what was scraped in those very steps."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml
from prometheus_client import CollectorRegistry

from alerts import burn
from alerts.config import AlertSettings
from alerts.render import to_yaml
from alerts.rules import ONCALL_BOARD, own_windows, windows
from fairlane.database import open_database
from slo import metrics
from slo.clock import ManualClock
from slo.evaluation import Evaluation
from slo.export import Exporter
from slo.objective import Objective
from slo.round import Rounds
from slo.store import Booking, SliceStore
from tests.support.promtool import Series, run

STEP_S = 30
"""Seconds between scrapes, and between evaluations of both."""
_READ = (
    *(metrics.TARGET, metrics.THRESHOLD, metrics.COVERAGE, metrics.LAST_EVALUATION, metrics.BURN),
    *(metrics.GOOD, metrics.EXPECTED, metrics.REVISIONS, metrics.OBSERVED, metrics.LATE, metrics.BAD_MINUTES),
)
_NAMES = frozenset(metric.name for metric in _READ)
Told = Callable[[float], Sequence[Booking]]


@dataclass
class Twins:
    """What both saw: evaluations by second since the begin, and every series that a rule reads, a sample each step."""

    objectives: Sequence[Objective]
    evaluations: dict[int, Mapping[str, Evaluation]] = field(default_factory=dict)
    scraped: dict[tuple[str, tuple[tuple[str, str], ...]], list[str]] = field(default_factory=dict)

    def scrape(self, registry: CollectorRegistry, begin: float) -> None:
        """One sample of each series; what is not there any more, or not yet, has none."""
        steps = len(self.evaluations)
        for family in registry.collect():
            for sample in family.samples:
                if sample.name in _NAMES:
                    values = self.scraped.setdefault((sample.name, tuple(sample.labels.items())), [])
                    values.extend("_" for _ in range(steps - 1 - len(values)))
                    # promtool's time begins at 0
                    shift = begin if sample.name == metrics.LAST_EVALUATION.name else 0.0
                    values.append(repr(sample.value - shift))

    def series(self) -> list[Series]:
        """As promtool reads them."""
        return [Series(name, dict(labels), " ".join(values)) for (name, labels), values in self.scraped.items()]

    def check(self, directory: Path, wanted: Sequence[tuple[int, str, Mapping[str, float]]]) -> None:
        """At each second since the begin the expression gives these values by the label `pair`, and nothing else. Fails with promtool's words."""
        # the other rules would read none of these series, and take half of the time
        groups = burn.groups(windows(own_windows(self.objectives)), ONCALL_BOARD)
        text = to_yaml({"groups": [group.body(AlertSettings()) for group in groups]})
        (directory / "rules.yml").write_text(text, encoding="utf-8")
        tests = [
            {
                "expr": expr,
                "eval_time": f"{at}s",
                "exp_samples": [
                    {"labels": Series("", {"pair": pair}, "").text(), "value": n} for pair, n in values.items()
                ],
            }
            for at, expr, values in wanted
        ]
        body: dict[str, Any] = {
            "rule_files": ["rules.yml"],
            "evaluation_interval": f"{STEP_S}s",
            "tests": [
                {
                    "interval": f"{STEP_S}s",
                    "input_series": [{"series": one.text(), "values": one.values} for one in self.series()],
                    "promql_expr_test": tests,
                }
            ],
        }
        (directory / "test.yml").write_text(yaml.safe_dump(body, sort_keys=False, width=10_000), encoding="utf-8")
        run("test", "rules", str(directory / "test.yml"))


def live(objectives: Sequence[Objective], told: Told, begin: int, seconds: int, restarts: Sequence[int] = ()) -> Twins:
    """Book what `told` gives at each step (Unix seconds), evaluate, scrape. At `restarts` (seconds since the begin) the process begins anew on the same database."""
    engine = open_database("sqlite://")
    clock, twins = ManualClock(begin), Twins(objectives)
    try:
        store = SliceStore(engine, clock)
        for at in range(0, seconds, STEP_S):
            if at == 0 or at in restarts:
                registry = CollectorRegistry()
                exporter, rounds = Exporter(registry, objectives), Rounds(engine, objectives, clock)
            store.book(told(clock.now()))
            found = rounds.go()
            exporter.publish(found, store.totals())
            twins.evaluations[at] = {e.slo: e for e in found}
            twins.scrape(registry, begin)
            clock.advance(STEP_S)
    finally:
        engine.dispose()
    return twins
