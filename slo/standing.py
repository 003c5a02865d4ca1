"""All objectives judged at once, by columns: what `slo.evaluate` says of each, at the price of a few array operations.

Burn rates are compared in floating point; those within 1e-9 of their factor are judged again exactly by `slo.burn.judge`, so that the answer is the same.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from slo.burn import MIN_BAD, MIN_BAD_MINUTES, MIN_COVERAGE, RECENT_MINUTES, Severity, State, judge
from slo.calendar_budget import PeriodSum
from slo.evaluation import Evaluation, PairResult
from slo.objective import Objective
from slo.running import EXPECTED, GOOD, OBSERVED, TOTAL, Counts, Sums
from slo.slices import SLICE_S
from slo.windows import Tier, window_name

Floats = NDArray[np.float64]
Codes = NDArray[np.int8]
Bools = NDArray[np.bool_]

STATES: Final = (State.OK, State.FIRING, State.FROZEN)
SEVERITIES: Final = (Severity.NONE, Severity.TICKET, Severity.PAGE)
_OK, _FIRING, _FROZEN = range(3)
_NONE, _TICKET, _PAGE = range(3)
_NEAR: Final = 1e-9


@dataclass(frozen=True, slots=True)
class Standing:
    """How all objectives stand at one time. Columns (objectives,), pair columns (objectives, pairs); nan where there is no traffic or nothing is due."""

    at_ms: int
    state: Codes
    severity: Codes
    since_ms: Counts
    pair_state: Codes
    pair_severity: Codes
    burn: Floats
    """(2, objectives, pairs): long and short."""
    coverage: Floats
    """(2, objectives, pairs)."""
    bad: Counts
    """(objectives, pairs): bad events of the long window."""
    total: Counts
    """(objectives, pairs)."""
    period: Counts
    """(4, objectives): good, total, expected, observed of the whole period."""
    spent: Floats
    bad_minutes: Counts
    period_s: Counts
    """(objectives,): seconds of the whole period; of a calendar one its real length."""
    left_s: Counts
    """(objectives,): seconds until the period ends and the budget begins anew; 0 for one that rolls."""


@dataclass(slots=True)
class _Plan:
    """What never changes while the objectives stay: where each pair's windows are, its factor, the allowed error ratio."""

    window: dict[int, int]
    place: Counts
    """(2, objectives, pairs): row of the long and of the short window."""
    newest: Counts
    """(objectives,): row of what both do not hold, because it is not known yet; the last row, which is empty, for most."""
    there: Bools
    """(objectives, pairs): False where an objective has fewer pairs."""
    factor: Floats
    page: Bools
    allowed: Floats
    period_place: Counts
    period_s: Counts
    shift_s: Counts
    open_s: Counts
    whole_s: Counts


