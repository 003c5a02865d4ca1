"""The shapes that go out, and what never does."""

import logging

import orjson
import pytest

from alerts.model import Tier
from fairlane.pager.channels import PagerDuty, Slack, Webhook, channels
from fairlane.pager.config import PagerConfig
from fairlane.pager.http import HttpPoster
from fairlane.pager.notice import Kind, Notice
from slo.errors import ConfigError, Unreachable
from tests.fairlane.pager.made import finding
from tests.support.hooks import hook

T = 1_700_000_000_000
FIRES = Notice(finding(pipeline="events", lane="general"), "e1", Kind.FIRING, T)
ENDS = Notice(FIRES.finding, "e1", Kind.RESOLVED, T, T + 60_000)
SECRET = "s3cr3t-routing-key"


def test_a_webhook_takes_what_alertmanager_sends() -> None:
    request = Webhook("http://hook.example/x").request(FIRES)
    body = orjson.loads(request.body)
    assert set(body) == {
        "version", "groupKey", "truncatedAlerts", "status", "receiver", "groupLabels", "commonLabels", "commonAnnotations", "externalURL", "alerts",
    }  # fmt: skip
    assert (body["version"], body["status"], body["receiver"]) == ("4", "firing", "page")
    assert body["groupLabels"] == {"alertname": "FairlaneDeadLetters", "pipeline": "events"}
    alert = body["alerts"][0]
    assert set(alert) == {"status", "labels", "annotations", "startsAt", "endsAt", "generatorURL", "fingerprint"}
    assert alert["labels"] == {
        "alertname": "FairlaneDeadLetters", "pipeline": "events", "lane": "general", "tier": "page", "area": "data", "owner": "streams",
    }  # fmt: skip
    assert alert["annotations"]["runbook_url"] == "http://docs.example/FairlaneDeadLetters"
    assert (alert["startsAt"], alert["endsAt"]) == ("2023-11-14T22:13:20.000Z", "0001-01-01T00:00:00Z")
    over = orjson.loads(Webhook("http://hook.example/x").request(ENDS).body)
    assert (over["status"], over["alerts"][0]["status"]) == ("resolved", "resolved")
    assert over["alerts"][0]["endsAt"] == "2023-11-14T22:14:20.000Z"
    assert over["alerts"][0]["fingerprint"] == alert["fingerprint"]
    assert over["groupKey"] == body["groupKey"]


def test_pagerduty_takes_a_trigger_and_a_resolve_of_one_incident(tmp_path) -> None:
    key = tmp_path / "key"
    key.write_text(f"{SECRET}\n")
    channel = PagerDuty(key, "https://events.pagerduty.com/v2/enqueue")
    trigger, resolve = (orjson.loads(channel.request(one).body) for one in (FIRES, ENDS))
    assert trigger["routing_key"] == SECRET
    assert (trigger["event_action"], resolve["event_action"]) == ("trigger", "resolve")
    assert trigger["dedup_key"] == resolve["dedup_key"]
    assert len(trigger["dedup_key"]) <= 255
    assert {"summary", "source", "severity"} <= set(trigger["payload"])
    assert trigger["payload"]["severity"] in {"critical", "error", "warning", "info"}
    assert [link["text"] for link in trigger["links"]] == ["Runbook", "Dashboard"]
    assert [channel.takes(tier) for tier in Tier] == [tier is Tier.PAGE for tier in Tier]


def test_a_summary_is_cut_to_what_pagerduty_takes(tmp_path) -> None:
    key = tmp_path / "key"
    key.write_text(SECRET)
    long = Notice(finding("FairlaneX" + "x" * 3_000), "e", Kind.FIRING, T)
    assert len(orjson.loads(PagerDuty(key, "http://x").request(long).body)["payload"]["summary"]) == 1_024


def test_slack_takes_a_text_that_cannot_break_out(tmp_path) -> None:
    file = tmp_path / "url"
    file.write_text("https://hooks.slack.example/services/T/B/x")
    request = Slack(file).request(Notice(finding("<!channel> & co"), "e", Kind.FIRING, T))
    assert request.url == "https://hooks.slack.example/services/T/B/x"
    text = orjson.loads(request.body)["blocks"][0]["text"]["text"]
    assert "<!channel>" not in text
    assert "&lt;!channel&gt; &amp; co" in text
    assert "|Runbook>" in text


@pytest.mark.parametrize("content", [None, "", "\n"], ids=["no file", "an empty file", "a file of blanks"])
def test_a_secret_that_is_not_there_is_said_without_its_content(tmp_path, content) -> None:
    file = tmp_path / "key"
    if content is not None:
        file.write_text(content)
    with pytest.raises(ConfigError, match=r"pager\.pagerduty_key_file"):
        PagerDuty(file, "http://x").request(FIRES)


def test_a_request_tells_nothing_of_itself(tmp_path) -> None:
    file = tmp_path / "key"
    file.write_text(SECRET)
    shown = repr(PagerDuty(file, "http://x/y").request(FIRES)) + repr(Webhook(f"http://h.example/{SECRET}"))
    assert SECRET not in shown


def test_a_failure_names_the_host_and_nothing_else(caplog) -> None:
    caplog.set_level(logging.DEBUG)
    poster = HttpPoster(timeout_s=1)
    url = f"http://user:{SECRET}@127.0.0.1:1/{SECRET}?t={SECRET}"
    with pytest.raises(Unreachable) as caught:
        poster.post(Webhook(url).request(FIRES))
    poster.close()
    assert str(caught.value).startswith("127.0.0.1: ")
    assert SECRET not in str(caught.value)
    ours = [record.getMessage() for record in caplog.records if record.name.startswith("fairlane")]
    assert SECRET not in "".join(ours)


def test_a_redirect_is_not_followed_with_a_secret_in_hand() -> None:
    with hook() as other, hook() as first:
        first.status = 302
        poster = HttpPoster()
        answer = poster.post(Webhook(first.url).request(FIRES))
        poster.close()
        assert (answer.status, answer.taken, other.tries) == (302, False, 0)


def test_the_channels_are_those_that_are_set() -> None:
    assert [one.name for one in channels(PagerConfig())] == []
    everything = PagerConfig(webhook="http://h.example", pagerduty_key_file="/k", slack_url_file="/s")
    assert [one.name for one in channels(everything)] == ["webhook", "pagerduty", "slack"]
