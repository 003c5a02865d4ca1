"""Calendar periods in any IANA zone: months and quarters that begin at local midnight, however long their days are.

A day has 23, 24 or 25 hours where clocks are changed; a period's bounds are instants, so nothing is counted twice or left out.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from enum import StrEnum
from functools import cache
from typing import Final
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError, available_timezones

from slo.errors import ConfigError

UTC: Final = "UTC"
NO_ZONES: Final = frozenset({"localtime", "posixrules", "Factory"})
"""Names that stand beside the zones on some machines and mean another on each."""
_PERIOD: Final = re.compile(r"(?P<year>[0-9]{4})(?:-Q(?P<quarter>[1-4])|-(?P<month>[0-9]{2})(?:-(?P<day>[0-9]{2}))?)?")


class Unit(StrEnum):
    """How long a calendar period is."""

    DAY = "day"
    WEEK = "week"
    """Monday to Sunday (ISO 8601)."""
    MONTH = "month"
    QUARTER = "quarter"
    YEAR = "year"


@dataclass(frozen=True, slots=True, order=True)
class Period:
    """From local midnight of `first` to local midnight of `until` (excluded), as Unix seconds [begin, end)."""

    first: date
    until: date
    begin: int
    end: int

    @property
    def seconds(self) -> int:
        """How long it really is: clock changes included."""
        return self.end - self.begin

    @property
    def name(self) -> str:
        """`2026-10` for a month, `2026-Q4` for a quarter, `2026` for a year, the first day otherwise."""
        days = (self.until - self.first).days
        if days <= 7:
            return self.first.isoformat()
        if days <= 31:
            return self.first.isoformat()[:7]
        year = f"{self.first.year:04}"
        return f"{year}-Q{(self.first.month + 2) // 3}" if days <= 92 else year


@dataclass(frozen=True, slots=True)
class Calendar:
    """Calendar periods of one unit in one zone. Raises ConfigError for a zone that does not exist."""

    unit: Unit
    zone: str = UTC

    def __post_init__(self) -> None:
        """Refuse unknown zones."""
        zone_of(self.zone)

    def at(self, seconds: float) -> Period:
        """The period that an instant (Unix seconds) belongs to."""
        return self.of(datetime.fromtimestamp(seconds, zone_of(self.zone)).date())

    def of(self, day: date) -> Period:
        """The period that a day belongs to."""
        first = _first(self.unit, day)
        until = _next(self.unit, first)
        return Period(first, until, midnight(first, self.zone), midnight(until, self.zone))

    def previous(self, period: Period) -> Period:
        """The period before."""
        return self.of(period.first - timedelta(days=1))

    def days(self, period: Period) -> Iterator[Period]:
        """The days of a period, in order; their bounds meet exactly."""
        one = Calendar(Unit.DAY, self.zone)
        day = period.first
        while day < period.until:
            yield one.of(day)
            day += timedelta(days=1)


@cache
def zone_of(name: str) -> ZoneInfo:
    """The zone called `name`. Raises ConfigError, with the nearest names, when there is none."""
    try:
        if not name or name.startswith(("/", ".")) or name in NO_ZONES:
            raise ValueError(name)
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        from difflib import get_close_matches

        near = get_close_matches(name, available_timezones(), n=3)
        hint = f"; did you mean {', '.join(near)}?" if near else "; use an IANA name such as Europe/Berlin or UTC"
        raise ConfigError(f"zone: there is no time zone '{name}'{hint}") from None


def midnight(day: date, zone: str) -> int:
    """Unix second at which a local day begins: its first instant, also where midnight itself is skipped or comes twice."""
    return int(datetime.combine(day, time.min, zone_of(zone)).timestamp())


def parse_period(text: str, zone: str = UTC) -> tuple[Calendar, Period]:
    """`2026-10`, `2026-Q4`, `2026` or `2026-10-21` as a period; `Period.name` writes these.

    Raises ConfigError for every other shape (also the others of ISO 8601, and other digits), and for what does not exist (2026-13, 2026-02-30).
    """
    found = _PERIOD.fullmatch(text)
    try:
        if found is None:
            raise ValueError(text)
        year, quarter, month, day = (
            int(one) if one else None for one in found.group("year", "quarter", "month", "day")
        )
        first = date(
            year or 0, 3 * quarter - 2 if quarter else 1 if month is None else month, 1 if day is None else day
        )
        parts = {Unit.DAY: day, Unit.MONTH: month, Unit.QUARTER: quarter}
        unit = next((unit for unit, part in parts.items() if part is not None), Unit.YEAR)
        calendar = Calendar(unit, zone)
        return calendar, calendar.of(first)
    except (ValueError, OverflowError):  # of the year 9999 there is no end
        raise ConfigError(
            f"period: '{text}' is no period that exists; write 2026-10, 2026-Q4, 2026 or 2026-10-21"
        ) from None


def _first(unit: Unit, day: date) -> date:
    if unit is Unit.WEEK:
        return day - timedelta(days=day.weekday())
    if unit is Unit.MONTH:
        return day.replace(day=1)
    if unit is Unit.QUARTER:
        return day.replace(month=(day.month - 1) // 3 * 3 + 1, day=1)
    return day.replace(month=1, day=1) if unit is Unit.YEAR else day


def _next(unit: Unit, first: date) -> date:
    days = {Unit.DAY: 1, Unit.WEEK: 7, Unit.MONTH: 31, Unit.QUARTER: 92, Unit.YEAR: 366}[unit]
    later = first + timedelta(days=days)
    return later if unit in {Unit.DAY, Unit.WEEK} else _first(unit, later)