@dataclass(slots=True)
class Bench:
    """Judges `objectives`, in their order. Not thread-safe."""

    objectives: Sequence[Objective]
    _plan: _Plan = field(init=False)
    _number: dict[str, int] = field(init=False)

    def __post_init__(self) -> None:
        """Lay the columns out."""
        objectives = self.objectives
        self._number = {o.name: n for n, o in enumerate(objectives)}
        lengths = sorted(self.windows())
        window = {seconds: row for row, seconds in enumerate(lengths)}
        pairs = [o.pairs for o in objectives]
        most = max((len(p) for p in pairs), default=1)
        shape = len(objectives), most
        place, factor = np.zeros((2, *shape), dtype=np.int64), np.full(shape, np.inf)
        there, page = np.zeros(shape, dtype=np.bool_), np.zeros(shape, dtype=np.bool_)
        for n, some in enumerate(pairs):
            for k, pair in enumerate(some):
                late_s = objectives[n].late_s
                place[:, n, k] = window[pair.long_s + late_s], window[pair.short_s + late_s]
                factor[n, k], there[n, k], page[n, k] = float(pair.factor), True, pair.tier is Tier.PAGE
        self._plan = _Plan(
            window,
            place,
            np.array([window[o.late_s] if o.late_s else len(window) for o in objectives], dtype=np.int64),
            there,
            factor,
            page,
            np.array([float(1 - Fraction(o.target)) for o in objectives]),
            np.array([window[o.period_s] for o in objectives], dtype=np.int64),
            np.array([o.period_s for o in objectives], dtype=np.int64),
            np.array([o.late_s for o in objectives], dtype=np.int64),
            np.array([o.open_s for o in objectives], dtype=np.int64),
            np.array([o.whole_s for o in objectives], dtype=np.int64),
        )

    def windows(self) -> set[int]:
        """Every window (seconds) that is needed."""
        return {seconds for lengths in {o.lengths for o in self.objectives} for seconds in lengths}

    def judge(
        self, sums: Sums, before: Standing | None = None, calendars: Mapping[str, PeriodSum] | None = None
    ) -> Standing:
        """How they stand by `sums`, which must hold `windows()`; objectives that it does not know were never booked. `before` is the last standing.

        `calendars` are the present periods of those whose budget is a calendar's; their alerts roll like everybody's.
        """
        plan, size = self._plan, len(self.objectives)
        at_ms = int(sums.at * 1000)
        known = {name: n for n, name in enumerate(sums.names)}
        where = np.fromiter((known.get(o.name, -1) for o in self.objectives), np.int64, size)
        booked = where >= 0
        counts = np.zeros((len(plan.window) + 1, 4, size), dtype=np.int64)
        due_observed, due = (np.zeros((len(plan.window) + 1, size), dtype=np.int64) for _ in range(2))
        for seconds, row in plan.window.items():
            counts[row][:, booked] = sums.windows[seconds][:, where[booked]]
            due_observed[row, booked] = sums.due_observed[seconds][where[booked]]
            due[row, booked] = sums.due[seconds][where[booked]]
        columns = np.arange(size)[None, :, None]
        newest = plan.newest[None, :, None]
        good, total = (counts[plan.place, row, columns] - counts[newest, row, columns] for row in (GOOD, TOTAL))
        bad = total - good
        allowed = plan.allowed[None, :, None]
        nothing = np.full(total.shape, np.nan)
        burn = np.divide(bad, total * allowed, out=nothing.copy(), where=total > 0)
        seen = due_observed[plan.place, columns] - due_observed[newest, columns]
        needed = due[plan.place, columns] - due[newest, columns] - plan.whole_s[None, :, None]
        needed = np.maximum(needed, 0)
        coverage = np.minimum(np.divide(seen, needed, out=nothing.copy(), where=needed > 0), 1.0)
        share = MIN_COVERAGE
        thin = np.minimum(seen, needed) * share.denominator < needed * share.numerator
        silent = (needed == 0) & (total == 0) & (counts[plan.place, OBSERVED, columns] == 0)
        frozen = (thin | silent).any(axis=0) & plan.there
        over = np.nan_to_num(burn, nan=-1.0) > plan.factor[None]
        firing = over.all(axis=0) & plan.there & ~frozen
        bad_minutes = self._bad_minutes(sums, where, booked)
        urgent = plan.page & (bad_minutes >= MIN_BAD_MINUTES)[:, None] & (bad[0] >= MIN_BAD)
        held = before.pair_severity if before is not None else np.zeros(plan.there.shape, dtype=np.int8)
        partly = frozen.any(axis=1)
        urgent |= plan.page & partly[:, None] & (held == _PAGE)
        pair_state = np.where(frozen, _FROZEN, np.where(firing, _FIRING, _OK)).astype(np.int8)
        pair_severity = np.where(frozen, held, np.where(firing, np.where(urgent, _PAGE, _TICKET), _NONE)).astype(
            np.int8
        )
        near = (np.abs(burn / plan.factor[None] - 1) < _NEAR).any(axis=0) & plan.there & ~frozen
        for n, k in np.argwhere(near).tolist():
            state, severity = self._exactly(
                sums, int(where[n]), n, k, int(bad_minutes[n]), int(held[n, k]), bool(partly[n])
            )
            pair_state[n, k], pair_severity[n, k] = state, severity
        fires, freezes = (pair_state == _FIRING).any(axis=1), (pair_state == _FROZEN).any(axis=1)
        states: Codes = np.where(fires, _FIRING, np.where(freezes, _FROZEN, _OK)).astype(np.int8)
        severities: Codes = pair_severity.max(axis=1, initial=0).astype(np.int8)
        period = counts[plan.period_place, :, np.arange(size)].T.copy()
        born = np.full(size, at_ms // 1000, dtype=np.int64)
        born[booked] = sums.born[where[booked]]
        period_s, left_s = plan.period_s.copy(), np.zeros(size, dtype=np.int64)
        for name, found in (calendars or {}).items():
            n, part = self._number[name], found.slice
            period[:, n] = part.good, part.total, part.expected, part.observed
            period_s[n], left_s[n] = found.length_s, max(found.end - at_ms // 1000, 1)
            born[n] = max(int(born[n]), found.begin)
        return Standing(
            at_ms,
            states,
            severities,
            self._since(at_ms, states, severities, before),
            pair_state,
            pair_severity,
            burn,
            coverage,
            bad[0],
            total[0],
            period,
            self._spent(period, sums.at, born, period_s),
            bad_minutes,
            period_s,
            left_s,
        )

    def _bad_minutes(self, sums: Sums, where: Counts, booked: Bools) -> Counts:
        found = np.zeros(len(where), dtype=np.int64)
        until = int(sums.at) - self._plan.shift_s
        since = until - self._plan.open_s - RECENT_MINUTES * SLICE_S
        for at, bad in sums.bad.items():
            mine = np.zeros(len(where), dtype=np.bool_)
            mine[booked] = bad[where[booked]] > 0
            found += mine & (since <= at) & (at <= until)
        return found

    def _exactly(
        self, sums: Sums, where: int, n: int, k: int, bad_minutes: int, held: int, partly: bool
    ) -> tuple[int, int]:
        objective = self.objectives[n]
        pair, rolling = objective.pairs[k], sums.rolling(where)
        reading = judge(
            pair,
            objective.target,
            rolling.window(pair.long_s, objective.late_s).later(objective.whole_s),
            rolling.window(pair.short_s, objective.late_s).later(objective.whole_s),
            bad_minutes,
            SEVERITIES[held],
            partly_frozen=partly,
        )
        return STATES.index(reading.state), SEVERITIES.index(reading.severity)

    @staticmethod
    def _since(at_ms: int, state: Codes, severity: Codes, before: Standing | None) -> Counts:
        if before is None:
            return np.full(len(state), at_ms, dtype=np.int64)
        same = (before.state == state) & (before.severity == severity)
        return np.where(same, before.since_ms, at_ms)

    def _spent(self, period: Counts, now: float, born: Counts, period_s: Counts) -> Floats:
        total = period[TOTAL]
        ratio = np.divide(total - period[GOOD], total, out=np.zeros(len(total)), where=total > 0)
        elapsed = np.clip((now - born).astype(np.int64), 0, period_s)
        spent: Floats = ratio / self._plan.allowed * elapsed / period_s
        return spent

    def evaluation(self, standing: Standing, n: int) -> Evaluation:
        """Objective number `n` as it is stored and shown."""
        o = self.objectives[n]
        good, total = int(standing.period[GOOD, n]), int(standing.period[TOTAL, n])
        spent = float(standing.spent[n])
        period_s, left_s = int(standing.period_s[n]), int(standing.left_s[n])
        whole_s = float(self._plan.allowed[n]) * period_s
        pairs = [self._pair(standing, n, k) for k in range(len(o.pairs))]
        agreed = max((min(p.long_burn or 0.0, p.short_burn or 0.0) for p in pairs), default=0.0)
        left = 1.0 - spent
        exhaustion_s = 0.0 if left <= 0 else left * period_s / agreed if agreed > 0 else None
        if exhaustion_s and left_s and exhaustion_s > left_s:
            exhaustion_s = None  # the period ends first
        return Evaluation(
            slo=o.name,
            pipeline=o.pipeline,
            population=str(o.population),
            sli=str(o.sli),
            unit=o.unit,
            title=o.title,
            target=float(o.target),
            owner=o.owner,
            runbook=o.runbook,
            window_days=o.window_days,
            at_ms=standing.at_ms,
            since_ms=int(standing.since_ms[n]),
            state=STATES[standing.state[n]],
            severity=SEVERITIES[standing.severity[n]],
            pairs=tuple(sorted(pairs, key=_trouble)),
            good=good,
            total=total,
            error_ratio=(total - good) / total if total else None,
            budget_spent=spent,
            budget_left=left,
            budget_s=whole_s,
            budget_left_s=left * whole_s,
            exhaustion_s=exhaustion_s,
            observed_s=int(standing.period[OBSERVED, n]),
            bad_minutes=int(standing.bad_minutes[n]),
        )

    def _pair(self, standing: Standing, n: int, k: int) -> PairResult:
        pair = self.objectives[n].pairs[k]
        long_burn, short_burn = (_value(x) for x in standing.burn[:, n, k])
        long_coverage, short_coverage = (_value(x) for x in standing.coverage[:, n, k])
        return PairResult(
            pair=pair.name,
            tier=str(pair.tier),
            long_window=window_name(pair.long_s),
            short_window=window_name(pair.short_s),
            long_burn=long_burn,
            short_burn=short_burn,
            threshold=float(self._plan.factor[n, k]),
            state=STATES[standing.pair_state[n, k]],
            severity=SEVERITIES[standing.pair_severity[n, k]],
            long_coverage=long_coverage,
            short_coverage=short_coverage,
            bad=int(standing.bad[n, k]),
            total=int(standing.total[n, k]),
        )


def resume(bench: Bench, before: dict[str, Evaluation]) -> Standing | None:
    """The standing that stored evaluations tell of, so that a restart keeps what a frozen objective holds; None when nothing is stored."""
    if not before:
        return None
    size = len(bench.objectives)
    most = max((len(o.pairs) for o in bench.objectives), default=1)
    state, severity = np.zeros(size, dtype=np.int8), np.zeros(size, dtype=np.int8)
    since = np.zeros(size, dtype=np.int64)
    pair_severity = np.zeros((size, most), dtype=np.int8)
    for n, o in enumerate(bench.objectives):
        e = before.get(o.name)
        if e is None:
            # never judged: whatever comes is a change
            state[n] = -1
            continue
        state[n], severity[n], since[n] = STATES.index(e.state), SEVERITIES.index(e.severity), e.since_ms
        held = {p.pair: SEVERITIES.index(p.severity) for p in e.pairs}
        for k, pair in enumerate(o.pairs):
            pair_severity[n, k] = held.get(pair.name, _NONE)
    nothing: Any = np.zeros((size, most))
    pairs = np.zeros((size, most), dtype=np.int64)
    return Standing(
        0,
        state,
        severity,
        since,
        np.zeros((size, most), dtype=np.int8),
        pair_severity,
        np.stack([nothing, nothing]),
        np.stack([nothing, nothing]),
        pairs,
        pairs,
        np.zeros((EXPECTED + 2, size), dtype=np.int64),
        np.zeros(size),
        np.zeros(size, dtype=np.int64),
        np.zeros(size, dtype=np.int64),
        np.zeros(size, dtype=np.int64),
    )


def _trouble(pair: PairResult) -> tuple[int, int, float]:
    """Sorts the worst first: by severity, by state, by how close both windows are to the factor."""
    order = {State.FIRING: 0, State.FROZEN: 1, State.OK: 2}
    return (
        -pair.severity.rank,
        order[pair.state],
        -min(pair.long_burn or 0.0, pair.short_burn or 0.0) / pair.threshold,
    )


def _value(x: Any) -> float | None:
    return None if np.isnan(x) else float(x)
