"""The decision: section 4's steps in order, as one pure function of observation and state. The simulator, the tests and production run this."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace

import numpy as np

from ingestion.contracts.names import Lane
from ingestion.contracts.routes import Mode, Route
from isolator import say
from isolator.anomaly import Evidence, evidence
from isolator.blame import Case, blame, verdict_id
from isolator.budget import budget
from isolator.constants import Policy
from isolator.diagnose import Diagnosis, Finding, diagnose, hot_key
from isolator.gate import gate
from isolator.guard import Culprits, Suspects, culprits, suspects
from isolator.homecoming import Homecoming, come_home
from isolator.interner import Bools, Floats, Ints
from isolator.load import Load, load
from isolator.marks import Mark, MarkKind, find
from isolator.moves import PolicyState, Watch
from isolator.observation import Observation
from isolator.status import PipelineStatus, Score
from isolator.verdict import Reason, Verdict, VerdictKind

TOP = 20
CALM_DELAY_SHARE = 0.1
"""Share of the SLO under which every delay must be for a tick to be learned from."""


@dataclass(frozen=True, slots=True)
class Decision:
    """What to write, what to show, and the state for the next tick."""

    routes: tuple[Route, ...]
    verdicts: tuple[Verdict, ...]
    """New ones."""
    updates: tuple[Verdict, ...]
    """Known ones, with the effect that was seen."""
    marks: Mapping[str, tuple[Mark, ...]]
    """Tokens whose marks changed, with all their marks."""
    status: PipelineStatus
    state: PolicyState
    calm: bool
    """The baselines may learn from this tick."""
    held: Ints
    """Token ids of which nothing is to be learned."""
    other_score: float = 0.0
    """The highest anomaly score beyond the status's top ones."""


def decide(seen: Observation, state: PolicyState, policy: Policy) -> Decision:
    """One tick. Same input, same output; nothing given is changed. `state.usual` must cover all tokens of `seen`."""
    away = _away(seen, state)
    now = load(seen, away, policy)
    proof = evidence(seen, state.usual, policy)
    gated = gate(now, state.hot, policy)
    finding = diagnose(seen, now, gated.confirmed, state.usual, away, policy)
    case = _case(seen, state, proof, now, away, finding, policy)
    diagnosis, verdicts = _judge(case, finding)
    if state.mode is Mode.OFF:
        verdicts = ()
    home = come_home(case, may_restore=_may_restore(state, finding))
    moves = tuple(v for v in verdicts if v.kind is VerdictKind.MOVE)
    routes = (*home.routes, *(_route(state, v) for v in moves))
    fresh, said = _unsaid(state, verdicts, seen.at_ms, policy)
    verdicts = (*home.verdicts, *fresh)
    unexplained = state.unexplained + 1 if diagnosis is Diagnosis.CAPACITY else 0
    alerting = policy.structural != "off" and state.mode is not Mode.OFF
    if alerting and unexplained == policy.structural_ticks:
        verdicts = (*verdicts, _structural(case))
    then = _next(state, routes, home, moves)
    then = replace(then, hot=gated.history, unexplained=unexplained, said=said)
    status = _status(case, then, diagnosis, finding, gated.confirmed, verdicts)
    calm = diagnosis is Diagnosis.HEALTHY and not gated.hot.any()
    calm = calm and now.worst_delay() < policy.slo_s * CALM_DELAY_SHARE
    # before there is a baseline everybody looks anomalous
    suspicious = np.flatnonzero(proof.anomalous) if state.usual.warm else np.zeros(0, dtype=np.int64)
    held = np.union1d(np.flatnonzero(away), suspicious)
    return Decision(routes, verdicts, home.updates, home.marks, status, then, calm, held, _other(proof))


def _away(seen: Observation, state: PolicyState) -> Bools:
    away = np.zeros(len(seen.tokens.rate), dtype=np.bool_)
    away[_known(seen, state.moved())] = True
    return away


def _known(seen: Observation, tokens: Iterable[str]) -> list[int]:
    """Ids of those tokens that the observation has."""
    size = len(seen.tokens.rate)
    ids = (seen.ids.get(token, size) for token in tokens)
    return [i for i in ids if i < size]


def _case(
    seen: Observation,
    state: PolicyState,
    proof: Evidence,
    now: Load,
    away: Bools,
    finding: Finding,
    policy: Policy,
) -> Case:
    nobody = Suspects(np.zeros(0, dtype=np.int64), np.zeros(0), frozenset())
    if not finding.blamed.any():
        return Case(seen, state, proof, now, away, finding.blamed, nobody, Culprits((), 0.0, 0.0), policy)
    free = ~away
    free[_known(seen, (token for token in state.marks if find(state.marks, token, seen.at_ms)))] = False
    found = suspects(seen, proof, now, finding.blamed, free, policy)
    chosen = culprits(seen, found, now, finding.blamed, away, policy)
    if chosen.relief < policy.min_relief:
        chosen = Culprits((), chosen.need, chosen.relief)
    return Case(seen, state, proof, now, away, finding.blamed, found, chosen, policy)


