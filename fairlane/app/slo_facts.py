"""What the database knows of one objective: how it stands, its minutes and hours, its changes of state, what was moved meanwhile."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from sqlalchemy import Engine, select

from fairlane.app import words
from fairlane.app.curves import Moment
from fairlane.schema import VERDICTS
from isolator.verdict import Verdict, VerdictKind
from slo.evaluation import Evaluation
from slo.history import History, Transition
from slo.objective import Objective
from slo.resolution import coarsen
from slo.slices import SLICE_S, Slice
from slo.store import SliceStore
from slo.windows import HOUR

RECENT_S: Final = 6 * HOUR
"""Minutes are kept as such for this long."""
_TOLD: Final = {VerdictKind.MOVE: "moved", VerdictKind.RESTORE: "restored", VerdictKind.LIMIT: "limited"}
MOST_MOVES: Final = 6


@dataclass(frozen=True, slots=True)
class SloFacts:
    """An objective and its history up to `now_s`."""

    objective: Objective
    now_s: float
    evaluation: Evaluation | None
    minutes: Mapping[int, Slice]
    """The last RECENT_S by start (Unix seconds)."""
    steps: Mapping[int, Slice]
    """The period by steps of `step_s`."""
    step_s: int
    transitions: Sequence[Transition]
    """Newest first, of the period."""
    moments: tuple[Moment, ...]
    """Moves of its pipeline in the last RECENT_S."""


def step_of(objective: Objective) -> int:
    """Seconds a bar of the period stands for: hours up to ten days, else six of them."""
    return HOUR if objective.window_days <= 10 else 6 * HOUR


def facts(engine: Engine, objective: Objective, now_s: float) -> SloFacts:
    """Read them. Raises SQLAlchemyError."""
    now, history = int(now_s), History(engine)
    minute, step = now // SLICE_S * SLICE_S, step_of(objective)
    first = (now - objective.period_s) // step * step
    if objective.calendar is not None:
        first = min(objective.calendar.at(now_s).begin, now - RECENT_S)
    found = SliceStore(engine).slices(objective.name, first, now)
    begin = minute - RECENT_S
    return SloFacts(
        objective,
        now_s,
        history.newest().get(objective.name),
        {at: part for at, part in found.items() if at >= begin},
        coarsen({at: part for at, part in found.items() if at >= period_begin(objective, now_s) // step * step}, step),
        step,
        history.transitions(objective.name, (now - objective.period_s) * 1000)[::-1],
        _moments(engine, objective.pipeline, begin * 1000) if objective.pipeline else (),
    )


def period_begin(objective: Objective, now_s: float) -> int:
    """Where the budget's period began: a midnight of its calendar, or its length ago."""
    return objective.calendar.at(now_s).begin if objective.calendar is not None else int(now_s) - objective.period_s


def _moments(engine: Engine, pipeline: str, since_ms: int) -> tuple[Moment, ...]:
    query = (
        select(VERDICTS.c.body)
        .where(
            VERDICTS.c.pipeline == pipeline,
            VERDICTS.c.at_ms >= since_ms,
            VERDICTS.c.kind.in_([str(kind) for kind in _TOLD]),
        )
        .order_by(VERDICTS.c.at_ms.desc())
        .limit(MOST_MOVES)
    )
    with engine.connect() as connection:
        verdicts = [Verdict.decode(row.body.encode()) for row in connection.execute(query)]
    return tuple(Moment(v.at_ms, f"{words.token(v.token)} {_TOLD[v.kind]}") for v in reversed(verdicts))
