"""OpenSLO's duration shorthand: a positive whole number and one of m, h, d, w, M, Q, Y."""

import re
from dataclasses import dataclass
from typing import Final

from slo.calendar import Unit
from slo.windows import DAY, HOUR, MINUTE

_SHAPE: Final = re.compile(r"([1-9][0-9]{0,6})([mhdwMQY])")
_SECONDS: Final = {"m": MINUTE, "h": HOUR, "d": DAY, "w": 7 * DAY, "M": 30 * DAY, "Q": 90 * DAY, "Y": 365 * DAY}
_UNITS: Final = {"d": Unit.DAY, "w": Unit.WEEK, "M": Unit.MONTH, "Q": Unit.QUARTER, "Y": Unit.YEAR}


@dataclass(frozen=True, slots=True)
class Duration:
    """A duration as written. As a rolling window a month is 30 days, a quarter 90, a year 365."""

    count: int
    postfix: str

    @property
    def seconds(self) -> int:
        """Its length as a rolling window."""
        return self.count * _SECONDS[self.postfix]

    @property
    def unit(self) -> Unit | None:
        """The calendar period that it is one of, or None: `1M` is a month, `2M` and `12h` are none."""
        return _UNITS.get(self.postfix) if self.count == 1 else None

    def __str__(self) -> str:
        """As written."""
        return f"{self.count}{self.postfix}"


def parse_duration(text: object) -> Duration:
    """`12h`, `4w`, `1M`. Raises ValueError for anything else."""
    found = _SHAPE.fullmatch(text) if isinstance(text, str) else None
    if found is None:
        raise ValueError(
            f"{text!r} is no duration: write a positive whole number and one of m, h, d, w, M, Q, Y, such as 28d or 1M"
        )
    return Duration(int(found[1]), found[2])
