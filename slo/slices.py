"""A slice: a fixed step of an SLI as counts, never as a ratio. Sums are taken apart and divided last."""

from collections.abc import Iterable
from dataclasses import dataclass
from fractions import Fraction
from typing import Final

SLICE_S: Final = 60
"""Seconds of the finest slice."""


@dataclass(frozen=True, slots=True)
class Slice:
    """Counts of one step, or of any sum of steps: adding is associative and commutative, so splitting and merging change nothing.

    `total` is what is divided by: events that are due (resolved, or unresolved past the deadline), or observed seconds of a time-slice SLI.
    `expected` is what should be there: events appended, or seconds of the step. `observed` is for how many seconds of the step telemetry told what
    to expect: it tells no data (0) from no traffic (the whole step, with `expected` 0).

    Raises ValueError for a negative count or more good than total.
    """

    good: int = 0
    total: int = 0
    expected: int = 0
    observed: int = 0

    def __post_init__(self) -> None:
        """Hold the invariant."""
        if not 0 <= self.good <= self.total or self.expected < 0 or self.observed < 0:
            raise ValueError(f"a slice has 0 <= good <= total, expected >= 0 and observed >= 0, not {self}")

    def __add__(self, other: "Slice") -> "Slice":
        """Both steps together."""
        return Slice(
            self.good + other.good,
            self.total + other.total,
            self.expected + other.expected,
            self.observed + other.observed,
        )

    @property
    def bad(self) -> int:
        """What is due and not good."""
        return self.total - self.good

    @property
    def error_ratio(self) -> Fraction | None:
        """Bad over total, exactly; None when nothing was due."""
        return Fraction(self.bad, self.total) if self.total else None


EMPTY: Final = Slice()


def add_up(slices: Iterable[Slice]) -> Slice:
    """The sum of `slices`; EMPTY for none."""
    good = total = expected = observed = 0
    for part in slices:
        good += part.good
        total += part.total
        expected += part.expected
        observed += part.observed
    return Slice(good, total, expected, observed)


def coverage(observed_s: int, due_s: int) -> Fraction | None:
    """Share of the `due_s` seconds that were observed, at most 1; None when none are due yet."""
    return min(Fraction(observed_s, due_s), Fraction(1)) if due_s > 0 else None
