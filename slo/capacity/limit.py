"""What may run out: a limit with its trigger and critical level, the time that raising it takes, and who does it; and a month's money."""

import re
from dataclasses import dataclass
from typing import Final

from slo.errors import ConfigError

DAY: Final = 86_400
_NAME: Final = re.compile(r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?")


@dataclass(frozen=True, slots=True)
class Query:
    """Read from a Prometheus: `query` gives one series."""

    url: str
    query: str


@dataclass(frozen=True, slots=True)
class Told:
    """Somebody tells it: `fairlane capacity record NAME VALUE`."""


@dataclass(frozen=True, slots=True)
class Own:
    """One of Fairlane's own, measured by itself; `kind` says which."""

    kind: str


Source = Query | Told | Own
"""Where its values come from."""


@dataclass(frozen=True, slots=True)
class Limit:
    """Something that fills up. At `trigger` work must have begun, at `critical` it is too late; `lead_days` is what raising it takes.

    Raises ConfigError for a name that is no DNS label, levels in the wrong order, a lead time under a day, or nobody who owns it.
    """

    name: str
    title: str
    unit: str
    trigger: float
    critical: float
    lead_days: float
    owner: str
    project: str
    source: Source = Told()
    link: str = ""
    """Where the project stands; empty for none."""

    def __post_init__(self) -> None:
        """Refuse the impossible at load."""
        _named(self.name, "limit", self.owner)
        if not 0 < self.trigger < self.critical < float("inf"):
            raise ConfigError(
                f"limit '{self.name}': trigger ({self.trigger:g}) must be above 0 and below critical ({self.critical:g})"
            )
        if not 1 <= self.lead_days <= 730:
            raise ConfigError(f"limit '{self.name}': lead_days must lie between 1 and 730, not {self.lead_days:g}")
        if not self.project.strip():
            raise ConfigError(f"limit '{self.name}': name the project that raises it, if only as an idea")

    @property
    def lead_s(self) -> float:
        """The lead time in seconds."""
        return self.lead_days * DAY


@dataclass(frozen=True, slots=True)
class Budget:
    """A month's money. Samples are a rate: `currency` a day.

    Raises ConfigError for a name that is no DNS label, an amount that is none, or nobody who owns it.
    """

    name: str
    title: str
    monthly: float
    currency: str
    owner: str
    source: Source = Told()

    def __post_init__(self) -> None:
        """Refuse the impossible at load."""
        _named(self.name, "budget", self.owner)
        if not 0 < self.monthly < float("inf"):
            raise ConfigError(f"budget '{self.name}': monthly must be above 0, not {self.monthly:g}")


def _named(name: str, kind: str, owner: str) -> None:
    if not _NAME.fullmatch(name):
        raise ConfigError(
            f"{kind} '{name}': name must be 1 to 63 of a-z, 0-9 and '-', with a letter or digit at both ends"
        )
    if not owner.strip():
        raise ConfigError(f"{kind} '{name}': somebody must own it")