def _judge(case: Case, finding: Finding) -> tuple[Diagnosis, tuple[Verdict, ...]]:
    """The diagnosis, and the verdicts about culprits: moves, or what takes their place."""
    if finding.diagnosis is not Diagnosis.HEALTHY:
        return finding.diagnosis, _alarm(case, finding)
    if not finding.blamed.any():
        return Diagnosis.HEALTHY, ()
    keys = [i for i in case.culprits.ids if _hot_key(case, i) is not None]
    noisy = [i for i in case.culprits.ids if i not in keys]
    alerts = tuple(
        blame(case, i, VerdictKind.ALERT, Reason.HOT_KEY, f"One key does most of partition {_hot_key(case, i)}.")
        for i in keys
    )
    alerts += tuple(
        blame(case, i, VerdictKind.ALERT, Reason.CHEAP, "Its events cost hardly more than forwarding them.")
        for i in sorted(case.suspects.cheap)
    )
    if noisy:
        moves, broad = _moves(case, noisy)
        return (Diagnosis.BROAD_OVERLOAD if broad else Diagnosis.NOISY_TENANT), (*moves, *alerts)
    if keys:
        return Diagnosis.HOT_KEY, alerts
    if case.suspects.cheap:
        return Diagnosis.NOISY_TENANT, alerts
    return Diagnosis.CAPACITY, alerts


def _moves(case: Case, noisy: list[int]) -> tuple[tuple[Verdict, ...], bool]:
    """One verdict a culprit within the budget; True when the budget does not allow any of them."""
    state, policy, seen = case.state, case.policy, case.seen
    rate = state.usual.rate
    total = max(float(rate.sum()), 1e-12)
    left = budget(
        seen.active_tokens, len(state.moved()), float(rate[: len(case.away)][case.away].sum()) / total, policy
    )
    verdicts: list[Verdict] = []
    refused = 0
    for token in noisy:
        traffic = float(rate[token]) / total
        refusal = left.refusal(traffic) or (
            "a worker's fence map is full: restore tokens first" if seen.moves_refused else ""
        )
        after = left.take(traffic)
        if refusal:
            refused += 1
            proposal = blame(case, token, VerdictKind.PROPOSAL, Reason.NOISY_TENANT, f"Needs approval: {refusal}.")
            verdicts.append(replace(proposal, expires_ms=seen.at_ms + int(policy.proposal_s * 1000)))
        elif after is not None:
            left = after
            verdicts.append(_move(case, token))
    return tuple(verdicts), refused == len(noisy)


def _move(case: Case, token: int) -> Verdict:
    state, at_ms = case.state, case.seen.at_ms
    if state.mode is Mode.SUGGEST:
        proposal = blame(case, token, VerdictKind.PROPOSAL, Reason.NOISY_TENANT, "Mode suggest: approve or decline.")
        return replace(proposal, expires_ms=at_ms + int(case.policy.proposal_s * 1000))
    if state.mode is not Mode.AUTO:
        return blame(case, token, VerdictKind.WOULD_MOVE, Reason.NOISY_TENANT)
    if not state.usual.warm:
        return blame(case, token, VerdictKind.WOULD_MOVE, Reason.NOISY_TENANT, "the baselines are not old enough yet")
    return blame(case, token, VerdictKind.MOVE, Reason.NOISY_TENANT)


def _route(state: PolicyState, verdict: Verdict) -> Route:
    old = state.routes.get(verdict.token) or Route(verdict.pipeline, verdict.token, Lane.GENERAL, 0)
    return old.then(verdict.target, verdict.at_ms, reason=str(verdict.reason), by=verdict.by, verdict_id=verdict.id)


def _hot_key(case: Case, token: int) -> int | None:
    return hot_key(case.seen, case.state.usual, token, case.blamed, case.now, case.policy)


def _alarm(case: Case, finding: Finding) -> tuple[Verdict, ...]:
    reasons = {
        Diagnosis.STALL: Reason.STALL,
        Diagnosis.HUNG: Reason.HUNG,
        Diagnosis.REBALANCE: Reason.REBALANCE,
        Diagnosis.DEPLOY: Reason.DEPLOY,
    }
    reason = reasons.get(finding.diagnosis)
    if reason is None:
        return ()
    return (_general_alert(case, reason, finding.note, finding.token, finding.partitions),)


def _structural(case: Case) -> Verdict:
    # step 6 alerts only: a structural overload is answered by scaling out
    note = f"Over capacity for {case.policy.structural_ticks} decisions without a culprit: scale out."
    return _general_alert(case, Reason.CAPACITY, note)


