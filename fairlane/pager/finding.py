"""What a round finds: the alerts that hold now, and those of which nothing can be said now."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field

from alerts.model import Tier


@dataclass(frozen=True, slots=True)
class Finding:
    """One alert that holds. Its `key` is the same as long as it is the same trouble."""

    alert: str
    tier: Tier
    area: str
    labels: tuple[tuple[str, str], ...]
    """What it is about (`pipeline`, `slo`, `lane`, ...), sorted by name."""
    summary: str
    description: str
    runbook: str
    dashboard: str
    owner: str

    @property
    def key(self) -> str:
        """Such as `FairlaneDeadLetters{lane=general,pipeline=events}`: what duplicates are told by."""
        return key(self.alert, self.labels)

    @property
    def subject(self) -> tuple[str, ...]:
        """Area, and pipeline, objective, limit or budget: a louder tier silences the quieter ones of the same."""
        about = dict(self.labels)
        return self.area, *(about.get(label, "") for label in ("pipeline", "slo", "limit", "budget"))


@dataclass(frozen=True, slots=True)
class Round:
    """What holds now, and for which keys nothing is known: those neither fire nor end."""

    findings: tuple[Finding, ...] = ()
    frozen: Callable[[str], bool] = field(default=lambda _: False)


def key(alert: str, labels: Iterable[tuple[str, str]]) -> str:
    """Alert name and labels as one text."""
    return f"{alert}{{{','.join(f'{name}={value}' for name, value in sorted(labels))}}}"


def heard(findings: Iterable[Finding]) -> Mapping[str, Finding]:
    """By key, without those that a louder one silences: Alertmanager's inhibition by tier within pipeline, area and objective."""
    by_key = {one.key: one for one in findings}
    loudest: dict[tuple[str, ...], int] = {}
    for one in by_key.values():
        loudest[one.subject] = min(LOUDNESS[one.tier], loudest.get(one.subject, len(LOUDNESS)))
    return {name: one for name, one in by_key.items() if LOUDNESS[one.tier] <= loudest[one.subject]}


LOUDNESS = {tier: place for place, tier in enumerate((Tier.PAGE, Tier.TICKET, Tier.NOTIFY, Tier.HEARTBEAT))}
"""0 is the loudest."""
