"""An objective: what is promised, to whom, over how long, and who answers for it."""

import re
from dataclasses import dataclass
from decimal import Decimal
from enum import StrEnum
from typing import Final

from slo.burn import LONGEST_BACK_S
from slo.calendar import Calendar
from slo.errors import ConfigError
from slo.slices import SLICE_S
from slo.source import LANES, Source, Timeslices
from slo.windows import DAY, Pair, check, preset

GRACE_S: Final = 60
"""Seconds after an event's deadline in which its outcome may be on its way."""
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

    CAPTURE_LATENCY = "capture_latency"
    """Requests: good when capture answered within the threshold (seconds)."""
    VALID = "valid"
    """Events: good when they keep the capture contract."""
    COMPLETE = "complete"
    """Events: good when every field that their type requires is there."""
    UNIQUE = "unique"
    """Events: good when their id was not seen before."""
    EXTERNAL = "external"
    """Measured elsewhere: a Prometheus query or a push."""

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
    custom: tuple[Pair, ...] = ()
    """Its own alert windows instead of the preset's."""
    calendar: Calendar | None = None
    """Its budget is that of a calendar period; None for the rolling one of `window_days`. Alerts always roll."""
    source: Source = LANES
    timeslices: Timeslices | None = None
    """Counted by time slices (seconds); None by occurrences."""
    service: str = ""
    """Of an objective that belongs to no pipeline: OpenSLO's Service."""
    description: str = ""

    def __post_init__(self) -> None:
        """Refuse the impossible at load."""
        if not _NAME.fullmatch(self.name):
            raise ConfigError(
                f"objective '{self.name}': name must be 1 to 63 of a-z, 0-9 and '-', with a letter or digit at both ends"
            )
        if self.window_days < 1:
            raise ConfigError(f"objective '{self.name}': window_days must be 1 or more, not {self.window_days}")
        try:
            check(self.pairs, self.target, self.timeslices.slice_s if self.timeslices is not None else SLICE_S)
            self._check_reach()
        except ConfigError as error:
            raise ConfigError(f"objective '{self.name}': {error}") from None

    def _check_reach(self) -> None:
        if (slice_s := self.whole_s + SLICE_S) % SLICE_S or slice_s > LONGEST_BACK_S:
            raise ConfigError(f"a time slice is whole minutes, at most {LONGEST_BACK_S // 60} of them, not {slice_s} s")
        if self.late_s > LONGEST_BACK_S:
            raise ConfigError(
                f"events due {self.threshold:g} s after capture are known to be bad {self.late_s} s after their minute begins; a page looks back {LONGEST_BACK_S} s at most. "
                f"Promise {LONGEST_BACK_S - GRACE_S - SLICE_S} s or less"
            )

    @property
    def unit(self) -> str:
        """What its slices count."""
        return "seconds" if self.timeslices is not None else self.sli.unit

    @property
    def late_s(self) -> int:
        """Seconds by which minutes tell late of bad events: 0, or for a threshold over a minute the minute, the threshold and the grace (nothing is bad before)."""
        return SLICE_S + int(self.threshold) + GRACE_S if self.sli is Sli.FRESHNESS and self.threshold > GRACE_S else 0

    @property
    def lengths(self) -> frozenset[int]:
        """Seconds of every rolling sum that it is judged by: where outcomes are known `late_s` late, its alert windows end so much earlier."""
        alerts = {s + self.late_s for pair in self.pairs for s in (pair.long_s, pair.short_s)}
        return frozenset(alerts | {self.period_s} | ({self.late_s} if self.late_s else set()))

    @property
    def open_s(self) -> int:
        """Seconds for which the newest minutes may still become bad, where `late_s` does not leave them out."""
        return int(self.threshold) + GRACE_S if self.sli is Sli.FRESHNESS and not self.late_s else self.whole_s

    @property
    def whole_s(self) -> int:
        """Seconds by which a minute is known later than others: a time slice is judged when all of its minutes are there."""
        return self.timeslices.slice_s - SLICE_S if self.timeslices is not None else 0

    @property
    def period_s(self) -> int:
        """Seconds of the rolling period."""
        return self.window_days * DAY

    @property
    def pairs(self) -> tuple[Pair, ...]:
        """Its alert windows."""
        return self.custom or preset(self.windows, self.window_days)
