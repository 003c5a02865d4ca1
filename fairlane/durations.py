"""Durations as people write them: a number with its unit."""

import re
from typing import Final

from slo.errors import UsageError

_UNITS: Final = {"s": 1.0, "m": 60.0, "h": 3600.0, "d": 86_400.0}
MOST_S: Final = 36_500 * 86_400.0
"""A century; what is longer fits neither a calendar nor a database."""


def duration_s(text: str, name: str = "--for") -> float | None:
    """`30m` as seconds, "" as None. Raises UsageError, naming `name`, for anything else than a positive number with s, m, h or d, and for more than MOST_S.

    >>> duration_s("1.5h"), duration_s("")
    (5400.0, None)
    """
    if not text:
        return None
    found = re.fullmatch(r"([0-9]+(?:\.[0-9]+)?)([smhd])", text.strip())
    if found is None or float(found[1]) <= 0:
        raise UsageError(f"{name} {text}: write a positive number with its unit: 90s, 30m, 2h or 1d")
    seconds = float(found[1]) * _UNITS[found[2]]
    if seconds > MOST_S:
        raise UsageError(f"{name} {text}: a century (36500d) is the most")
    return seconds
