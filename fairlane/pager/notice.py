"""What is told of one episode of an alert: that it fires, and once more that it is over."""

from dataclasses import asdict, dataclass
from enum import StrEnum
from hashlib import sha256

import orjson

from alerts.model import Tier
from fairlane.pager.finding import Finding


class Kind(StrEnum):
    """Which of the two."""

    FIRING = "firing"
    RESOLVED = "resolved"


@dataclass(frozen=True, slots=True)
class Notice:
    """One message, before it takes a channel's shape. Times in Unix ms."""

    finding: Finding
    episode: str
    kind: Kind
    since_ms: int
    until_ms: int | None = None

    @property
    def dedup(self) -> str:
        """The same for every message about the same trouble: receivers tell duplicates by it."""
        return sha256(self.finding.key.encode()).hexdigest()[:32]

    @property
    def id(self) -> str:
        """This message and no other, however often it is sent."""
        return f"{self.episode}-{self.kind}"

    @property
    def labels(self) -> dict[str, str]:
        """As an alert of Prometheus would carry them."""
        one = self.finding
        return {
            "alertname": one.alert,
            **dict(one.labels),
            "tier": str(one.tier),
            "area": one.area,
            "owner": one.owner,
        }

    @property
    def annotations(self) -> dict[str, str]:
        """As an alert of Prometheus would carry them."""
        one = self.finding
        return {
            "summary": one.summary,
            "description": one.description,
            "runbook_url": one.runbook,
            "dashboard_url": one.dashboard,
        }


def encode(finding: Finding) -> str:
    """As JSON."""
    return orjson.dumps(asdict(finding)).decode()


def decode(text: str) -> Finding:
    """From JSON. Raises ValueError, KeyError or TypeError when it is none."""
    raw = orjson.loads(text)
    return Finding(
        **{**raw, "tier": Tier(raw["tier"]), "labels": tuple((str(name), str(value)) for name, value in raw["labels"])}
    )
