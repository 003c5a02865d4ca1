"""The shapes that PagerDuty, Slack and webhooks take, and who is told of which tier."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final, Protocol
from urllib.parse import quote

import orjson

from alerts.model import Tier
from fairlane.pager.config import PagerConfig
from fairlane.pager.notice import Kind, Notice
from slo.errors import ConfigError

_GROUPED: Final = ("alertname", "pipeline", "slo")
"""As in the generated Alertmanager configuration."""
_SEVERITY: Final = {Tier.PAGE: "critical", Tier.TICKET: "warning"}
_NEVER: Final = "0001-01-01T00:00:00Z"
_URL: Final = ":/?#[]@!$&'()*+,;=%~"
_LONGEST: Final = 1_024
"""Characters of a summary that PagerDuty takes."""


@dataclass(frozen=True, slots=True)
class Request:
    """A POST. Its text form tells nothing: address, headers and body may hold secrets."""

    url: str = field(repr=False)
    body: bytes = field(repr=False)
    headers: tuple[tuple[str, str], ...] = field(default=(), repr=False)


class Channel(Protocol):
    """A way to a person."""

    @property
    def name(self) -> str:
        """The label `channel`."""
        ...

    def takes(self, tier: Tier) -> bool:
        """Are alerts of this tier told here?"""
        ...

    def request(self, notice: Notice) -> Request:
        """What to send. Raises ConfigError when its secret cannot be read."""
        ...


@dataclass(frozen=True, slots=True)
class Webhook:
    """Alertmanager's webhook JSON, version 4: whatever takes Alertmanager's takes ours."""

    url: str = field(repr=False)
    name: str = "webhook"

    def takes(self, tier: Tier) -> bool:
        """All."""
        del tier
        return True

    def request(self, notice: Notice) -> Request:
        """One alert, its own group."""
        labels, annotations = notice.labels, notice.annotations
        group = {name: labels[name] for name in _GROUPED if name in labels}
        tier = notice.finding.tier
        alert = {
            "status": str(notice.kind),
            "labels": labels,
            "annotations": annotations,
            "startsAt": _time(notice.since_ms),
            "endsAt": _NEVER if notice.until_ms is None else _time(notice.until_ms),
            "generatorURL": "",
            "fingerprint": notice.dedup[:16],
        }
        inside = ", ".join(f'{name}="{value}"' for name, value in group.items())
        body = {
            "version": "4",
            "groupKey": f'{{}}/{{tier="{tier}"}}:{{{inside}}}',
            "truncatedAlerts": 0,
            "status": str(notice.kind),
            "receiver": str(tier),
            "groupLabels": group,
            "commonLabels": labels,
            "commonAnnotations": annotations,
            "externalURL": "",
            "alerts": [alert],
        }
        return _json(self.url, body, ("idempotency-key", notice.id))


@dataclass(frozen=True, slots=True)
class PagerDuty:
    """Events API v2: `trigger` and `resolve` with one dedup_key."""

    key_file: Path
    url: str
    name: str = "pagerduty"

    def takes(self, tier: Tier) -> bool:
        """Pages only."""
        return tier is Tier.PAGE

    def request(self, notice: Notice) -> Request:
        """An event."""
        one = notice.finding
        event: dict[str, Any] = {
            "routing_key": secret(self.key_file, "pager.pagerduty_key_file"),
            "event_action": "trigger" if notice.kind is Kind.FIRING else "resolve",
            "dedup_key": notice.dedup,
            "client": "fairlane",
            "payload": {
                "summary": one.summary[:_LONGEST],
                "source": dict(one.labels).get("pipeline", "fairlane"),
                "severity": _SEVERITY.get(one.tier, "info"),
                "timestamp": _time(notice.since_ms),
                "component": one.area,
                "class": one.alert,
                "custom_details": {"description": one.description, **notice.labels},
            },
            "links": [
                {"href": href, "text": text}
                for href, text in ((one.runbook, "Runbook"), (one.dashboard, "Dashboard"))
                if href
            ],
        }
        return _json(self.url, event)


@dataclass(frozen=True, slots=True)
class Slack:
    """An incoming webhook."""

    url_file: Path
    name: str = "slack"

    def takes(self, tier: Tier) -> bool:
        """All but the heartbeat."""
        return tier is not Tier.HEARTBEAT

    def request(self, notice: Notice) -> Request:
        """A message: what, why, what to do."""
        one = notice.finding
        links = " · ".join(
            f"<{quote(href, safe=_URL)}|{text}>"
            for href, text in ((one.runbook, "Runbook"), (one.dashboard, "Dashboard"))
            if href
        )
        head = f"[{notice.kind.upper()}: {one.tier}] {one.summary}"
        text = f"*{_escaped(head)}*\n{_escaped(one.description)}\n{links}"
        return _json(
            secret(self.url_file, "pager.slack_url_file"), {"text": _escaped(head), "blocks": [_section(text)]}
        )


def channels(config: PagerConfig) -> tuple[Channel, ...]:
    """Those that are set."""
    return tuple(_channels(config))


def _channels(config: PagerConfig) -> Iterator[Channel]:
    if config.webhook:
        yield Webhook(config.webhook)
    if config.pagerduty_key_file:
        yield PagerDuty(Path(config.pagerduty_key_file), config.pagerduty_url)
    if config.slack_url_file:
        yield Slack(Path(config.slack_url_file))


def secret(path: Path, setting: str) -> str:
    """The first line of a file. Raises ConfigError, without a word of its content, when there is none."""
    try:
        lines = path.read_text(encoding="utf-8").strip().splitlines()
    except (OSError, UnicodeDecodeError) as error:
        why = error.strerror if isinstance(error, OSError) else "it is no text"
        raise ConfigError(f"{setting}: {path} cannot be read: {why}") from None
    if not lines:
        raise ConfigError(f"{setting}: {path} is empty; write the secret into it")
    return lines[0].strip()


def _json(url: str, body: dict[str, Any], *headers: tuple[str, str]) -> Request:
    return Request(url, orjson.dumps(body), (("content-type", "application/json"), *headers))


def _section(text: str) -> dict[str, Any]:
    return {"type": "section", "text": {"type": "mrkdwn", "text": text[:3_000]}}


def _escaped(text: str) -> str:
    """Slack's three control characters."""
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def _time(at_ms: int) -> str:
    return datetime.fromtimestamp(at_ms / 1000, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
