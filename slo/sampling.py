"""Samples of somebody else's metrics to slices. Pure: samples in, minutes out; a minute that was not seen whole gives no slice.

Sampled at every whole minute: `samples[at]` is the value at Unix second `at`; not a number where a sample is there that says nothing.
"""

import math
from collections.abc import Mapping, Sequence
from fractions import Fraction

from slo.slices import SLICE_S, Slice
from slo.source import Op, Timeslices

Samples = Mapping[int, float]


def increase(series: Sequence[Samples], at: int) -> float | None:
    """By how much counters grew in the minute that begins at `at`: each series by itself, a restart counts from zero. None when no series has both ends."""
    ends = [(one[at], one[at + SLICE_S]) for one in series if at in one and at + SLICE_S in one]
    grown = [_grown(before, after) for before, after in ends if math.isfinite(before) and math.isfinite(after)]
    return sum(grown) if grown else None


def total(series: Sequence[Samples], at: int) -> float | None:
    """What all series say of the minute that begins at `at` (they tell it at its end); None when none does."""
    values = [value for value in _at(series, at + SLICE_S) if math.isfinite(value)]
    return sum(values) if values else None


def part(some: Sequence[Samples], whole: Sequence[Samples], at: int, *, counter: bool) -> float | None:
    """How many of the good (or bad) ones there were in the minute that begins at `at`, of which `whole` are all: 0 where all were seen and no series of these exists.

    A label value without an event has no series, so its absence is a count and no gap. None where nothing is known: all were not seen either, a sample is
    no number, or counters have gone within the minute and it is not yet known whether they stay away (they may only be late). Counters that come up within
    the minute are counted from where they were last seen, else from zero, unless some of `whole` come up with them: of those nobody knows where they began.
    """
    end = at + SLICE_S
    known = increase(some, at) if counter else total(some, at)
    if counter and known is not None:
        return known + _risen(some, whole, at)
    if known is not None or not _at(whole, end) or (counter and not _at(whole, at)):
        return known
    now, before = _at(some, end), _at(some, at)
    if not counter:
        return None if now else 0.0
    if not all(map(math.isfinite, (*now, *before))):
        return None
    if before and not now:
        later = end + SLICE_S
        return 0.0 if _at(whole, later) and not _at(some, later) else None
    return _risen(some, whole, at)


def ratio_slice(good: float | None, bad: float | None, whole: float | None) -> Slice | None:
    """A minute of good or bad (the other is None) over all. None when it was not seen; no traffic is a slice with nothing due.

    Counts are rounded to whole events; good never exceeds the total (two queries are never read at the very same moment).
    """
    part = good if good is not None else bad
    if whole is None and part is None:
        return None
    due = max(round(whole or 0.0), 0)
    counted = min(max(round(part or 0.0), 0), due)
    return Slice(counted if good is not None or bad is None else due - counted, due, due, SLICE_S)


def raw_slice(value: float | None, op: Op, threshold: float) -> Slice | None:
    """A minute of a value that is good or not: one event. None when it was not seen."""
    if value is None or value != value:  # noqa: PLR0124 - not a number: a quantile without traffic
        return None
    return Slice(int(op.holds(value, threshold)), 1, 1, SLICE_S)


def by_timeslices(minutes: Mapping[int, Slice], how: Timeslices) -> dict[int, Slice]:
    """Minutes as seconds of good or bad time slices: a slice is good when the share of good in it is at least the target, or when nothing was due.

    A time slice of which a minute is missing is left out: it may yet come.
    """
    found: dict[int, Slice] = {}
    for begin in sorted({at // how.slice_s * how.slice_s for at in minutes}):
        inside = [minutes.get(at) for at in range(begin, begin + how.slice_s, SLICE_S)]
        known = [part for part in inside if part is not None]
        if len(known) < len(inside):
            continue
        good, due = sum(part.good for part in known), sum(part.total for part in known)
        held = due == 0 or Fraction(good, due) >= Fraction(how.target)
        for at in range(begin, begin + how.slice_s, SLICE_S):
            found[at] = Slice(SLICE_S if held else 0, SLICE_S, SLICE_S, SLICE_S)
    return found


def _grown(before: float, after: float) -> float:
    return after - before if after >= before else after


def _risen(some: Sequence[Samples], whole: Sequence[Samples], at: int) -> float:
    """What counters that come up within the minute count in it; nothing when some of `whole` come up with them."""
    end = at + SLICE_S
    if any(end in one and at not in one for one in whole):
        return 0.0
    risen = [one for one in some if end in one and at not in one and math.isfinite(one[end])]
    return sum(_grown(_last(one, at), one[end]) for one in risen)


def _at(series: Sequence[Samples], at: int) -> list[float]:
    return [one[at] for one in series if at in one]


def _last(one: Samples, at: int) -> float:
    """The value of the newest sample before `at`; 0 without one."""
    known = [when for when in one if when < at and math.isfinite(one[when])]
    return one[max(known)] if known else 0.0
