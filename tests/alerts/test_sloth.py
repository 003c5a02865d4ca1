"""Against Sloth: the same windows, factors and thresholds for the same objective, and a number of rules that does not grow.

The expected values are those that Sloth publishes: its generated example `examples/_gen/getting-started.yml` (99.9 % over 30 days) and its window catalogue
`internal/alert/windows/google-28d.yaml`, whose factor is share of the budget * period / long window (github.com/slok/sloth, Apache-2.0).
"""

from decimal import Decimal
from fractions import Fraction
from pathlib import Path

import pytest
from prometheus_client import CollectorRegistry

from alerts import burn
from alerts.config import AlertSettings
from alerts.rules import groups, rules
from slo import metrics
from slo.export import Exporter
from slo.objective import Objective, Sli
from slo.windows import Tier
from tests.support.promtool import Series, check_samples

SLOTH_30_DAYS = {
    # (tier, short, long): factor, and the error ratio over which it alerts at 99.9 %
    ("page", "5m", "1h"): (14.4, 14.4 * 0.0009999999999999432),
    ("page", "30m", "6h"): (6.0, 6 * 0.0009999999999999432),
    ("ticket", "2h", "1d"): (3.0, 3 * 0.0009999999999999432),
    ("ticket", "6h", "3d"): (1.0, 1 * 0.0009999999999999432),
}
SLOTH_28_DAYS = {
    ("page", "5m", "1h"): 0.02 * 28 * 24,
    ("page", "30m", "6h"): 0.05 * 28 * 24 / 6,
    ("ticket", "2h", "1d"): 0.10 * 28,
    ("ticket", "6h", "3d"): 0.10 * 28 / 3,
}
SLOTH_RULES = 8 + 7 + 2
"""SLI recordings, metadata recordings and alerts of one objective in that example."""
SLOTH_WINDOWS = ("5m", "30m", "1h", "2h", "6h", "1d", "3d")


def objective(days: int = 30, target: str = "0.999", name: str = "myservice") -> Objective:
    return Objective(name, "p", Sli.EXTERNAL, Decimal(target), 0, window_days=days)


def exported(one: Objective) -> dict[tuple[str, str, str], float]:
    """(tier, short, long) to the factor that a scrape shows."""
    registry = CollectorRegistry()
    Exporter(registry, [one])
    sides: dict[str, dict[str, tuple[str, str, float]]] = {}
    for family in registry.collect():
        for sample in family.samples:
            if sample.name == metrics.THRESHOLD.name:
                row = sample.labels
                sides.setdefault(row["pair"], {})[row["side"]] = (row["tier"], row["window"], sample.value)
    return {
        (pair["long"][0], pair["short"][1], pair["long"][1]): pair["long"][2]
        for pair in sides.values()
        if pair["long"][2] == pair["short"][2]
    }


def test_windows_and_factors_of_thirty_days_are_sloths() -> None:
    assert exported(objective()) == {pair: factor for pair, (factor, _) in SLOTH_30_DAYS.items()}


def test_the_error_ratios_that_alert_are_sloths() -> None:
    one = objective()
    allowed = 1 - Fraction(one.target)
    ours = {(str(pair.tier), pair.name): float(pair.factor * allowed) for pair in one.pairs}
    theirs = {(tier, f"{long}/{short}"): ratio for (tier, short, long), (_, ratio) in SLOTH_30_DAYS.items()}
    assert ours == pytest.approx(theirs, rel=1e-9)


def test_the_factors_of_twenty_eight_days_are_sloths() -> None:
    assert exported(objective(28)) == pytest.approx(SLOTH_28_DAYS, rel=1e-12)


def test_the_same_windows_are_recorded() -> None:
    recorded = [
        rule.labels["window"]
        for group in groups()
        for rule in group.rules
        if getattr(rule, "record", "") == burn.ERRORS
    ]
    assert tuple(recorded) == SLOTH_WINDOWS


def test_our_rules_are_constant_where_sloths_grow() -> None:
    ours = sum(len(group.rules) for group in groups())
    for objectives in (1, 100, 10_000):
        print(f"{objectives:>6} objectives: {ours} rules here, {SLOTH_RULES * objectives} with Sloth")
    assert ours <= 60
    assert {tier for tier, *_ in SLOTH_30_DAYS} == {str(tier) for tier in Tier}


@pytest.mark.prometheus
@pytest.mark.parametrize(
    ("bad", "fires"),
    [("0.0145", ["page"]), ("0.0143", [])],
    ids=["just over 14.4 times the budget", "just under it"],
)
def test_the_rules_alert_where_sloths_expression_does(tmp_path: Path, bad: str, fires: list[str]) -> None:
    # one error ratio over all time: Sloth's two windows of the fast pair give `bad`, so do ours
    labels = {"slo": "myservice", "pipeline": "p", "population": "all"}
    total = 1_000_000
    good = round(total * (1 - float(bad)))
    fast = {"slo": "myservice", "tier": "page", "pair": "1h/5m"}
    series = [
        Series(metrics.GOOD.name, labels, f"0+{good}x140"),
        Series(metrics.EXPECTED.name, labels, f"0+{total}x140"),
        Series(metrics.REVISIONS.name, labels, "0x140"),
        Series(metrics.TARGET.name, labels, "0.999x140"),
        Series(metrics.LAST_EVALUATION.name, {}, "0+30x140"),
    ]
    for side, window in (("long", "1h"), ("short", "5m")):
        series.append(Series(metrics.THRESHOLD.name, {**fast, "window": window, "side": side}, "14.4x140"))
        series.append(Series(metrics.COVERAGE.name, {"slo": "myservice", "window": window}, "1x140"))
    ours = f'ALERTS{{alertname="{burn.PAGE}",alertstate="firing"}}'
    theirs = " and ".join(
        f"((1 - increase({metrics.GOOD.name}[{w}]) / increase({metrics.EXPECTED.name}[{w}])) > (14.4 * 0.0009999999999999432))"
        for w in ("5m", "1h")
    )
    wanted = 1 if fires else None
    check_samples(
        tmp_path, rules(AlertSettings()), series, "65m", {f"count({ours})": wanted, f"count({theirs})": wanted}
    )
