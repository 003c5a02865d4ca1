"""What the generated alerts can be told: where links lead and who is called. Secrets stay in files that the configuration names."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Receivers:
    """Where Alertmanager delivers. An empty field leaves that channel out; a tier without any channel is only shown in Alertmanager."""

    webhook: str = ""
    """URL that gets every tier as Alertmanager's webhook JSON."""
    pagerduty_key_file: str = ""
    """File with a PagerDuty Events v2 routing key; pages only."""
    slack_url_file: str = ""
    """File with a Slack incoming-webhook URL; pages, tickets and notes."""
    slack_channel: str = "#fairlane"
    """Channel for Slack."""
    heartbeat: str = ""
    """URL of an external dead man's switch, called as long as the Watchdog fires."""


@dataclass(frozen=True, slots=True)
class AlertSettings:
    """Everything that the artefacts depend on besides the code."""

    runbooks: str = "http://127.0.0.1:8090/runbooks/{alert}"
    """Where a runbook is read; `{alert}` stands for the alert's name. The default is our own web process on this machine."""
    grafana: str = "http://localhost:3000"
    """Base URL of Grafana; dashboards are linked by uid."""
    owner: str = "pipeline"
    """Team that owns the alerts: the `owner` label."""
    receivers: Receivers = Receivers()
    """Where alerts go."""
