"""The decision: section 4's steps in order, as one pure function of observation and state. The simulator, the tests and production run this."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace

import numpy as np

from ingestion.contracts.names import Lane
from ingestion.contracts.routes import Mode, Route
from isolator.anomaly import Evidence, evidence
from isolator.blame import Case
from isolator.constants import Policy
from isolator.diagnose import Diagnosis, Finding, diagnose
from isolator.gate import gate
from isolator.guard import NOBODY, Culprits, culprits, suspects
from isolator.homecoming import Homecoming, come_home
from isolator.interner import Bools, Ints
from isolator.judge import judge
from isolator.limiting import Limiting, lift, limit, outgrown
from isolator.load import Load, load
from isolator.marks import Mark, MarkKind, find
from isolator.moves import LimitWatch, PolicyState, Watch
from isolator.observation import Observation
from isolator.status import PipelineStatus
from isolator.summary import other_score, summary
from isolator.verdict import Verdict, VerdictKind

CALM_DELAY_SHARE = 0.1
"""Share of the SLO under which every delay must be for a tick to be learned from."""
EARLY_RELIEF = 0.99
"""Share of the needed relief that culprits must bring where nobody waits yet."""


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
    """Token ids of which nothing is to be learned: moved, limited, or blamed in this tick."""
    odd: Ints
    """Token ids that are merely anomalous: nobody suffers from them now."""
    other_score: float = 0.0
    """The highest anomaly score beyond the status's top ones."""


def decide(seen: Observation, state: PolicyState, policy: Policy) -> Decision:
    """One tick. Same input, same output; nothing given is changed. `state.usual` must cover all tokens of `seen`."""
    away = _away(seen, state)
    now = load(seen, away, policy)
    proof = evidence(seen, state.usual, policy)
    gated = gate(now, state.hot, state.over, policy)
    finding = diagnose(seen, now, gated, state.usual, away, policy, state.changes)
    case = _case(seen, state, proof, now, away, finding, policy)
    onward = _onward(seen, state, finding, policy)
    if onward is not None:
        again = _case(seen, state, proof, now, away, onward, policy)
        finding, case = (onward, again) if again.culprits.ids else (finding, case)
    judged = judge(case, finding)
    verdicts = () if state.mode is Mode.OFF else judged.verdicts
    acting = state.mode in {Mode.AUTO, Mode.SUGGEST}
    home = come_home(case, may_restore=acting and finding.diagnosis in _PEACE)
    ended = lift(case, may_lift=acting and finding.diagnosis in _PEACE)
    settled = frozenset(r.token for r in (*home.routes, *ended.routes))
    grown = outgrown(case, settled) if state.mode is Mode.AUTO else ((), ())
    acts = tuple(v for v in verdicts if v.kind in {VerdictKind.MOVE, VerdictKind.LIMIT})
    # a token that comes home loses its limit with its old route
    lifted = tuple(r for r in ended.routes if r.token not in {h.token for h in home.routes})
    routes = (*home.routes, *lifted, *grown[0], *(_route(state, v, policy) for v in acts))
    fresh, said = _unsaid(state, verdicts, seen.at_ms, policy)
    verdicts = (*home.verdicts, *ended.verdicts, *grown[1], *fresh)
    unexplained = state.unexplained + 1 if judged.diagnosis is Diagnosis.CAPACITY else 0
    then = _next(state, routes, home, ended, (*acts, *grown[1]))
    then = replace(then, hot=gated.history, over=gated.over_history, unexplained=unexplained, said=said)
    then = replace(then, unfinished=case.blamed if judged.waiting else None)
    status = summary(case, then, judged, gated.confirmed, verdicts)
    calm = judged.diagnosis is Diagnosis.HEALTHY and not gated.hot.any()
    calm = calm and now.worst_delay() < policy.slo_s * CALM_DELAY_SHARE
    holding = away.copy()
    holding[_known(seen, state.limited())] = True
    holding[case.suspects.ids] = True
    held = np.flatnonzero(holding)
    # before there is a baseline everybody looks anomalous
    odd = np.flatnonzero(proof.anomalous & ~holding) if state.usual.warm else np.zeros(0, dtype=np.int64)
    return Decision(routes, verdicts, home.updates, home.marks, status, then, calm, held, odd, other_score(proof))


_PEACE = frozenset({Diagnosis.HEALTHY, Diagnosis.CATCHING_UP})
"""Findings in which a token may come back."""


