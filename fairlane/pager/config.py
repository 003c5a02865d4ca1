"""The pager's settings."""

from typing import Final, Literal, Self
from urllib.parse import urlsplit

from pydantic import field_validator, model_validator

from alerts.config import AlertSettings
from ingestion.config import Section

PAGERDUTY: Final = "https://events.pagerduty.com/v2/enqueue"


class PagerConfig(Section):
    """Who pages. Secrets stay in files: they are read when something is sent, and never shown."""

    mode: Literal["prometheus", "builtin"] = "prometheus"
    """`prometheus`: a Prometheus and an Alertmanager do (`fairlane generate` writes their files). `builtin`: the controller's process does."""
    webhook: str = ""
    """URL that gets every alert as Alertmanager's webhook JSON."""
    pagerduty_key_file: str = ""
    """File with a PagerDuty Events v2 routing key; pages only."""
    pagerduty_url: str = PAGERDUTY
    """Where PagerDuty takes events; EU accounts: `https://events.eu.pagerduty.com/v2/enqueue`."""
    slack_url_file: str = ""
    """File with a Slack incoming-webhook URL; pages, tickets and notes."""
    heartbeat: str = ""
    """URL of an external dead man's switch, called each minute while the pager works."""
    targets: tuple[str, ...] = ()
    """`/metrics` addresses of all other processes (`http://HOST:PORT`); empty: those of `fairlane up` on this machine."""
    runbooks: str = AlertSettings().runbooks
    """Where runbooks are read; `{alert}` stands for the alert's name."""
    grafana: str = AlertSettings().grafana
    """Base URL of Grafana."""
    owner: str = AlertSettings().owner
    """The alerts' label `owner`."""

    @field_validator("webhook", "pagerduty_url", "heartbeat")
    @classmethod
    def _url(cls, url: str) -> str:
        return _checked(url)

    @field_validator("targets")
    @classmethod
    def _urls(cls, urls: tuple[str, ...]) -> tuple[str, ...]:
        return tuple(_checked(url).rstrip("/") for url in urls)

    @model_validator(mode="after")
    def _reaches_somebody(self) -> Self:
        if self.mode == "builtin" and not (self.webhook or self.pagerduty_key_file or self.slack_url_file):
            raise ValueError(
                "pager.mode is builtin, and there is nobody to page: set pager.webhook, pager.pagerduty_key_file or pager.slack_url_file"
            )
        return self

    @property
    def alerts(self) -> AlertSettings:
        """Links and owner, as the alerts are written with."""
        return AlertSettings(runbooks=self.runbooks, grafana=self.grafana, owner=self.owner)


def _checked(url: str) -> str:
    """The URL itself is not repeated: it may be a secret."""
    try:
        parts = urlsplit(url)
        fine = not url or (parts.scheme in {"http", "https"} and bool(parts.hostname) and parts.port != 0)
    except ValueError:
        fine = False
    if not fine or any(c.isspace() or ord(c) < 32 for c in url):
        raise ValueError("write a whole URL, such as https://example.org/path")
    return url
