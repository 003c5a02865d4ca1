"""The Alertmanager configuration: accepted by amtool, routed by tier, quiet about symptoms."""

import subprocess
from pathlib import Path

import pytest

from alerts.alertmanager import config
from alerts.config import AlertSettings, Receivers
from alerts.model import Tier
from alerts.render import to_yaml
from alerts.rules import alerts

EVERYTHING = Receivers(
    "http://hook.example/a", "/etc/fairlane/pagerduty", "/etc/fairlane/slack", "#oncall", "http://beat.example/b"
)
LIMIT_S = 30


def amtool(*args: str) -> str:
    done = subprocess.run(["amtool", *args], capture_output=True, text=True, timeout=LIMIT_S, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.fixture(params=[Receivers(), EVERYTHING], ids=["no channel", "every channel"])
def written(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    file = tmp_path / "alertmanager.yml"
    file.write_text(to_yaml(config(AlertSettings(receivers=request.param))), encoding="utf-8")
    return file


@pytest.mark.alertmanager
def test_amtool_accepts_it(written: Path) -> None:
    assert "SUCCESS" in amtool("check-config", str(written))


@pytest.mark.alertmanager
@pytest.mark.parametrize("tier", list(Tier))
def test_an_alert_of_a_tier_reaches_the_receiver_of_that_tier(tmp_path: Path, tier: Tier) -> None:
    file = tmp_path / "alertmanager.yml"
    file.write_text(to_yaml(config(AlertSettings(receivers=EVERYTHING))), encoding="utf-8")
    reached = amtool(
        "config", "routes", "test", f"--config.file={file}", f"tier={tier}", "alertname=X", "pipeline=events"
    )
    assert reached.strip() == str(tier)


def test_secrets_are_named_by_file_and_never_written() -> None:
    text = to_yaml(config(AlertSettings(receivers=EVERYTHING)))
    assert "routing_key_file: /etc/fairlane/pagerduty" in text
    assert "api_url_file: /etc/fairlane/slack" in text
    assert "routing_key:" not in text
    assert "api_url:" not in text


def test_notes_and_tickets_never_go_to_the_pager() -> None:
    receivers = {one["name"]: one for one in config(AlertSettings(receivers=EVERYTHING))["receivers"]}
    assert [name for name, one in receivers.items() if "pagerduty_configs" in one] == [str(Tier.PAGE)]
    assert list(receivers["heartbeat"]) == ["name", "webhook_configs"]


def test_every_alert_below_a_page_is_silenced_by_a_louder_tier_of_its_area() -> None:
    inhibitions = config(AlertSettings())["inhibit_rules"]
    targets = {matcher for rule in inhibitions for matcher in rule["target_matchers"]}
    for alert in alerts():
        assert alert.area
        if alert.tier in {Tier.TICKET, Tier.NOTIFY}:
            assert f'tier="{alert.tier}"' in targets
    assert all({"pipeline", "area", "slo", "limit", "budget"} == set(rule["equal"]) for rule in inhibitions)
    assert all(rule["source_matchers"] != rule["target_matchers"] for rule in inhibitions)
