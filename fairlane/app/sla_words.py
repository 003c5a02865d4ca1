"""How SLA pages say numbers: shares rounded down, so that a broken promise never looks kept; budgets as time; local times with their zone. Pure."""

import re
from datetime import UTC, date, datetime
from decimal import ROUND_FLOOR, Decimal
from fractions import Fraction
from typing import Final

from fairlane.app import words
from slo.calendar import zone_of

MONTHS: Final = (
    "January February March April May June July August September October November December".split()  # noqa: SIM905 - reads as a sentence
)


def achieved(value: Fraction | None, target: str) -> str:
    """A share as per cent, rounded down to one digit more than the target has (two at least).

    >>> achieved(Fraction(99996, 100000), "0.999"), achieved(Fraction(9998999, 10000000), "0.9999"), achieved(Fraction(1), "0.999"), achieved(None, "0.9")
    ('99.99 %', '99.989 %', '100 %', '–')
    """
    if value is None:
        return words.NONE
    exponent = Decimal(target).normalize().as_tuple().exponent
    places = max(-int(exponent) - 2 + 1, 2)
    return f"{_cut(value * 100, places, ROUND_FLOOR)} %"


def promised(target: str) -> str:
    """The target as per cent, exactly: `99.9 %`."""
    return f"{(Decimal(target) * 100).normalize():f} %"


def spent(spent_s: float, whole_s: float) -> str:
    """An error budget as time: `17 of 43.2 min`.

    >>> spent(1020, 2592), spent(0, 2592), spent(3110, 2592), spent(1, 2592), spent(90_000, 864_000)
    ('17 of 43.2 min', 'none of 43.2 min', '51.8 of 43.2 min', '1 s of 43.2 min', '25 h of 10 d')
    """
    number, unit = words.seconds(whole_s).split(" ")
    if not spent_s:
        return f"none of {number} {unit}"
    size = {"d": 86_400.0, "h": 3_600.0, "min": 60.0, "s": 1.0}[unit]
    if spent_s >= 2 * size or unit == "s":
        return f"{words.digits(spent_s / size)} of {number} {unit}"
    return f"{words.seconds(spent_s)} of {number} {unit}"


def complete(value: Fraction | None) -> str:
    """How much was observed, rounded down: `99.98 %`; never 100 % when a second is missing."""
    return words.NONE if value is None else f"{_cut(value * 100, 2, ROUND_FLOOR)} %"


def lost(value: Fraction | None) -> str:
    """A small share, rounded up: `0.4 %`."""
    if value is None:
        return words.NONE
    percent = float(value) * 100
    return f"{words.digits(percent)} %" if percent >= 0.001 or not percent else "<0.001 %"


def month(name: str) -> str:
    """`2026-10` as `October 2026`."""
    year, number = name.split("-")
    return f"{MONTHS[int(number) - 1]} {year}"


def day(text: str) -> str:
    """`2026-10-21` as `21 Oct`."""
    one = date.fromisoformat(text)
    return f"{one.day} {MONTHS[one.month - 1][:3]}"


def span(begin: int, end: int, zone: str) -> str:
    """Two instants (Unix seconds) in local time: `21 Oct 14:02–14:19`, `30 Oct 23:50 – 31 Oct 00:10`."""
    a, b = (datetime.fromtimestamp(at, zone_of(zone)) for at in (begin, end))
    left = f"{a.day} {MONTHS[a.month - 1][:3]} {a:%H:%M}"
    if a.date() == b.date() and a.utcoffset() == b.utcoffset():
        return f"{left}–{b:%H:%M}"
    # where clocks were changed in between, local times alone would mislead
    names = (f" {a:%Z}", f" {b:%Z}") if a.utcoffset() != b.utcoffset() else ("", "")
    right = f"{b:%H:%M}" if a.date() == b.date() else f"{b.day} {MONTHS[b.month - 1][:3]} {b:%H:%M}"
    return f"{left}{names[0]} – {right}{names[1]}"


def span_utc(begin: int, end: int) -> str:
    """The same in UTC, exactly."""
    a, b = (datetime.fromtimestamp(at, UTC) for at in (begin, end))
    return f"{a:%Y-%m-%d %H:%M} to {b:%Y-%m-%d %H:%M} UTC"


def on(at_s: float, zone: str) -> str:
    """A day: `2 Nov 2026`."""
    one = datetime.fromtimestamp(at_s, zone_of(zone))
    return f"{one.day} {MONTHS[one.month - 1][:3]} {one.year}"


def tied(text: str) -> str:
    """Numbers stay on one line with their units: `30 s` must not be torn."""
    return re.sub(r"(?<=\d) (?=(?:s|min|h|d|days?|%)(?:\W|$))", "\N{NO-BREAK SPACE}", text)


def inside(title: str) -> str:
    """A title inside a sentence: `“Events visible within 30 s”`."""
    return f"“{title}”"


def _cut(value: Fraction, places: int, how: str) -> str:
    exact = Decimal(value.numerator) / Decimal(value.denominator)
    step = Decimal(1).scaleb(-places)
    text = f"{exact.quantize(step, rounding=how):f}"
    return text.rstrip("0").rstrip(".") if "." in text else text
