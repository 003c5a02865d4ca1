"""Evaluate objectives: sums from the store, verdicts by `slo.burn`, nothing else."""

from collections.abc import Iterable, Mapping, Sequence
from fractions import Fraction
from typing import Protocol

from slo.budget import budget
from slo.burn import PairReading, Severity, State, WindowSum, exhaustion_s, judge, overall
from slo.evaluation import Evaluation, PairResult
from slo.objective import Objective
from slo.store import Rolling
from slo.windows import Pair, window_name

NEVER = Rolling({}, (), 0)
"""An objective for which nothing was ever booked."""


class Windows(Protocol):
    """Where rolling sums come from."""

    def rolling(self, windows: Iterable[int], now: float, /) -> Mapping[str, Rolling]:
        """Every objective's windows (seconds) that end at `now`."""
        ...


def evaluate(
    objectives: Sequence[Objective], store: Windows, now: float, previous: Mapping[str, Evaluation] | None = None
) -> list[Evaluation]:
    """All objectives at `now` (Unix seconds), in their order. `previous` (by name) is what a frozen one keeps its severity from.

    Raises whatever the store raises.
    """
    if not objectives:
        return []
    rolling = store.rolling({seconds for o in objectives for seconds in o.lengths}, now)
    before = previous or {}
    return [
        _one(objective, rolling.get(objective.name, NEVER), now, before.get(objective.name)) for objective in objectives
    ]


def _one(objective: Objective, rolling: Rolling, now: float, before: Evaluation | None) -> Evaluation:
    held = {pair.pair: pair.severity for pair in before.pairs} if before else {}
    sums = {
        w: rolling.window(w, objective.late_s).later(objective.whole_s)
        for p in objective.pairs
        for w in (p.long_s, p.short_s)
    }
    bad_minutes = rolling.bad_minutes(now, objective.late_s, objective.open_s)
    partly = any(one.frozen for one in sums.values())
    readings = [
        judge(
            p,
            objective.target,
            sums[p.long_s],
            sums[p.short_s],
            bad_minutes,
            held.get(p.name, Severity.NONE),
            partly_frozen=partly,
        )
        for p in objective.pairs
    ]
    state, severity = overall(readings)
    whole = rolling.window(objective.period_s)
    spent = budget(whole.slice, objective.target, objective.period_s, now - rolling.born)
    same = before is not None and (before.state, before.severity) == (state, severity)
    at_ms = int(now * 1000)
    return Evaluation(
        slo=objective.name,
        pipeline=objective.pipeline,
        population=str(objective.population),
        sli=str(objective.sli),
        unit=objective.unit,
        title=objective.title,
        target=float(objective.target),
        owner=objective.owner,
        runbook=objective.runbook,
        window_days=objective.window_days,
        at_ms=at_ms,
        since_ms=before.since_ms if same and before else at_ms,
        state=state,
        severity=severity,
        pairs=tuple(_result(r, sums[r.pair.long_s], sums[r.pair.short_s]) for r in sorted(readings, key=_trouble)),
        good=whole.slice.good,
        total=whole.slice.total,
        error_ratio=_float(whole.slice.error_ratio),
        budget_spent=float(spent.spent),
        budget_left=float(spent.left),
        budget_s=spent.whole_s,
        budget_left_s=spent.left_s,
        exhaustion_s=exhaustion_s(
            spent.left, max((r.agreed for r in readings), default=Fraction(0)), objective.period_s
        ),
        observed_s=whole.slice.observed,
        bad_minutes=bad_minutes,
    )


def _trouble(reading: PairReading) -> tuple[int, int, float]:
    """Sorts the worst first: by severity, by state, by how close both windows are to the factor."""
    order = {State.FIRING: 0, State.FROZEN: 1, State.OK: 2}
    return -reading.severity.rank, order[reading.state], -float(reading.agreed / reading.pair.factor)


def _result(reading: PairReading, long: WindowSum, short: WindowSum) -> PairResult:
    pair: Pair = reading.pair
    return PairResult(
        pair=pair.name,
        tier=str(pair.tier),
        long_window=window_name(pair.long_s),
        short_window=window_name(pair.short_s),
        long_burn=_float(reading.long),
        short_burn=_float(reading.short),
        threshold=float(pair.factor),
        state=reading.state,
        severity=reading.severity,
        long_coverage=_float(long.coverage),
        short_coverage=_float(short.coverage),
        bad=long.slice.bad,
        total=long.slice.total,
    )


def _float(value: Fraction | None) -> float | None:
    return None if value is None else float(value)
