"""The status of a tick: what the pages, the CLI and the metrics show of it."""

import numpy as np

from isolator import restore, say
from isolator.anomaly import Evidence
from isolator.blame import Case, blame
from isolator.diagnose import Diagnosis
from isolator.interner import Bools, Floats
from isolator.judge import Judgement
from isolator.load import load
from isolator.moves import PolicyState, Watch, strikes
from isolator.status import PipelineStatus, Score, Watched
from isolator.verdict import Reason, Verdict, VerdictKind

TOP = 20
_GUILTY = frozenset({Reason.NOISY_TENANT, Reason.CHEAP})


def summary(
    case: Case, then: PolicyState, judged: Judgement, hot: Bools, verdicts: tuple[Verdict, ...]
) -> PipelineStatus:
    """What the tick saw, and what it came to. `then` is the state after it."""
    seen, now, proof, diagnosis = case.seen, case.now, case.proof, judged.diagnosis
    moved, limited = tuple(sorted(then.moved())), tuple(sorted(then.limited()))
    everyone = load(seen, np.zeros_like(case.away), case.policy) if case.away.any() else now
    delay = _finite(now.worst_delay())
    rate = seen.tokens.rate
    return PipelineStatus(
        pipeline=seen.pipeline,
        at_ms=seen.at_ms,
        mode=str(then.mode),
        diagnosis=str(diagnosis),
        sentence=say.sentence(
            diagnosis,
            then.mode,
            note=judged.note,
            active=seen.active_tokens,
            moved=moved,
            limited=limited,
            culprits=_guilty(case, judged, verdicts),
            delay_s=delay,
            rho=now.worst_rho(),
            growth=proof.growth,
            warm=then.usual.warm,
        ),
        hot_partitions=tuple(int(p) for p in np.flatnonzero(hot)),
        active_tokens=seen.active_tokens,
        moved=moved,
        limited=limited,
        scores=_scores(case),
        last_tick_ms=seen.at_ms,
        warm=then.usual.warm,
        baseline_s=then.usual.learned_s,
        stale=diagnosis is Diagnosis.STALE_INPUT,
        rho=now.worst_rho(),
        rho_with_moved=everyone.worst_rho(),
        delay_s=delay,
        delay_with_moved_s=_finite(everyone.worst_delay()),
        partition_delay_s=tuple(round(_finite(float(d)), 3) for d in now.delay_s),
        partition_rho=tuple(round(float(r), 3) for r in now.rho),
        partition_rho_with_moved=tuple(round(float(r), 3) for r in everyone.rho),
        oldest_age_s=float(seen.partitions.oldest_age_s.max(initial=0.0)),
        moved_traffic=float(rate[case.away].sum() / max(rate.sum() + seen.partitions.other_rate.sum(), 1e-12)),
        moves_refused=seen.moves_refused,
        watched=tuple(_watched(case, then, token) for token in moved),
    )


def _guilty(case: Case, judged: Judgement, verdicts: tuple[Verdict, ...]) -> list[Verdict]:
    guilty = [v for v in verdicts if v.reason in _GUILTY]
    if judged.diagnosis is Diagnosis.NOISY_TENANT and not guilty:
        # said before, and not repeated: it is the same culprit
        return [blame(case, i, VerdictKind.WOULD_MOVE, Reason.NOISY_TENANT) for i in case.culprits.ids[:1]]
    return guilty


def _scores(case: Case) -> tuple[Score, ...]:
    seen, proof = case.seen, case.proof
    return tuple(
        Score(
            seen.names[i],
            float(proof.score[i]),
            float(proof.ratio[i]),
            float(seen.tokens.rate[i] * seen.tokens.cost[i]),
            float(seen.tokens.rate[i]),
        )
        for i in top(proof.score, TOP)
        if proof.score[i] > 0
    )


def _watched(case: Case, then: PolicyState, token: str) -> Watched:
    """A moved token as this tick saw it; one that has not been heard of shows zeros."""
    seen, route = case.seen, then.routes[token]
    watch = then.watches.get(token, Watch())
    needed = restore.calm_s(strikes(route, seen.at_ms, case.policy.strike_window_s), case.policy)
    place = seen.ids.get(token, len(case.away))
    known = place < len(case.away)
    return Watched(
        token=token,
        lane=str(route.lane),
        work=float(seen.tokens.rate[place] * seen.tokens.cost[place]) if known else 0.0,
        baseline_work=float(case.state.usual.work[place]) if known else 0.0,
        ratio=float(case.proof.ratio[place]) if known else 0.0,
        score=float(case.proof.score[place]) if known else 0.0,
        events_per_s=float(seen.tokens.rate[place]) if known else 0.0,
        calm_since_ms=watch.calm_since_ms,
        calm_needed_s=needed,
        why_not=watch.why_not,
    )


def other_score(proof: Evidence) -> float:
    """The highest anomaly score beyond the status's top ones."""
    ranked = top(proof.score, TOP + 1)
    return float(proof.score[ranked[-1]]) if len(ranked) > TOP else 0.0


def top(scores: Floats, count: int) -> list[int]:
    """Indices of the `count` largest, largest first; ties by index."""
    few = len(scores) <= count
    candidates = np.arange(len(scores)) if few else np.sort(np.argpartition(-scores, count)[:count])
    return [int(i) for i in candidates[np.argsort(-scores[candidates], kind="stable")]]


def _finite(seconds: float) -> float:
    return seconds if np.isfinite(seconds) else 0.0