def _onward(seen: Observation, state: PolicyState, finding: Finding, policy: Policy) -> Finding | None:
    """The finding with the partitions on which the last tick had to leave culprits for this one; None when there are none.

    By now they may be hot no longer, but not at the target either: what is left of the queue would take minutes to drain.
    """
    left, parts = state.unfinished, seen.partitions
    if left is None or len(left) != len(parts) or finding.diagnosis not in _PEACE:
        return None
    left = left & (parts.slot >= 0) & (parts.assigned_s >= policy.rebalance_s)
    return replace(finding, diagnosis=Diagnosis.HEALTHY, blamed=finding.blamed | left, early=None)


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
    free = ~away
    free[_known(seen, (token for token in state.marks if find(state.marks, token, seen.at_ms)))] = False
    none = Culprits((), 0.0, 0.0)
    case = Case(seen, state, proof, now, away, finding.blamed, free, NOBODY, none, none, policy)
    if finding.early is not None:
        return _early(case, finding.early)
    if not finding.blamed.any():
        return case
    found = suspects(seen, proof.anomalous, now, finding.blamed, free, policy)
    chosen = culprits(seen, found, now, finding.blamed, away, state.usual, proof.growth, policy)
    if chosen.relief < policy.min_relief:
        chosen = Culprits((), chosen.need, chosen.relief)
    case = replace(case, suspects=found, culprits=chosen)
    if chosen.ids or policy.structural != "move" or state.unexplained + 1 < policy.structural_ticks:
        return case
    everyone = suspects(seen, np.ones_like(away), now, finding.blamed, free, policy)
    # what capture would refuse of a token that does its usual is nobody's fault: only moves count
    everyone = replace(everyone, ids=np.array([i for i in everyone.ids.tolist() if i not in everyone.cheap], np.int64))
    return replace(case, largest=culprits(seen, everyone, now, finding.blamed, away, state.usual, proof.growth, policy))


def _early(case: Case, over: Bools) -> Case:
    """Over capacity without a queue yet: the same search, but only culprits that explain all of it count."""
    seen, policy = case.seen, case.policy
    found = suspects(seen, case.proof.anomalous, case.now, over, case.free, policy)
    chosen = culprits(seen, found, case.now, over, case.away, case.state.usual, case.proof.growth, policy)
    if chosen.relief < EARLY_RELIEF:
        return case
    return replace(case, blamed=over, suspects=found, culprits=chosen)


def _route(state: PolicyState, verdict: Verdict, policy: Policy) -> Route:
    old = state.routes.get(verdict.token) or Route(verdict.pipeline, verdict.token, Lane.GENERAL, 0)
    if verdict.limit_per_s is not None:
        then = limit(old, verdict.limit_per_s, verdict.at_ms, policy)
        if then.lane is not Lane.GENERAL:
            return then
        return replace(then, reason=str(verdict.reason), by=verdict.by, verdict_id=verdict.id)
    return old.then(verdict.target, verdict.at_ms, reason=str(verdict.reason), by=verdict.by, verdict_id=verdict.id)


def _unsaid(
    state: PolicyState, verdicts: tuple[Verdict, ...], at_ms: int, policy: Policy
) -> tuple[tuple[Verdict, ...], dict[str, int]]:
    """What is done always; anything else once in a while."""
    said = {key: at for key, at in state.said.items() if at_ms - at < policy.repeat_s * 1000}
    fresh: list[Verdict] = []
    for verdict in verdicts:
        key = f"{verdict.kind}/{verdict.reason}/{verdict.token}"
        if verdict.kind in {VerdictKind.MOVE, VerdictKind.LIMIT} or key not in said:
            fresh.append(verdict)
            said.setdefault(key, at_ms)
    return tuple(fresh), said


def _next(
    state: PolicyState, routes: tuple[Route, ...], home: Homecoming, ended: Limiting, acts: tuple[Verdict, ...]
) -> PolicyState:
    table = {**state.routes, **{r.token: r for r in routes}}
    watches = {**home.watches, **{v.token: Watch(v) for v in acts if v.kind is VerdictKind.MOVE}}
    watches = {t: watch for t, watch in watches.items() if t in table and table[t].lane is not Lane.GENERAL}
    limits = {**ended.watches, **{v.token: LimitWatch() for v in acts if v.kind is VerdictKind.LIMIT}}
    limits = {t: watch for t, watch in limits.items() if t in table and table[t].limit_per_s is not None}
    return replace(state, routes=table, watches=watches, limits=limits, marks={**state.marks, **home.marks})


def protected(state: PolicyState, token: str, at_ms: int) -> Mark | None:
    """The mark that forbids even a person to move the token."""
    return find(state.marks, token, at_ms, MarkKind.PROTECT)
