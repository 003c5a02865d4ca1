"""What the Capacity page says: a row for each limit and cost budget, worst first, in words. Pure."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final

from fairlane.app import words
from fairlane.app.fan import Fan, fan_of
from fairlane.app.rows import When
from fairlane.app.states import State
from fairlane.capacity.watch import Round
from slo.capacity.cost import Cost
from slo.capacity.forecast import HORIZON_DAYS, LEAST_DAYS
from slo.capacity.limit import DAY, Told
from slo.capacity.standing import Stage, Standing

STATES: Final[Mapping[Stage, State]] = {
    Stage.OK: State.OK,
    Stage.YELLOW: State.WATCH,
    Stage.RED: State.BURNING,
    Stage.UNKNOWN: State.FROZEN,
}
WORDS: Final[Mapping[Stage, str]] = {
    Stage.OK: "ok",
    Stage.YELLOW: "yellow",
    Stage.RED: "red",
    Stage.UNKNOWN: "no data",
}
MOST_NAMED: Final = 3
"""Names in the sentence, of those without data."""
_SIZES: Final = ((1e15, "PB"), (1e12, "TB"), (1e9, "GB"), (1e6, "MB"), (1e3, "kB"))


@dataclass(frozen=True, slots=True)
class LimitRow:
    """One limit. Texts are ready to be read; `slack_days` and `breach_iso` are for machines."""

    name: str
    title: str
    state: State
    word: str
    now: str
    trigger: str
    critical: str
    used: float | None
    lead: str
    breach: str
    breach_iso: str
    interval: str
    slack: str
    slack_days: float | None
    late: bool
    """The slack is negative."""
    pace: str
    owner: str
    project: str
    link: str
    note: str
    """What keeps the forecast from being one; empty when it is."""
    sampled: When | None
    fan: Fan


@dataclass(frozen=True, slots=True)
class CostRow:
    """One cost budget."""

    name: str
    title: str
    state: State
    word: str
    monthly: str
    spent: str
    ends: str
    week: str
    why: str
    owner: str


@dataclass(frozen=True, slots=True)
class CapacityView:
    """The page."""

    state: State
    word: str
    sentence: str
    detail: str
    now: When
    limits: tuple[LimitRow, ...]
    costs: tuple[CostRow, ...]
    unknown: tuple[str, ...]
    """Names of what nothing is known of now: limits, then budgets."""


def build(found: Round) -> CapacityView:
    """The page's content. One limit without data is enough for the page not to be calm."""
    limits = tuple(limit_row(s) for s in found.standings)
    costs = tuple(cost_row(c) for c in found.costs)
    stages = [*(s.stage for s in found.standings), *(c.stage for c in found.costs)]
    stage = max(stages, key=lambda s: s.rank, default=Stage.UNKNOWN)
    return CapacityView(
        STATES[stage],
        WORDS[stage],
        sentence(found, stage),
        _detail(found),
        When.at(found.at_s, found.at_s),
        limits,
        costs,
        _unknown(found),
    )


def sentence(found: Round, stage: Stage) -> str:
    """The page in one sentence that can be acted on."""
    dark = _unknown(found)
    if not found.standings and not found.costs:
        return "Nothing is watched: no limit and no cost budget. Name some in a file: capacity.files."
    if len(dark) == len(found.standings) + len(found.costs):
        return "No data: nothing has been measured in the last two days. Is “fairlane serve controller” running?"
    if stage is Stage.UNKNOWN:
        names = ", ".join(dark[:MOST_NAMED]) + (f" and {len(dark) - MOST_NAMED} more" if len(dark) > MOST_NAMED else "")
        return f"No data on {_dark(found)} ({names}): nobody knows whether there is room. Elsewhere {_room(found)}."
    if stage is Stage.OK:
        return f"Room: {_room(found)}."
    worst = [s for s in found.standings if s.stage is stage]
    more = len(worst) + sum(1 for c in found.costs if c.stage is stage) - 1
    tail = f" And {more} more." if more else ""
    tail += f" No data on {_dark(found)}." if dark else ""
    head = "Red" if stage is Stage.RED else "Yellow"
    if not worst:
        cost = next(c for c in found.costs if c.stage is stage)
        return f"{head}: {cost.budget.name}: {cost.why}; {cost.budget.owner}.{tail}"
    return f"{head}: {worst[0].limit.name} {_plight(worst[0])}; {worst[0].limit.owner}: {worst[0].limit.project}.{tail}"