def _general_alert(case: Case, reason: Reason, note: str, token: str = "", partitions: tuple[int, ...] = ()) -> Verdict:
    seen = case.seen
    return Verdict(
        id=verdict_id(VerdictKind.ALERT, token or str(reason), seen.at_ms),
        pipeline=seen.pipeline,
        token=token,
        kind=VerdictKind.ALERT,
        reason=reason,
        at_ms=seen.at_ms,
        diagnosis=str(reason),
        mode=str(case.state.mode),
        note=note,
        partitions=partitions,
        rho_before=case.now.worst_rho(),
        need=case.culprits.need,
    )


def _may_restore(state: PolicyState, finding: Finding) -> bool:
    acting = state.mode in {Mode.AUTO, Mode.SUGGEST}
    return acting and finding.diagnosis in {Diagnosis.HEALTHY, Diagnosis.CATCHING_UP}


def _unsaid(
    state: PolicyState, verdicts: tuple[Verdict, ...], at_ms: int, policy: Policy
) -> tuple[tuple[Verdict, ...], dict[str, int]]:
    """Moves always; anything else once in a while."""
    said = {key: at for key, at in state.said.items() if at_ms - at < policy.repeat_s * 1000}
    fresh: list[Verdict] = []
    for verdict in verdicts:
        key = f"{verdict.kind}/{verdict.reason}/{verdict.token}"
        if verdict.kind is VerdictKind.MOVE or key not in said:
            fresh.append(verdict)
            said.setdefault(key, at_ms)
    return tuple(fresh), said


def _next(state: PolicyState, routes: tuple[Route, ...], home: Homecoming, moves: tuple[Verdict, ...]) -> PolicyState:
    table = {**state.routes, **{r.token: r for r in routes}}
    watches = {**home.watches, **{v.token: Watch(v) for v in moves}}
    watches = {
        token: watch for token, watch in watches.items() if token in table and table[token].lane is not Lane.GENERAL
    }
    return replace(state, routes=table, watches=watches, marks={**state.marks, **home.marks})


def _status(
    case: Case,
    then: PolicyState,
    diagnosis: Diagnosis,
    finding: Finding,
    hot: Bools,
    verdicts: tuple[Verdict, ...],
) -> PipelineStatus:
    seen, now, proof = case.seen, case.now, case.proof
    moved = tuple(sorted(then.moved()))
    everyone = load(seen, np.zeros_like(case.away), case.policy)
    order = top(proof.score, TOP)
    guilty = [v for v in verdicts if v.reason in {Reason.NOISY_TENANT, Reason.CHEAP}]
    if diagnosis is Diagnosis.NOISY_TENANT and not guilty:
        ids = case.culprits.ids or tuple(sorted(case.suspects.cheap))
        guilty = [blame(case, i, VerdictKind.WOULD_MOVE, Reason.NOISY_TENANT) for i in ids[:1]]
    note = finding.note
    if diagnosis is Diagnosis.BROAD_OVERLOAD:
        note = f"{len(case.culprits.ids)} culprits are more than may be moved without approval"
    elif diagnosis is Diagnosis.HOT_KEY:
        note = f"one key of {seen.names[case.culprits.ids[0]]} does most of a partition"
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
            note=note,
            active=seen.active_tokens,
            moved=moved,
            culprits=guilty,
            delay_s=delay,
            rho=now.worst_rho(),
            growth=proof.growth,
            warm=then.usual.warm,
        ),
        hot_partitions=tuple(int(p) for p in np.flatnonzero(hot)),
        active_tokens=seen.active_tokens,
        moved=moved,
        scores=tuple(
            Score(
                seen.names[i],
                float(proof.score[i]),
                float(proof.ratio[i]),
                float(rate[i] * seen.tokens.cost[i]),
                float(rate[i]),
            )
            for i in order
            if proof.score[i] > 0
        ),
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
        oldest_age_s=float(seen.partitions.oldest_age_s.max(initial=0.0)),
        moved_traffic=float(rate[case.away].sum() / max(rate.sum() + seen.partitions.other_rate.sum(), 1e-12)),
        moves_refused=seen.moves_refused,
    )


def _other(proof: Evidence) -> float:
    ranked = top(proof.score, TOP + 1)
    return float(proof.score[ranked[-1]]) if len(ranked) > TOP else 0.0


def top(scores: Floats, count: int) -> list[int]:
    """Indices of the `count` largest, largest first; ties by index."""
    few = len(scores) <= count
    candidates = np.arange(len(scores)) if few else np.sort(np.argpartition(-scores, count)[:count])
    return [int(i) for i in candidates[np.argsort(-scores[candidates], kind="stable")]]


def _finite(seconds: float) -> float:
    return seconds if np.isfinite(seconds) else 0.0


def protected(state: PolicyState, token: str, at_ms: int) -> Mark | None:
    """The mark that forbids even a person to move the token."""
    return find(state.marks, token, at_ms, MarkKind.PROTECT)
