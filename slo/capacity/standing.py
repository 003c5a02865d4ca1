"""How a limit stands: how much is used, when it is reached, and whether that leaves time to raise it. Pure.

Red: critical is reached, or likely will be before the lead time is over. Yellow: the trigger is reached, or the early end of the interval comes before the lead
time is over. Unknown: no sample for two days. A limit of which less than two weeks are known has no forecast; its levels still count.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from slo.capacity.forecast import Forecast, forecast
from slo.capacity.limit import DAY, Limit

STALE_S: Final = 2 * DAY
"""A newest sample older than this says nothing."""


class Stage(StrEnum):
    """What the policy says, worst last."""

    OK = "ok"
    UNKNOWN = "unknown"
    """Nothing is known: somebody looks why, but nothing stops."""
    YELLOW = "yellow"
    """The project is put on the plan, with a date and a name."""
    RED = "red"
    """The project goes before anything else, and changes that use more of it wait."""

    @property
    def code(self) -> int:
        """As the metric shows it."""
        return {Stage.OK: 0, Stage.YELLOW: 1, Stage.RED: 2, Stage.UNKNOWN: 3}[self]

    @property
    def rank(self) -> int:
        """0 ok to 3 red."""
        return {Stage.OK: 0, Stage.UNKNOWN: 1, Stage.YELLOW: 2, Stage.RED: 3}[self]


@dataclass(frozen=True, slots=True)
class Standing:
    """One limit at one time. Times are Unix seconds."""

    limit: Limit
    at_s: float
    stage: Stage
    current: float | None
    """None when unknown or too old."""
    sampled_s: float | None
    """Of the newest sample; None for none."""
    forecast: Forecast | None
    """None while too little is known."""
    daily: Mapping[int, float]
    """The highest value of each day that is known, by day number."""

    @property
    def used(self) -> float | None:
        """Share of critical."""
        return None if self.current is None else self.current / self.limit.critical

    @property
    def breach_s(self) -> float | None:
        """When critical is likely reached; now when it is; None for not within the horizon, or unknown."""
        if self.current is not None and self.current >= self.limit.critical:
            return self.at_s
        found = self.forecast.likely_s if self.forecast else None
        return None if found is None else max(float(found), self.at_s)

    @property
    def slack_s(self) -> float | None:
        """Likely breach, less the lead time, less now: negative is too late. None where there is no breach to foresee."""
        return None if self.breach_s is None else self.breach_s - self.limit.lead_s - self.at_s

    @property
    def trouble(self) -> tuple[int, float, str]:
        """Sorts worst first."""
        slack = self.slack_s
        return (-self.stage.rank, float("inf") if slack is None else slack, self.limit.name)


def judge(limit: Limit, samples: Mapping[int, float], at_s: float) -> Standing:
    """How `limit` stands at `at_s`; `samples` are hourly values by the hour's Unix second. Samples after `at_s` are not looked at."""
    seen = {at: value for at, value in samples.items() if at <= at_s}
    if not seen:
        return Standing(limit, at_s, Stage.UNKNOWN, None, None, None, {})
    newest = max(seen)
    daily: dict[int, float] = {}
    for at, value in seen.items():
        daily[at // DAY] = max(value, daily.get(at // DAY, value))
    if at_s - newest > STALE_S:
        return Standing(limit, at_s, Stage.UNKNOWN, None, newest, None, daily)
    # today is not over: its highest value may be still to come
    whole = {day: value for day, value in daily.items() if day < int(at_s) // DAY}
    found = forecast(whole, limit.critical)
    bare = Standing(limit, at_s, Stage.OK, seen[newest], newest, found, daily)
    return Standing(limit, at_s, stage(bare), seen[newest], newest, found, daily)


def stage(standing: Standing) -> Stage:
    """What the policy says of a limit whose value is known."""
    limit, current = standing.limit, standing.current
    slack = standing.slack_s
    if current is None:
        return Stage.UNKNOWN
    if current >= limit.critical or (slack is not None and slack < 0):
        return Stage.RED
    early = standing.forecast.early_s if standing.forecast else None
    if current >= limit.trigger or (early is not None and early - limit.lead_s < standing.at_s):
        return Stage.YELLOW
    return Stage.OK
