"""Numbers as people read them: three significant digits, always a unit, time as distance with the exact moment beside it. Pure."""

from datetime import UTC, datetime
from typing import Final

from isolator.words import short

NONE: Final = "–"
"""What stands where there is no value; never a zero."""

_TIME_UNITS: Final = ((86_400.0, "d"), (3_600.0, "h"), (60.0, "min"))
_COUNT_UNITS: Final = ((1e9, "G"), (1e6, "M"), (1e3, "k"))


def digits(value: float) -> str:
    """At most three significant digits, no exponent, no trailing zeros after the point.

    >>> [digits(v) for v in (0.0, 0.41234, 3.14159, 31.0, 212.4, 999.7)]
    ['0', '0.412', '3.14', '31', '212', '1000']
    """
    size = abs(value)
    if size < 0.0005:
        return "0"
    places = 0 if size >= 100 else 1 if size >= 10 else 2 if size >= 1 else 3
    text = f"{value:.{places}f}"
    return text.rstrip("0").rstrip(".") if "." in text else text


def count(value: float | None) -> str:
    """A number of things: exact with thousands separators below 10,000, then three digits and k, M or G.

    >>> [count(v) for v in (0, 5012, 48_213, 1_250_000, None)]
    ['0', '5,012', '48.2k', '1.25M', '–']
    """
    if value is None:
        return NONE
    if abs(value) < 10_000:
        return f"{round(value):,}"
    for size, unit in _COUNT_UNITS:
        # 999,950 would print as 1000k: the next unit takes over where rounding would reach it
        if abs(value) >= size * 0.9995:
            return f"{digits(value / size)}{unit}"
    return f"{round(value):,}"  # pragma: no cover - the loop ends at 1,000


def rate(value: float | None) -> str:
    """A number of things a second: whole above 10,000 as `count`, three digits below."""
    if value is None:
        return NONE
    return f"{count(value) if value >= 100 else digits(value)}/s"


def seconds(value: float | None) -> str:
    """A measured duration in one unit.

    >>> [seconds(v) for v in (0, 0.4, 94.2, 186, 9000, 200_000, None)]
    ['0 s', '0.4 s', '94.2 s', '3.1 min', '2.5 h', '2.31 d', '–']
    """
    if value is None:
        return NONE
    for size, unit in _TIME_UNITS:
        # a unit begins at two of it: "94 s" is read faster than "1.57 min"
        if value >= 2 * size:
            return f"{digits(value / size)} {unit}"
    return f"{digits(value)} s"


def span(value: float | None) -> str:
    """A duration in words, rounded as speech does: for forecasts and budgets, where a third digit would be a lie.

    >>> [span(v) for v in (30, 300, 5_400, 100_000, 200_000, None)]
    ['30 s', '5 min', '90 min', '28 h', '2 days', '–']
    """
    if value is None:
        return NONE
    if value < 90:
        return f"{value:.0f} s"
    if value < 2 * 3_600:
        return f"{value / 60:.0f} min"
    if value < 2 * 86_400:
        return f"{value / 3_600:.0f} h"
    return f"{value / 86_400:.0f} days"


def budget(left: float | None, total_s: float | None) -> str:
    """An error budget as time: `left` is a fraction of `total_s`, below 0 when overspent.

    >>> budget(0.42, 2592), budget(-0.2, 2592), budget(1.0, 259.2), budget(None, 259.2)
    ('18 of 43 min left', 'overspent by 9 of 43 min', 'all of 4.32 min left', '–')
    """
    if left is None or total_s is None:
        return NONE
    size, unit = (86_400.0, "days") if total_s >= 2 * 86_400 else (3_600.0, "h") if total_s >= 7_200 else (60.0, "min")
    total = total_s / size
    whole = digits(total) if total < 10 else f"{total:.0f}"
    if left < 0:
        return f"overspent by {max(round(-left * total_s / size), 1)} of {whole} {unit}"
    if left >= 0.9995:
        return f"all of {whole} {unit} left"
    part = left * total
    # "43 of 43 left" would hide that something was spent, "0 of 43" that something is left
    shown = digits(part) if total < 10 or part < 1 or round(part) == round(total) else f"{part:.0f}"
    return f"{shown} of {whole} {unit} left"


def ago(value: float | None) -> str:
    """How long ago, in words.

    >>> [ago(v) for v in (0.4, 42, 250, 7_300, 200_000, None)]
    ['just now', '42 s ago', '4 min ago', '2 h ago', '2 days ago', 'never']
    """
    if value is None:
        return "never"
    if value < 2:
        return "just now"
    if value < 60:
        return f"{value:.0f} s ago"
    if value < 3_600:
        return f"{value // 60:.0f} min ago"
    if value < 2 * 86_400:
        return f"{value // 3_600:.0f} h ago"
    return f"{value // 86_400:.0f} days ago"


def times(value: float | None) -> str:
    """A multiple: burn rates, work against a baseline.

    >>> times(14.4), times(0.03), times(None)
    ('14.4x', '0.03x', '–')
    """
    if value is None:
        return NONE
    return f"{count(value) if value >= 1000 else digits(value)}x"


def percent(share: float | None) -> str:
    """A share of one as per cent; never rounds something to 0 % or less than all to 100 %.

    >>> percent(0.83), percent(0.0000001), percent(0.99999), percent(1.0)
    ('83 %', '<0.001 %', '99.999 %', '100 %')
    """
    if share is None:
        return NONE
    value = share * 100
    if 0 < value < 0.001:
        return "<0.001 %"
    if 99.9 < value < 100:
        return f"{min(value, 99.999):.3f}".rstrip("0") + " %"
    return f"{digits(value)} %"


def token(name: str) -> str:
    """A token shortened in the middle as verdicts shorten it; the whole of it stands in the markup.

    >>> token("acme"), token("phc_ab12cd34ef56gh789f")
    ('acme', 'phc_ab12…89f')
    """
    return short(name)


def iso(at_s: float) -> str:
    """The exact moment for machines: `2026-10-21T12:04:31Z`."""
    return datetime.fromtimestamp(at_s, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def utc(at_s: float) -> str:
    """The exact moment for people: `2026-10-21 12:04:31 UTC`."""
    return datetime.fromtimestamp(at_s, UTC).strftime("%Y-%m-%d %H:%M:%S UTC")


def clock(at_s: float) -> str:
    """The time of day: `12:04:31 UTC`."""
    return datetime.fromtimestamp(at_s, UTC).strftime("%H:%M:%S UTC")


def many(number: int, one: str, more: str = "") -> str:
    """A counted noun: `1 token`, `5,012 tokens`.

    >>> many(1, "token"), many(5012, "token"), many(2, "entry", "entries")
    ('1 token', '5,012 tokens', '2 entries')
    """
    return f"{count(number)} {one if number == 1 else more or one + 's'}"
