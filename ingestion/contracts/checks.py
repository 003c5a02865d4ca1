"""Is a decoded value what the contract says? One check for each type of field; they raise ValueError and return the value to use."""

import math
from collections.abc import Callable
from typing import Any, Final

from ingestion.contracts.loads import MOST_PARTITIONS
from ingestion.contracts.names import Lane

Check = Callable[[Any], Any]
MOST_INTERVAL_S: Final = 3600.0
"""A report about a longer time is a broken message."""


def text(value: Any) -> str:
    """Text."""
    if type(value) is not str:
        raise ValueError("not a text")
    return value


def count(value: Any) -> int:
    """A whole number, not negative."""
    if type(value) is not int or value < 0:
        raise ValueError("not a count")
    return value


def positive(value: Any) -> int:
    """A whole number over 0: somebody divides by it."""
    if count(value) < 1:
        raise ValueError("not over 0")
    return int(value)


def offset(value: Any) -> int:
    """A whole number; Kafka has negative ones for "none"."""
    if type(value) is not int:
        raise ValueError("not an offset")
    return value


def partition(value: Any) -> int:
    """A partition number."""
    if count(value) >= MOST_PARTITIONS:
        raise ValueError("an impossible partition number")
    return int(value)


def number(value: Any) -> float:
    """A finite number, of either sign: clocks may be set back."""
    if type(value) not in {int, float} or not math.isfinite(value):
        raise ValueError("not a number")
    return float(value)


def amount(value: Any) -> float:
    """A finite number, not negative."""
    if number(value) < 0:
        raise ValueError("a negative amount")
    return float(value)


def interval(value: Any) -> float:
    """Seconds that a report is about."""
    if amount(value) > MOST_INTERVAL_S:
        raise ValueError("an impossible interval")
    return float(value)


def flag(value: Any) -> bool:
    """True or False."""
    if type(value) is not bool:
        raise ValueError("not a flag")
    return value


def optional(check: Check) -> Check:
    """None, or what `check` asks for."""
    return lambda value: None if value is None else check(value)


def many(check: Check) -> Check:
    """A tuple of what `check` asks for."""

    def each(values: Any) -> tuple[Any, ...]:
        if type(values) is not list:
            raise ValueError("not a list")
        return tuple(map(check, values))

    return each


def pair(first: Check, second: Check) -> Check:
    """A tuple of two."""

    def both(values: Any) -> tuple[Any, Any]:
        one, two = values
        return first(one), second(two)

    return both


BY_TYPE: Final[dict[object, Check]] = {
    str: text,
    int: count,
    float: amount,
    bool: flag,
    Lane: Lane,
    Lane | None: optional(Lane),
    int | None: optional(count),
}