def _unknown(found: Round) -> tuple[str, ...]:
    """Names of what nothing is known of."""
    limits = (s.limit.name for s in found.standings if s.stage is Stage.UNKNOWN)
    return (*limits, *(c.budget.name for c in found.costs if c.stage is Stage.UNKNOWN))


def _dark(found: Round) -> str:
    """How many of what is watched have no data: `2 of 3 limits and 1 of 2 cost budgets`."""
    kinds = (
        ("limit", [s.stage for s in found.standings]),
        ("cost budget", [c.stage for c in found.costs]),
    )
    counted = ((kind, stages.count(Stage.UNKNOWN), len(stages)) for kind, stages in kinds)
    return " and ".join(f"{dark} of {words.many(of, kind)}" for kind, dark, of in counted if dark)


def _room(found: Round) -> str:
    """How much room there is, where something is known."""
    known = [s for s in found.standings if s.stage is not Stage.UNKNOWN]
    ahead = [s for s in known if s.slack_s is not None]
    if ahead:
        near = min(ahead, key=lambda s: s.slack_s or 0.0)
        return f"the nearest limit is {near.limit.name}, {day(near.breach_s)}; work on it may wait {days(near.slack_s)}"
    if not known:
        return "cost is within its budget"
    if all(s.forecast is None for s in known):
        return f"no level is reached; nothing is forecast before {LEAST_DAYS} whole days are known"
    return f"nothing is forecast to run out within {HORIZON_DAYS // 365} years"


def _plight(s: Standing) -> str:
    """What is wrong with a limit that is not ok."""
    limit, slack, shown = s.limit, s.slack_s, quantity(s.limit.unit)
    if s.current is not None and s.current >= limit.critical:
        return f"is past critical: {shown(s.current)} of {shown(limit.critical)}"
    if slack is not None and slack < 0:
        return f"is reached about {day(s.breach_s)}, and raising it takes {days(limit.lead_s)}: {days(-slack)} too late"
    if s.current is not None and s.current >= limit.trigger:
        return f"is past its trigger: {shown(s.current)} of {shown(limit.critical)}"
    return f"may be reached as early as {day(s.forecast.early_s if s.forecast else None)}, and raising it takes {days(limit.lead_s)}"


def limit_row(s: Standing) -> LimitRow:
    """A limit in words."""
    limit, shown = s.limit, quantity(s.limit.unit)
    slack = s.slack_s
    found = s.forecast
    interval = ""
    if found is not None and s.breach_s is not None and s.breach_s > s.at_s:
        interval = between(found.early_s, found.late_s)
    elif found is not None and found.likely_s is None and found.early_s is not None:
        interval = f"at the earliest {day(found.early_s)}"
    return LimitRow(
        limit.name,
        limit.title,
        STATES[s.stage],
        WORDS[s.stage],
        shown(s.current),
        shown(limit.trigger),
        shown(limit.critical),
        s.used,
        days(limit.lead_s),
        _breach(s),
        "" if s.breach_s is None else words.iso(s.breach_s)[:10],
        interval,
        _slack(s),
        None if slack is None else round(slack / DAY, 1),
        slack is not None and slack < 0,
        _pace(s),
        limit.owner,
        limit.project,
        limit.link,
        _note(s),
        When.of(s.sampled_s, s.at_s),
        fan_of(s, shown),
    )


def cost_row(c: Cost) -> CostRow:
    """A budget in words."""
    week = words.NONE if c.week is None else f"{c.week * 100 - 100:+.0f} %".replace("-", "−")
    return CostRow(
        c.budget.name,
        c.budget.title,
        STATES[c.stage],
        WORDS[c.stage],
        _money(c.budget.monthly, c.budget.currency),
        _money(c.spent, c.budget.currency, c.spent_ratio),
        _money(c.forecast, c.budget.currency, c.forecast_ratio),
        week,
        c.why,
        c.budget.owner,
    )


