"""What a Prometheus' samples say of an objective's minutes. Pure."""

from collections.abc import Sequence

from fairlane.slis.push import LARGEST
from slo.errors import Unreachable
from slo.objective import Objective
from slo.sampling import Samples, by_timeslices, increase, part, ratio_slice, raw_slice, total
from slo.slices import SLICE_S, Slice
from slo.source import Ratio, Raw


def queries(source: Ratio | Raw) -> tuple[str, ...]:
    """The PromQL to ask, in the order in which `minutes` takes the answers."""
    return (source.query,) if isinstance(source, Raw) else (source.total, source.good or source.bad)


def minutes(objective: Objective, answers: Sequence[Sequence[Samples]], begin: int, end: int) -> dict[int, Slice]:
    """The minutes in [begin, end) (Unix seconds, whole minutes) that were seen, by their start. Raises Unreachable for a raw value of several series."""
    source = objective.source
    found: dict[int, Slice] = {}
    if isinstance(source, Raw):
        (series,) = answers
        if len(series) > 1:
            raise Unreachable(
                f"the query gives {len(series)} series; a raw value is one: aggregate it, such as with max()"
            )
        seen = {at: raw_slice(total(series, at), source.op, source.threshold) for at in range(begin, end, SLICE_S)}
        found = {at: known for at, known in seen.items() if known is not None}
    elif isinstance(source, Ratio):
        whole, some = answers
        for at in range(begin, end, SLICE_S):
            due = increase(whole, at) if source.counter else total(whole, at)
            counted = part(some, whole, at, counter=source.counter)
            if due is None or counted is None or max(due, counted) > LARGEST:
                # more than can be counted exactly, or kept, is no count
                continue
            known = ratio_slice(counted, None, due) if source.good else ratio_slice(None, counted, due)
            if known is not None:
                found[at] = known
    return by_timeslices(found, objective.timeslices) if objective.timeslices is not None else found


def absent(source: Ratio | Raw, answers: Sequence[Sequence[Samples]]) -> str:
    """What to tell of a good query without any series while the total has some: it counts as nothing good, and may be misspelt. Empty when all is there."""
    if isinstance(source, Ratio) and source.good and any(answers[0]) and not any(answers[1]):
        return f"the query of the good ones, {source.good!r}, gives no series while the total does: all of it counts as bad"
    return ""
