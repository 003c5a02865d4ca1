"""Functions over the samples of a range, as Prometheus defines them."""

from collections.abc import Callable, Mapping, Sequence
from itertools import pairwise
from types import MappingProxyType
from typing import Final

from fairlane.pager.promql.samples import Sample

Samples = Sequence[Sample]


def increase(samples: Samples, begin: float, end: float) -> float | None:
    """How much a counter grew, extrapolated to the range; None with fewer than two samples."""
    return _extrapolated(samples, begin, end, counter=True)


def rate(samples: Samples, begin: float, end: float) -> float | None:
    """The increase a second."""
    return _extrapolated(samples, begin, end, counter=True, per_s=end - begin)


def delta(samples: Samples, begin: float, end: float) -> float | None:
    """How much a gauge changed, extrapolated to the range; None with fewer than two samples."""
    return _extrapolated(samples, begin, end, counter=False)


def _extrapolated(samples: Samples, begin: float, end: float, *, counter: bool, per_s: float = 1.0) -> float | None:
    """Prometheus' `extrapolatedRate` (promql/functions.go, 2.42), in its order of operations."""
    if len(samples) < 2:
        return None
    values = [value for _, value in samples]
    change = values[-1] - values[0]
    if counter:
        change += sum(before for before, after in pairwise(values) if after < before)
    first, last = samples[0][0], samples[-1][0]
    to_start, to_end = first - begin, end - last
    sampled = last - first
    if sampled <= 0:
        return None
    average = sampled / (len(samples) - 1)
    if counter and change > 0 and values[0] >= 0:
        to_start = min(to_start, sampled * (values[0] / change))
    covered = sampled
    covered += to_start if to_start < average * 1.1 else average / 2
    covered += to_end if to_end < average * 1.1 else average / 2
    return change * (covered / sampled / per_s)


def _values(reduce: Callable[[list[float]], float]) -> "RangeFunction":
    return lambda samples, _begin, _end: reduce([value for _, value in samples])


RangeFunction = Callable[[Samples, float, float], float | None]
FUNCTIONS: Final[Mapping[str, RangeFunction]] = MappingProxyType(
    {
        "increase": increase,
        "delta": delta,
        "rate": rate,
        "last_over_time": _values(lambda values: values[-1]),
        "max_over_time": _values(max),
        "min_over_time": _values(min),
        "avg_over_time": _values(lambda values: sum(values) / len(values)),
        "sum_over_time": _values(sum),
        "count_over_time": _values(len),
    }
)
"""By name; each takes samples and the range's begin and end."""
