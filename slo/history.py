"""Evaluations as they are kept: the newest of each objective, and every change of state."""

from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import Engine, delete, select

from slo.burn import Severity, State
from slo.evaluation import Evaluation
from slo.schema import EVALUATIONS, TRANSITIONS
from slo.sql import upsert, writer


@dataclass(frozen=True, slots=True)
class Transition:
    """An objective came into this state and severity."""

    slo: str
    at_ms: int
    state: State
    severity: Severity


class History:
    """Evaluations in the database."""

    def __init__(self, engine: Engine) -> None:
        self._read = engine
        self._write = writer(engine)

    def save(self, evaluations: Sequence[Evaluation]) -> None:
        """Keep them as the newest; note each that has just come into its state."""
        rows = [
            {
                "slo": e.slo,
                "pipeline": e.pipeline,
                "at_ms": e.at_ms,
                "since_ms": e.since_ms,
                "state": str(e.state),
                "severity": str(e.severity),
                "exhaustion_s": e.exhaustion_s,
                "budget_left": e.budget_left,
                "body": e.encode(),
            }
            for e in evaluations
        ]
        changes = [
            {"slo": e.slo, "at_ms": e.since_ms, "state": str(e.state), "severity": str(e.severity)}
            for e in evaluations
            if e.since_ms == e.at_ms
        ]
        with self._write.begin() as conn:
            upsert(conn, EVALUATIONS, rows)
            upsert(conn, TRANSITIONS, changes)

    def newest(self, pipeline: str | None = None) -> dict[str, Evaluation]:
        """The newest evaluation of each objective by name, worst first; all pipelines' when none is named."""
        query = select(EVALUATIONS.c.body)
        if pipeline is not None:
            query = query.where(EVALUATIONS.c.pipeline == pipeline)
        with self._read.connect() as conn:
            found = [Evaluation.decode(row.body) for row in conn.execute(query)]
        found.sort(key=lambda e: (-e.severity.rank, _ORDER[e.state], e.budget_left, e.slo))
        return {e.slo: e for e in found}

    def transitions(self, slo: str, since_ms: int = 0) -> list[Transition]:
        """An objective's changes of state, oldest first."""
        query = (
            select(TRANSITIONS)
            .where(TRANSITIONS.c.slo == slo, TRANSITIONS.c.at_ms >= since_ms)
            .order_by(TRANSITIONS.c.at_ms)
        )
        with self._read.connect() as conn:
            return [Transition(r.slo, r.at_ms, State(r.state), Severity(r.severity)) for r in conn.execute(query)]

    def forget(self, before_ms: int, evaluated_before_ms: int = 0) -> int:
        """Drop changes of state older than `before_ms`, and objectives last evaluated before `evaluated_before_ms`: nobody declares them any more; returns how many."""
        with self._write.begin() as conn:
            gone = conn.execute(delete(TRANSITIONS).where(TRANSITIONS.c.at_ms < before_ms)).rowcount
            return gone + conn.execute(delete(EVALUATIONS).where(EVALUATIONS.c.at_ms < evaluated_before_ms)).rowcount


_ORDER = {State.FIRING: 0, State.FROZEN: 1, State.OK: 2}
