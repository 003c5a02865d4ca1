"""A month of history of a pipeline's objectives, for pages and reports: calm, with a quiet night, a gap and a bad quarter of an hour."""

from collections.abc import Sequence
from typing import Final

from sqlalchemy import Engine, insert

from slo.clock import ManualClock
from slo.evaluate import evaluate
from slo.evaluation import Evaluation
from slo.history import History
from slo.objective import Objective
from slo.schema import SLICES, TOTALS
from slo.slices import SLICE_S, Slice
from slo.store import Booking, SliceStore
from slo.windows import DAY, HOUR

NOW: Final = 1_800_000_000 // HOUR * HOUR + 29 * 60
EVENTS: Final = 30_000
"""A minute."""


def minute(objective: Objective, bad: int, events: int = EVENTS) -> Slice:
    """One minute in the objective's own unit; `bad` of `events`."""
    if objective.unit == "seconds":
        seconds = min(bad, SLICE_S)
        return Slice(SLICE_S - seconds, SLICE_S, SLICE_S, SLICE_S)
    return Slice(events - bad, events, events, SLICE_S)


def history(
    engine: Engine,
    objectives: Sequence[Objective],
    *,
    now: float = NOW,
    bad: dict[int, int] | None = None,
    gap: range = range(0),
    days: int = 30,
) -> list[Evaluation]:
    """Book `days` of calm hours and six hours of minutes, of which `bad` (minutes ago to count) went wrong and `gap` was not seen; evaluate twice."""
    begin = (int(now) - 6 * HOUR) // HOUR * HOUR
    hours = range(begin - days * DAY + 6 * HOUR, begin, HOUR)
    with engine.begin() as conn:
        for o in objectives:
            hour = minute(o, 0, EVENTS * 60)
            part = Slice(
                hour.good * (60 if o.unit == "seconds" else 1), hour.total * (60 if o.unit == "seconds" else 1)
            )
            rows = [
                {
                    "slo": o.name,
                    "at": at,
                    "step_s": HOUR,
                    "good": part.good,
                    "total": part.total,
                    "expected": part.total,
                    "observed": HOUR,
                }
                for at in hours
            ]
            conn.execute(insert(SLICES), rows)
            n = len(rows)
            whole = {"good": part.good * n, "total": part.total * n, "expected": part.total * n, "observed": HOUR * n}
            conn.execute(insert(TOTALS).values(slo=o.name, born=hours[0], **whole))
    store = SliceStore(engine, ManualClock(now))
    last = int(now) // SLICE_S * SLICE_S
    for o in objectives:
        minutes = [at for at in range(begin, last, SLICE_S) if (last - at) // SLICE_S not in gap]
        store.book(
            [Booking(o.name, at, minute(o, (bad or {}).get((last - at) // SLICE_S, 0)), hours[0]) for at in minutes]
        )
    kept = History(engine)
    before = evaluate(objectives, store, now - 1200)
    kept.save(before)
    found = evaluate(objectives, store, now, {e.slo: e for e in before})
    kept.save(found)
    return found