def _money(value: float | None, currency: str, share: float | None = None) -> str:
    if value is None:
        return words.NONE
    return f"{value:,.0f} {currency}" + ("" if share is None else f" ({share * 100:.0f} %)")


def quantity(unit: str) -> Callable[[float | None], str]:
    """How values of a unit are written."""
    return {"bytes": size, "share": words.percent, "seconds": words.seconds, "per_second": words.rate}.get(
        unit, words.count
    )


def size(value: float | None) -> str:
    """Bytes in decimal units.

    >>> size(812_400_000_000), size(0), size(None)
    ('812 GB', '0 B', '–')
    """
    if value is None:
        return words.NONE
    for unit, name in _SIZES:
        if abs(value) >= unit * 0.9995:
            return f"{words.digits(value / unit)} {name}"
    return f"{value:.0f} B"


def day(at_s: float | None) -> str:
    """A date: `14 Feb 2027`.

    >>> day(1_770_000_000), day(None)
    ('2 Feb 2026', 'beyond the horizon')
    """
    if at_s is None:
        return "beyond the horizon"
    when = datetime.fromtimestamp(at_s, UTC)
    return f"{when.day} {when:%b %Y}"


def between(early_s: float | None, late_s: float | None) -> str:
    """Two dates, the year once where it is the same.

    >>> between(1_770_000_000, 1_771_000_000), between(1_770_000_000, None)
    ('2 to 13 Feb 2026', '2 Feb 2026 to beyond the horizon')
    """
    first, last = day(early_s).split(" "), day(late_s).split(" ")
    while late_s is not None and len(first) > 1 and first[-1] == last[len(first) - 1]:
        first.pop()
    return f"{' '.join(first)} to {' '.join(last)}"


def days(seconds: float | None) -> str:
    """Whole days: `12 days`.

    >>> days(86_400.0 * 12.4), days(86_400.0), days(-40 * 86_400.0), days(None)
    ('12 days', '1 day', '−40 days', '–')
    """
    if seconds is None:
        return words.NONE
    number = round(seconds / DAY)
    sign = "−" if number < 0 else ""
    return f"{sign}{words.many(abs(number), 'day')}"


def _breach(s: Standing) -> str:
    if s.breach_s is not None:
        return "now" if s.breach_s <= s.at_s else f"about {day(s.breach_s)}"
    if s.forecast is None:
        return words.NONE
    return f"not within {HORIZON_DAYS // 365} years"


def _slack(s: Standing) -> str:
    if s.slack_s is not None:
        return days(s.slack_s)
    return words.NONE if s.forecast is None else "enough"


def _pace(s: Standing) -> str:
    """How fast it fills."""
    if s.forecast is None or s.current is None:
        return ""
    week = s.forecast.a_day * 7
    if abs(week) < 0.001 * s.limit.critical:
        return "steady"
    shown = quantity(s.limit.unit)(abs(week))
    way = "+" if week > 0 else "−"
    return f"{way}{shown} a week{', growing faster' if s.forecast.exponential else ''}"


def _note(s: Standing) -> str:
    if s.sampled_s is None:
        told = isinstance(s.limit.source, Told)
        how = f": tell it with fairlane capacity record {s.limit.name} VALUE" if told else ""
        return f"No sample yet{how}."
    if s.stage is Stage.UNKNOWN:
        return f"The newest sample is {words.ago(s.at_s - s.sampled_s).removesuffix(' ago')} old: nothing is known now."
    whole = sum(1 for one in s.daily if one < int(s.at_s) // DAY)
    if s.forecast is None:
        return f"No forecast yet: {whole} of {LEAST_DAYS} whole days are known."
    return ""


def _detail(found: Round) -> str:
    """Counts, and what is not known."""
    counts = dict.fromkeys(Stage, 0)
    for stage in (*(s.stage for s in found.standings), *(c.stage for c in found.costs)):
        counts[stage] += 1
    told = (f"{counts[stage]} {WORDS[stage]}" for stage in (Stage.RED, Stage.YELLOW, Stage.OK) if counts[stage])
    unknown = f"{counts[Stage.UNKNOWN]} without data" if counts[Stage.UNKNOWN] else ""
    return ", ".join(part for part in (*told, unknown) if part)
