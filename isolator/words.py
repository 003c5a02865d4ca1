"""Numbers and names as an operator reads them: three significant digits, units, tokens shortened in the middle."""

from collections.abc import Sequence


def number(value: float) -> str:
    """Three significant digits, thousands as k and M.

    >>> number(0.12345), number(31.4), number(48_200), number(0)
    ('0.123', '31.4', '48.2k', '0')
    """
    for size, suffix in ((1e6, "M"), (1e4, "k")):
        if abs(value) >= size:
            return f"{value / (size if suffix == 'M' else 1e3):.3g}{suffix}"
    return f"{value:.3g}" if abs(value) < 1000 else f"{value:,.0f}"


def duration(seconds: float) -> str:
    """Seconds in the unit that a person would use.

    >>> duration(0.41), duration(9.2), duration(190), duration(7300), duration(0.0004)
    ('0.41 s', '9.2 s', '3.2 min', '2 h', '0.4 ms')
    """
    if seconds >= 5400:
        return f"{seconds / 3600:.2g} h"
    if seconds >= 100:
        return f"{seconds / 60:.2g} min" if seconds < 600 else f"{seconds / 60:.0f} min"
    if seconds >= 10:
        return f"{seconds:.0f} s"
    return f"{seconds:.2g} s" if seconds >= 0.1 or seconds <= 0 else f"{seconds * 1e3:.2g} ms"


def percent(ratio: float) -> str:
    """A ratio as per cent.

    >>> percent(0.834), percent(0.004), percent(0.9999)
    ('83 %', '0.4 %', '99.99 %')
    """
    value = ratio * 100
    return f"{value:.2g} %" if value < 99 else f"{value:.4g} %"


def times(ratio: float) -> str:
    """A multiple, "over 10,000" when the exact figure says nothing.

    >>> times(31.2), times(2.96), times(25_000)
    ('31x', '3x', 'over 10,000x')
    """
    if ratio > 10_000:
        return "over 10,000x"
    return f"{ratio:,.0f}x" if ratio >= 10 else f"{ratio:.2g}x"


def short(token: str) -> str:
    """A token that fits in a line; the page shows the whole one on demand.

    >>> short('phc_abcdefghijklmnopqrstuvw'), short('tenant-7')
    ('phc_abcd…uvw', 'tenant-7')
    """
    return token if len(token) <= 16 else f"{token[:8]}…{token[-3:]}"


def partitions(numbers: Sequence[int], total: int = 0) -> str:
    """How many partitions, named when they are few.

    >>> partitions([3]), partitions([1, 4]), partitions(range(12), 12), partitions(range(9), 12)
    ('partition 3', 'partitions 1 and 4', 'all 12 partitions', '9 of 12 partitions')
    """
    few = list(numbers)
    if total > 1 and len(few) == total:
        return f"all {total} partitions"
    if len(few) == 1:
        return f"partition {few[0]}"
    if 1 < len(few) <= 3:
        return f"partitions {', '.join(map(str, few[:-1]))} and {few[-1]}"
    return f"{len(few)} of {total} partitions" if total else f"{len(few)} partitions"
