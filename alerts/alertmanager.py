"""The Alertmanager configuration: a route per tier, receivers from the settings, inhibition by tier within an area."""

from collections.abc import Iterable
from typing import Any, Final

from alerts.config import AlertSettings, Receivers
from alerts.model import Tier

WATCHDOG: Final = "FairlaneWatchdog"
_SUBJECT: Final = ("pipeline", "area", "slo", "limit", "budget")
"""Labels that make two alerts speak of the same thing. A label that both lack counts as equal."""
_QUIETER: Final = ((Tier.PAGE, Tier.TICKET), (Tier.PAGE, Tier.NOTIFY), (Tier.TICKET, Tier.NOTIFY))
_REPEAT: Final = {Tier.PAGE: "1h", Tier.TICKET: "1d", Tier.NOTIFY: "7d"}


def config(settings: AlertSettings) -> dict[str, Any]:
    """The configuration as Alertmanager reads it."""
    receivers = settings.receivers
    return {
        "global": {"resolve_timeout": "5m"},
        "route": {
            "receiver": str(Tier.TICKET),
            "group_by": ["alertname", "pipeline", "slo"],
            "group_wait": "10s",
            "group_interval": "1m",
            "repeat_interval": _REPEAT[Tier.TICKET],
            "routes": [
                {
                    "receiver": str(Tier.HEARTBEAT),
                    "matchers": [f'tier="{Tier.HEARTBEAT}"'],
                    "group_wait": "0s",
                    "group_interval": "1m",
                    "repeat_interval": "1m",
                },
                *(_route(tier) for tier in (Tier.PAGE, Tier.TICKET, Tier.NOTIFY)),
            ],
        },
        "receivers": [_receiver(tier, receivers) for tier in Tier],
        "inhibit_rules": list(inhibitions()),
    }


def inhibitions() -> Iterable[dict[str, Any]]:
    """A louder tier silences the quieter ones of its pipeline, area and objective: the cause is told, its symptoms are not."""
    for louder, quieter in _QUIETER:
        yield {
            "source_matchers": [f'tier="{louder}"'],
            "target_matchers": [f'tier="{quieter}"'],
            "equal": list(_SUBJECT),
        }


def _route(tier: Tier) -> dict[str, Any]:
    return {"receiver": str(tier), "matchers": [f'tier="{tier}"'], "repeat_interval": _REPEAT[tier]}


def _receiver(tier: Tier, to: Receivers) -> dict[str, Any]:
    body: dict[str, Any] = {"name": str(tier)}
    if tier is Tier.HEARTBEAT:
        if to.heartbeat:
            body["webhook_configs"] = [{"url": to.heartbeat, "send_resolved": False}]
        return body
    if to.webhook:
        body["webhook_configs"] = [{"url": to.webhook, "send_resolved": True}]
    if to.pagerduty_key_file and tier is Tier.PAGE:
        body["pagerduty_configs"] = [_pagerduty(to)]
    if to.slack_url_file:
        body["slack_configs"] = [_slack(to)]
    return body


def _pagerduty(to: Receivers) -> dict[str, Any]:
    return {
        "routing_key_file": to.pagerduty_key_file,
        "description": "{{ .CommonAnnotations.summary }}",
        "severity": "critical",
        "links": [
            {"href": "{{ .CommonAnnotations.runbook_url }}", "text": "Runbook"},
            {"href": "{{ .CommonAnnotations.dashboard_url }}", "text": "Dashboard"},
        ],
        "send_resolved": True,
    }


def _slack(to: Receivers) -> dict[str, Any]:
    return {
        "api_url_file": to.slack_url_file,
        "channel": to.slack_channel,
        "title": "[{{ .Status | toUpper }}] {{ .CommonAnnotations.summary }}",
        "title_link": "{{ .CommonAnnotations.runbook_url }}",
        "text": "{{ range .Alerts }}{{ .Annotations.description }}\n{{ end }}",
        "send_resolved": True,
    }
