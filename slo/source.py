"""Where an objective's counts come from: our own lanes, a Prometheus query, or whoever pushes them."""

from dataclasses import dataclass
from decimal import Decimal
from enum import StrEnum
from typing import Final


class Op(StrEnum):
    """How a raw value is compared with its threshold: good when `value OP threshold` holds."""

    LT = "lt"
    LTE = "lte"
    GT = "gt"
    GTE = "gte"

    def holds(self, value: float, threshold: float) -> bool:
        """Is the value good?"""
        return {
            Op.LT: value < threshold,
            Op.LTE: value <= threshold,
            Op.GT: value > threshold,
            Op.GTE: value >= threshold,
        }[self]


@dataclass(frozen=True, slots=True)
class Lanes:
    """Counted by our own workers, probe and capture."""


@dataclass(frozen=True, slots=True)
class Ratio:
    """Two PromQL expressions of counters; `good` or `bad` is empty, the other is counted against `total`.

    `counter`: the expressions are monotone counters and are read with `increase(...[slice])`; else they already give counts per slice.
    """

    url: str
    total: str
    good: str = ""
    bad: str = ""
    counter: bool = True


@dataclass(frozen=True, slots=True)
class Raw:
    """One PromQL expression that gives a value a slice; good when `value op threshold`."""

    url: str
    query: str
    op: Op
    threshold: float


@dataclass(frozen=True, slots=True)
class Push:
    """Somebody posts slices to `POST /v1/slis/{name}`."""


LANES: Final = Lanes()
Source = Lanes | Ratio | Raw | Push


@dataclass(frozen=True, slots=True)
class Timeslices:
    """OpenSLO's Timeslices: a slice of `slice_s` seconds is good when the share of good in it is at least `target` (1 for a raw value)."""

    slice_s: int = 60
    target: Decimal = Decimal(1)
