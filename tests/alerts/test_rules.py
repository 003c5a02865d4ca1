"""The rule file: complete, catalogued, constant in size, the same bytes each time."""

from decimal import Decimal
from fractions import Fraction
from pathlib import Path

import pytest
import yaml

from alerts.burn import RECORDED
from alerts.config import AlertSettings
from alerts.model import Recording, Tier
from alerts.rules import MOST, alerts, groups, own_windows, recordings, rules, windows
from dashboards.build import boards
from slo.errors import ConfigError
from slo.objective import Objective, Sli
from slo.windows import Pair
from slo.windows import Tier as SloTier
from tests.support.catalogue import known_series
from tests.support.promql import problems
from tests.support.promtool import check_rules


@pytest.mark.parametrize(
    "rule",
    [rule for group in groups() for rule in group.rules],
    ids=lambda r: r.record if isinstance(r, Recording) else r.name,
)
def test_a_rule_names_only_catalogued_metrics_and_their_labels(rule) -> None:
    known = known_series()
    known = {name: labels | {"source"} if "label_replace" in rule.expr else labels for name, labels in known.items()}
    assert problems(rule.expr, known) == []


def test_a_metric_that_nobody_catalogued_is_found() -> None:
    known = known_series()
    assert problems("rate(fairlane_made_up_total[5m])", known) == ["fairlane_made_up_total is not catalogued"]
    assert problems('fairlane_slo_target{lane="general"}', known) == ["fairlane_slo_target has no label lane"]
    assert problems("sum by (partition) (fairlane_slo_target)", known) != []
    assert problems("sum by (", known) != []


def test_every_alert_says_all_that_a_tired_person_needs() -> None:
    settings = AlertSettings(
        runbooks="https://docs.example/runbooks/{alert}.md", grafana="https://grafana.example", owner="streams"
    )
    for alert in alerts():
        body = alert.body(settings)
        assert body["labels"] == {"tier": str(alert.tier), "area": alert.area, "owner": "streams"}
        assert body["annotations"]["runbook_url"] == f"https://docs.example/runbooks/{alert.name}.md"
        assert body["annotations"]["dashboard_url"] == f"https://grafana.example/d/{alert.dashboard}"
        assert body["annotations"]["summary"]
        assert len(body["annotations"]["description"]) > 20


def test_the_boards_that_alerts_link_to_exist() -> None:
    assert {alert.dashboard for alert in alerts()} <= set(boards())


def test_alert_names_are_unique_and_ours() -> None:
    names = [alert.name for alert in alerts()]
    assert len(set(names)) == len(names)
    assert all(name.startswith("Fairlane") for name in names)


def test_only_the_watchdog_is_a_heartbeat() -> None:
    assert [alert.name for alert in alerts() if alert.tier is Tier.HEARTBEAT] == ["FairlaneWatchdog"]


def test_moves_notify_and_never_page() -> None:
    assert next(alert.tier for alert in alerts() if alert.name == "FairlaneTokenMoved") is Tier.NOTIFY


def test_what_is_recorded_is_declared() -> None:
    assert {rule.record for rule in recordings()} == set(RECORDED)


def test_the_number_of_rules_is_small_and_does_not_depend_on_objectives() -> None:
    count = sum(len(group.rules) for group in groups())
    print(f"{count} rules for any number of objectives")
    assert count <= MOST == 60


def test_the_windows_of_all_presets_are_recorded_shortest_first() -> None:
    assert windows() == ("5m", "30m", "1h", "2h", "6h", "1d", "3d")


def test_the_same_settings_give_the_same_bytes() -> None:
    assert rules(AlertSettings()) == rules(AlertSettings())
    assert yaml.safe_load(rules(AlertSettings()))["groups"][0]["name"] == groups()[0].name


@pytest.mark.prometheus
def test_promtool_accepts_the_rules(tmp_path: Path) -> None:
    file = tmp_path / "rules.yml"
    file.write_text(rules(AlertSettings()), encoding="utf-8")
    assert f"{sum(len(group.rules) for group in groups())} rules found" in check_rules(file)


def test_windows_that_objectives_bring_are_recorded_and_shared() -> None:
    pairs = (Pair(600, 120, Fraction(5), SloTier.PAGE), Pair(3_600, 300, Fraction(2), SloTier.TICKET))
    many = [Objective(f"o-{n}", "p", Sli.EXTERNAL, Decimal("0.99"), 0, custom=pairs) for n in range(50)]
    own = own_windows(many)
    assert windows(own) == ("2m", "5m", "10m", "30m", "1h", "2h", "6h", "1d", "3d")
    assert sum(len(group.rules) for group in groups(own)) == sum(len(group.rules) for group in groups()) + 2 * 2


def test_too_many_different_windows_are_refused_with_the_reason() -> None:
    with pytest.raises(ConfigError, match="so many different alert windows"):
        groups(range(60_000, 60_000 + 60 * 40, 60))
