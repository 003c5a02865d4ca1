"""A quantity over time: straight lines between points, with jumps where two points share a time."""

from bisect import bisect_right
from dataclasses import dataclass
from itertools import pairwise

Point = tuple[float, float]
SUDDEN = 0.002
"""Share of the larger value: a load that changes by so much every second has changed by a fiftieth within ten."""


@dataclass(frozen=True, slots=True)
class Curve:
    """`points` are (seconds, value) in order of time; constant before the first and after the last. At a jump the later value holds."""

    points: tuple[Point, ...]

    def __post_init__(self) -> None:
        if not self.points:
            raise ValueError("a curve needs a point")
        if any(a[0] > b[0] for a, b in pairwise(self.points)):
            raise ValueError("a curve's points must be in order of time")

    def at(self, t: float) -> float:
        """The value at `t`."""
        after = bisect_right(self.points, (t, float("inf")))
        if after == 0:
            return self.points[0][1]
        if after == len(self.points):
            return self.points[-1][1]
        (t0, v0), (t1, v1) = self.points[after - 1], self.points[after]
        return v0 + (v1 - v0) * (t - t0) / (t1 - t0)

    def mean(self, begin: float, end: float) -> float:
        """The mean over [begin, end), exact; the value at `begin` for an empty span."""
        if end <= begin:
            return self.at(begin)
        first = bisect_right(self.points, (begin, float("inf")))
        last = bisect_right(self.points, (end, float("-inf")))
        cuts = [begin, *(t for t, _ in self.points[first:last]), end]
        total = 0.0
        for a, b in pairwise(cuts):
            # each piece is a straight line: its middle is its mean
            total += self.at((a + b) / 2) * (b - a)
        return total / (end - begin)

    def times(self) -> tuple[float, ...]:
        """When it bends or jumps."""
        return tuple(sorted({t for t, _ in self.points}))

    def sudden(self) -> tuple[float, ...]:
        """When it jumps, or begins or ends to change by SUDDEN or more a second."""
        found: set[float] = set()
        for (t0, v0), (t1, v1) in pairwise(self.points):
            if v0 != v1 and abs(v1 - v0) >= SUDDEN * max(abs(v0), abs(v1)) * (t1 - t0):
                found |= {t0, t1}
        return tuple(sorted(found))

    @staticmethod
    def flat(value: float) -> "Curve":
        """The same at all times."""
        return Curve(((0.0, value),))

    @staticmethod
    def step(before: float, *spans: tuple[float, float, float]) -> "Curve":
        """`before` outside the `spans` (begin, end, value), which are in order and do not overlap."""
        points: list[Point] = [(0.0, before)]
        for begin, end, value in spans:
            points += [(begin, before), (begin, value), (end, value), (end, before)]
        return Curve(tuple(points))

    @staticmethod
    def ramp(before: float, begin: float, top: float, value: float, end: float, after: float | None = None) -> "Curve":
        """`before` until `begin`, rising to `value` at `top`, held until `end`, then `after` (by default `before`) at once."""
        last = before if after is None else after
        return Curve(((0.0, before), (begin, before), (top, value), (end, value), (end, last)))


ONE = Curve.flat(1.0)
