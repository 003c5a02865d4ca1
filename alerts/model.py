"""What a rule file is made of: recordings and alerts, in groups. Pure values; `render` writes them."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from alerts.config import AlertSettings


class Tier(StrEnum):
    """How an alert reaches a person."""

    PAGE = "page"
    """Wakes somebody."""
    TICKET = "ticket"
    """Is looked at on the next working day."""
    NOTIFY = "notify"
    """Is told, asks for nothing."""
    HEARTBEAT = "heartbeat"
    """Always fires; its absence is the alarm."""


@dataclass(frozen=True, slots=True)
class Recording:
    """A recording rule: `expr` under the name `record`, with extra labels."""

    record: str
    expr: str
    labels: Mapping[str, str] = field(default_factory=dict)

    def body(self) -> dict[str, Any]:
        """The rule as Prometheus reads it."""
        labels = {"labels": dict(self.labels)} if self.labels else {}
        return {"record": self.record, "expr": self.expr, **labels}


@dataclass(frozen=True, slots=True)
class Alert:
    """An alert rule. `area` groups causes with their symptoms: a page silences tickets and notes of its own area (see `alertmanager`)."""

    name: str
    expr: str
    tier: Tier
    area: str
    summary: str
    """One line; may use Prometheus' templates."""
    description: str
    """What is wrong, in the operator's units, and the first thing to do."""
    dashboard: str
    """The uid of the board that shows it."""
    hold: str = "0s"
    """Prometheus' `for`."""

    def body(self, settings: AlertSettings) -> dict[str, Any]:
        """The rule as Prometheus reads it, with its links and its owner."""
        return {
            "alert": self.name,
            "expr": self.expr,
            **({"for": self.hold} if self.hold != "0s" else {}),
            "labels": {"tier": str(self.tier), "area": self.area, "owner": settings.owner},
            "annotations": {
                "summary": self.summary,
                "description": self.description,
                "runbook_url": settings.runbooks.replace("{alert}", self.name),
                "dashboard_url": f"{settings.grafana.rstrip('/')}/d/{self.dashboard}",
            },
        }


@dataclass(frozen=True, slots=True)
class Group:
    """Rules that are evaluated together, in this order, every `interval`."""

    name: str
    interval: str
    rules: tuple[Recording | Alert, ...]

    def body(self, settings: AlertSettings) -> dict[str, Any]:
        """The group as Prometheus reads it."""
        rules = [rule.body(settings) if isinstance(rule, Alert) else rule.body() for rule in self.rules]
        return {"name": self.name, "interval": self.interval, "rules": rules}
