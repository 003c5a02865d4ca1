"""An objective: what is promised, to whom, over how long, and who answers for it."""

import re
from dataclasses import dataclass
from decimal import Decimal
from enum import StrEnum
from typing import Final

from slo.errors import ConfigError
from slo.windows import DAY, Pair, check, preset

_NAME: Final = re.compile(r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?")


class Sli(StrEnum):
    """What is measured."""

    FRESHNESS = "freshness"
    """Events: good when visible within the threshold (seconds) of capture."""
    OLDEST_AGE = "oldest_age"
    """Time slices: a second is good when no partition's oldest record is older than the threshold (seconds)."""
    LAG = "lag"
    """Time slices: a second is good when every partition's lag is under the threshold (records)."""
    CAPTURE_AVAILABILITY = "capture_availability"
    """Events: good when capture accepted them; what the client got wrong or sent too fast is not counted."""

    @property
    def unit(self) -> str:
        """What its slices count."""
        return "seconds" if self in {Sli.OLDEST_AGE, Sli.LAG} else "events"


class Audience(StrEnum):
    """Whose events are counted."""

    ALL = "all"
    PROTECTED = "protected"
    MOVED = "moved"


@dataclass(frozen=True, slots=True)
class Objective:
    """One promise. `name` is unique over all pipelines and is the label `slo`.

    Raises ConfigError, with the reason, for a name that is no DNS label, an empty period, and all that `slo.windows.check` refuses.
    """

    name: str
    pipeline: str
    sli: Sli
    target: Decimal
    threshold: float
    population: Audience = Audience.ALL
    window_days: int = 30
    owner: str = "pipeline"
    runbook: str = ""
    title: str = ""
    windows: str = "google-mwmb"

    def __post_init__(self) -> None:
        """Refuse the impossible at load."""
        if not _NAME.fullmatch(self.name):
            raise ConfigError(
                f"objective '{self.name}': name must be 1 to 63 of a-z, 0-9 and '-', with a letter or digit at both ends"
            )
        if self.window_days < 1:
            raise ConfigError(f"objective '{self.name}': window_days must be 1 or more, not {self.window_days}")
        try:
            check(self.pairs, self.target)
        except ConfigError as error:
            raise ConfigError(f"objective '{self.name}': {error}") from None

    @property
    def period_s(self) -> int:
        """Seconds of the rolling period."""
        return self.window_days * DAY

    @property
    def pairs(self) -> tuple[Pair, ...]:
        """Its alert windows."""
        return preset(self.windows, self.window_days)
