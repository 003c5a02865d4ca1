"""A trace as a plan: its large tokens as sources, all others as a crowd, and who of them is to blame when a consumer is overloaded.

What was learned of a token is its mean over the whole trace: as if yesterday had been like today. A token is to blame while a consumer that it loads is overloaded
and its work is at least BLAME_TIMES that mean and BLAME_SHARE of a consumer.
"""

from dataclasses import dataclass, replace
from typing import Final

import numpy as np

from isolator.interner import Floats
from isolator.simulate.crowd import Crowd, shares
from isolator.simulate.curve import Curve, Point
from isolator.simulate.plan import Plan, Source, Span
from isolator.simulate.settings import Settings
from isolator.simulate.sums import summed
from isolator.simulate.traces import Trace
from slo.errors import UsageError

LARGE: Final = 0.02
"""Share of a consumer's capacity from which a token can matter."""
MOST_SOURCES: Final = 128
BLAME_TIMES: Final = 3.0
BLAME_SHARE: Final = 0.02
LONGEST_S: Final = 31 * 86_400.0
SHORTEST_S: Final = 1e-3
BACKGROUND: Final = 0.3
"""Utilisation by the background, and by the trace's mean where the capacity is not given."""


@dataclass(frozen=True, slots=True)
class Traced:
    """A trace made ready."""

    plan: Plan
    settings: Settings
    """With the capacity that was fitted, if it was."""
    load: float
    """The trace's mean work/s over the general lane's capacity."""


def plan(trace: Trace, settings: Settings, *, fit: bool) -> Traced:
    """The plan of `trace`. Raises UsageError when it is too long or too short. With `fit` the slots' capacity is chosen so that the trace's mean is BACKGROUND of the general lane; else `settings` gives it."""
    length = trace.length_s
    if length > LONGEST_S:
        raise UsageError(
            f"trace {trace.name}: lasts {length / 86_400:,.0f} days, more than the {LONGEST_S / 86_400:.0f} that can be simulated; "
            "are its times in seconds? Otherwise play it faster (--speedup), or a part of it"
        )
    if length < SHORTEST_S:
        raise UsageError(
            f"trace {trace.name}: lasts {length:g} s, less than the {SHORTEST_S:g} s that can be simulated"
        )
    records, work = trace.totals()
    if fit:
        settings = replace(settings, capacity=max(float(work.sum()) / length / BACKGROUND / settings.slots, 1e-6))
    peak = np.zeros(len(trace.names))
    np.maximum.at(peak, trace.token, trace.work_s / trace.span_s)
    large = np.flatnonzero(peak >= LARGE * settings.capacity)
    large = np.sort(large[np.argsort(-peak[large], kind="stable")[:MOST_SOURCES]])
    sources = [_source(trace, int(token), settings, length, records, work) for token in large.tolist()]
    background = BACKGROUND * settings.capacity
    spans = _blame(sources, trace, settings, background, length)
    sources = [replace(source, culprit=found) for source, found in zip(sources, spans, strict=True)]
    rest = ~np.isin(trace.token, large)
    small = np.setdiff1d(np.arange(len(trace.names)), large)
    number = np.zeros(len(trace.names), dtype=np.int64)
    number[small] = np.arange(len(small))
    ends = trace.begin_s + trace.span_s
    each = np.divide(trace.work_s, trace.records, out=np.zeros(len(ends)), where=trace.records > 0)
    crowd = Crowd(
        trace.begin_s[rest], ends[rest], number[trace.token[rest]], trace.records[rest], each[rest], trace.keys[small],
        settings.partitions, float(trace.span_s.max()), [trace.names[i] for i in small.tolist()],
        records[small] / length, np.divide(work[small], records[small], out=np.zeros(len(small)), where=records[small] > 0),
    )  # fmt: skip
    made = Plan(0.0, length, length + 60.0, tuple(sources), utilisation=BACKGROUND, crowd=crowd if len(small) else None)
    return Traced(made, settings, float(work.sum()) / length / settings.total)


def _source(trace: Trace, token: int, settings: Settings, length: float, records: Floats, work: Floats) -> Source:
    rows = np.flatnonzero(trace.token == token)
    begins, ends = trace.begin_s[rows], trace.begin_s[rows] + trace.span_s[rows]
    cuts = np.unique(np.concatenate((begins, ends)))
    rate, spent = np.zeros(len(cuts)), np.zeros(len(cuts))
    first, last = np.searchsorted(cuts, begins), np.searchsorted(cuts, ends)
    for of, values in ((rate, trace.records[rows]), (spent, trace.work_s[rows])):
        np.add.at(of, first, values / trace.span_s[rows])
        np.add.at(of, last, -values / trace.span_s[rows])
    rate, spent = np.maximum(np.cumsum(rate), 0.0), np.maximum(np.cumsum(spent), 0.0)
    usual = float(work[token] / records[token]) if records[token] else 0.0
    cost = np.divide(spent, rate, out=np.full(len(cuts), usual), where=rate > 1e-9)
    keys = int(trace.keys[token])
    return Source(
        trace.names[token], _steps(cuts, np.where(rate > 1e-9, rate, 0.0)), _steps(cuts, cost),
        shares(token, keys, settings.partitions), keys, float(records[token]) / length, usual,
    )  # fmt: skip


def _steps(cuts: Floats, values: Floats) -> Curve:
    points: list[Point] = []
    before = 0.0
    for at, value in zip(cuts.tolist(), values.tolist(), strict=True):
        if value != before or not points:
            points += [(at, before), (at, value)]
            before = value
    return Curve(tuple(points))


def _blame(
    sources: list[Source], trace: Trace, settings: Settings, background: float, length: float
) -> list[tuple[Span, ...]]:
    """When each source is to blame: looked at at every change of any source's load. `background` is work/s on each slot."""
    if not sources:
        return []
    times = np.unique(np.concatenate([[t for t in s.rate.times() if t < length] for s in sources] + [np.zeros(1)]))
    slot_of = np.arange(settings.partitions) % settings.slots
    by_slot = np.array([summed(slot_of, s.share, settings.slots) for s in sources])
    work = np.array([[s.rate.at(t) * s.cost.at(t) for t in times.tolist()] for s in sources])
    small = np.setdiff1d(np.arange(len(trace.names)), [trace.names.index(s.name) for s in sources])
    crowd = float(summed(trace.token, trace.work_s, len(trace.names))[small].sum()) / length / settings.slots
    demand = by_slot.T @ work + background + crowd
    over = demand > settings.capacity
    usual = np.array([s.learned_rate * s.learned_cost for s in sources])[:, None]
    guilty = (work >= BLAME_TIMES * usual) & (work >= BLAME_SHARE * settings.capacity) & ((by_slot > 0) @ over)
    ends = np.append(times[1:], length)
    return [_spans(times, ends, row) for row in guilty]


def _spans(times: Floats, ends: Floats, guilty: Floats) -> tuple[Span, ...]:
    spans: list[Span] = []
    for begin, end in zip(times[guilty].tolist(), ends[guilty].tolist(), strict=True):
        if spans and spans[-1][1] >= begin:
            spans[-1] = (spans[-1][0], end)
        else:
            spans.append((begin, end))
    return tuple(spans)
