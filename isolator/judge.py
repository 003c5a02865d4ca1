"""Steps 2 to 8 put together: the diagnosis of a tick, and the verdicts that follow from it. Pure."""

from dataclasses import dataclass, replace

from ingestion.contracts.names import Lane
from ingestion.contracts.routes import Mode
from ingestion.contracts.telemetry import TroubleKind
from isolator import lanes, words
from isolator.blame import Case, blame, verdict_id
from isolator.budget import Budget, budget
from isolator.diagnose import Diagnosis, Finding, hot_key
from isolator.verdict import Reason, Verdict, VerdictKind

_ALARMS = {
    Diagnosis.STALL: Reason.STALL,
    Diagnosis.REBALANCE: Reason.REBALANCE,
    Diagnosis.DEPLOY: Reason.DEPLOY,
}
_SICK = frozenset({Reason.HUNG, Reason.FAILING})
_COLD = "the baselines are not old enough yet"


@dataclass(frozen=True, slots=True)
class Judgement:
    """What a tick came to. `note` says more about the diagnosis."""

    diagnosis: Diagnosis
    verdicts: tuple[Verdict, ...] = ()
    note: str = ""
    waiting: bool = False
    """Some acts are only left for the next tick."""


@dataclass(frozen=True, slots=True)
class Act:
    """One thing that should be done about a token: move it, or limit it at capture."""

    token: int
    reason: Reason
    note: str = ""
    limit_per_s: float | None = None


def judge(case: Case, finding: Finding) -> Judgement:
    """The diagnosis, and the verdicts about culprits: moves and limits, or what takes their place."""
    keys = [i for i in case.culprits.ids if i not in finding.hung and _hot_key(case, i) is not None]
    acts = _acts(case, finding, keys)
    done, refused, waiting = _carry_out(case, acts)
    return replace(_judgement(case, finding, keys, acts, done, refused), waiting=waiting)


def _judgement(
    case: Case, finding: Finding, keys: list[int], acts: list[Act], done: tuple[Verdict, ...], refused: int
) -> Judgement:
    if sick := tuple(act for act in acts if act.reason in _SICK):
        hung = any(act.reason is Reason.HUNG for act in sick)
        diagnosis = Diagnosis.HUNG if hung else Diagnosis.NOISY_TENANT
        return Judgement(diagnosis, (*done, *_key_alerts(case, keys)), _about(case, sick, len(acts)))
    if running := _untouchable(case, finding):
        return Judgement(Diagnosis.HUNG, (*done, *running), running[0].note)
    if finding.diagnosis is not Diagnosis.HEALTHY:
        return Judgement(finding.diagnosis, (*done, *_alarm(case, finding)), finding.note)
    if not case.blamed.any():
        return Judgement(Diagnosis.HEALTHY)
    alerts = _key_alerts(case, keys)
    if acts and refused == len(acts):
        note = f"{len(acts)} culprits are more than may be moved without approval"
        return Judgement(Diagnosis.BROAD_OVERLOAD, (*done, *alerts), note)
    if acts:
        return Judgement(Diagnosis.NOISY_TENANT, (*done, *alerts))
    if keys:
        return Judgement(Diagnosis.HOT_KEY, alerts, f"one key of {case.seen.names[keys[0]]} does most of a partition")
    return _overload(case)


def _acts(case: Case, finding: Finding, keys: list[int]) -> list[Act]:
    """What should be done, hung records first."""
    acts: list[Act] = []
    for token in case.culprits.ids:
        if token in keys:
            continue
        if lanes.hangs(case.seen, token, case.policy):
            acts.append(_sick(case, token))
        elif token in case.culprits.limits:
            acts.append(Act(token, Reason.CHEAP, "", _tighter(case, token, case.culprits.limits[token])))
        else:
            acts.append(Act(token, Reason.NOISY_TENANT))
    named = {act.token for act in acts}
    acts += [_sick(case, token) for token in finding.hung if case.free[token] and token not in named]
    return sorted(acts, key=lambda act: act.reason not in _SICK)


def _sick(case: Case, token: int) -> Act:
    told = case.seen.troubles.get(token)
    failing = told is not None and told.kind is TroubleKind.FAILING
    return Act(token, Reason.FAILING if failing else Reason.HUNG, lanes.trouble(case.seen, token))


def _overload(case: Case) -> Judgement:
    """Step 6: over capacity, and nobody's fault in particular."""
    policy, state = case.policy, case.state
    if policy.structural == "off" or state.unexplained + 1 < policy.structural_ticks:
        return Judgement(Diagnosis.CAPACITY)
    verdicts: tuple[Verdict, ...] = ()
    moving = policy.structural == "move"
    if state.unexplained + 1 == policy.structural_ticks:
        then = "the largest tokens are moved until there is more" if moving else "nobody is moved"
        note = f"Over capacity for {policy.structural_ticks} decisions without a culprit: scale out; {then}."
        verdicts = (_alert(case, Reason.CAPACITY, note),)
    if not moving:
        return Judgement(Diagnosis.CAPACITY, verdicts)
    done, _, _ = _carry_out(case, [Act(token, Reason.CAPACITY) for token in case.largest.ids])
    return Judgement(Diagnosis.CAPACITY, (*done, *verdicts))


def _carry_out(case: Case, acts: list[Act]) -> tuple[tuple[Verdict, ...], int, bool]:
    """Step 7: one verdict an act within the budget, how many acts it refuses, and whether others only have to wait for the next tick."""
    left = _budget(case)
    rate, total = case.state.usual.rate, _everybody(case)
    verdicts: list[Verdict] = []
    refused, waiting = 0, False
    for act in acts:
        if _settling(case, act):
            continue
        traffic = float(rate[act.token]) / total
        refusal = left.refusal(traffic)
        if not refusal and case.seen.moves_refused and act.limit_per_s is None:
            refusal = "a worker's fence map is full: restore tokens first"
        after = left.take(traffic)
        if refusal:
            refused += 1
            verdicts.append(_refused(case, act, refusal))
        elif after is not None:
            left = after
            verdicts.append(_decided(case, act))
        else:
            waiting = True
    return tuple(verdicts), refused, waiting


def _settling(case: Case, act: Act) -> bool:
    """Has the token just been limited? What it sent before still weighs."""
    watch = case.state.limits.get(case.seen.names[act.token])
    return act.limit_per_s is not None and watch is not None and watch.ticks < case.policy.verify_ticks


def _tighter(case: Case, token: int, wanted: float) -> float:
    """The limit that leaves `wanted` events/s in all. Each capture process holds its own: what arrives under the present limit tells how many there are."""
    route = case.state.routes.get(case.seen.names[token])
    present = route.limit_at(case.seen.at_ms) if route else None
    rate = float(case.seen.tokens.rate[token])
    return wanted if present is None or rate <= present else wanted * present / rate


def _budget(case: Case) -> Budget:
    """Tokens away and tokens limited count alike: both are treated unlike the rest. At night nobody is fewer tenants' server than by day: known ones count."""
    rate = case.state.usual.rate
    touched = case.state.moved().keys() | case.state.limited().keys()
    ids = [case.seen.ids[t] for t in touched if case.seen.ids.get(t, len(rate)) < len(rate)]
    active = max(case.seen.active_tokens, case.state.usual.known)
    return budget(active, len(touched), float(rate[ids].sum()) / _everybody(case), case.policy)


def _everybody(case: Case) -> float:
    """The baseline traffic, events/s."""
    usual = case.state.usual
    return max(usual.total_rate or float(usual.rate.sum()), 1e-12)


def _refused(case: Case, act: Act, refusal: str) -> Verdict:
    """What the budget does not allow: a person is asked, unless nothing would be done anyway."""
    if _only_says(case, act):
        return _verdict(case, act, VerdictKind.WOULD_MOVE, f"Would need approval: {refusal}.")
    return _verdict(case, act, VerdictKind.PROPOSAL, f"Needs approval: {refusal}.")


def _only_says(case: Case, act: Act) -> bool:
    """Does the mode, or a baseline that is too young, leave it at saying what would be done?"""
    # a hung record is told by the clock, not by a baseline
    cold = not case.state.usual.warm and act.reason not in _SICK
    return case.state.mode is not Mode.SUGGEST and (case.state.mode is not Mode.AUTO or cold)


def _decided(case: Case, act: Act) -> Verdict:
    """The act itself, or what the mode makes of it."""
    mode = case.state.mode
    if mode is Mode.SUGGEST:
        return _verdict(case, act, VerdictKind.PROPOSAL, "Mode suggest: approve or decline.")
    if _only_says(case, act):
        return _verdict(case, act, VerdictKind.WOULD_MOVE, _COLD if mode is Mode.AUTO else "")
    return _verdict(case, act, VerdictKind.LIMIT if act.limit_per_s is not None else VerdictKind.MOVE, act.note)


def _verdict(case: Case, act: Act, kind: VerdictKind, note: str) -> Verdict:
    limited = act.limit_per_s is not None
    target = Lane.GENERAL if limited else lanes.side_lane(case.seen, act.token, case.policy)
    verdict = blame(case, act.token, kind, act.reason, note, target=target, limit_per_s=act.limit_per_s)
    if kind is VerdictKind.PROPOSAL:
        return replace(verdict, expires_ms=case.seen.at_ms + int(case.policy.proposal_s * 1000))
    return verdict


def _hot_key(case: Case, token: int) -> int | None:
    return hot_key(case.seen, case.state.usual, token, case.blamed, case.now, case.policy)


def _key_alerts(case: Case, keys: list[int]) -> tuple[Verdict, ...]:
    return tuple(
        blame(case, i, VerdictKind.ALERT, Reason.HOT_KEY, f"One key does most of partition {_hot_key(case, i)}.")
        for i in keys
    )


def _about(case: Case, sick: tuple[Act, ...], acts: int) -> str:
    first = sick[0]
    said = f"{words.short(case.seen.names[first.token])}: {first.note[:1].lower()}{first.note[1:].rstrip('.')}"
    return f"{said}; {acts - 1} more are dealt with" if acts > 1 else said


def _untouchable(case: Case, finding: Finding) -> tuple[Verdict, ...]:
    """Hung records of tokens that the policy may not move: a person has to look."""
    return tuple(
        blame(case, t, VerdictKind.ALERT, Reason.HUNG, f"{lanes.trouble(case.seen, t)} It is not the policy's to move.")
        for t in finding.hung
        if not case.free[t]
    )


def _alarm(case: Case, finding: Finding) -> tuple[Verdict, ...]:
    reason = _ALARMS.get(finding.diagnosis)
    return () if reason is None else (_alert(case, reason, f"{finding.note}.", finding.partitions),)


def _alert(case: Case, reason: Reason, note: str, partitions: tuple[int, ...] = ()) -> Verdict:
    seen = case.seen
    return Verdict(
        id=verdict_id(VerdictKind.ALERT, str(reason), seen.at_ms),
        pipeline=seen.pipeline,
        token="",
        kind=VerdictKind.ALERT,
        reason=reason,
        at_ms=seen.at_ms,
        diagnosis=str(reason),
        mode=str(case.state.mode),
        note=note[:1].upper() + note[1:],
        partitions=partitions,
        partitions_total=len(seen.partitions),
        rho_before=case.now.worst_rho(),
        need=case.culprits.need,
        threshold=case.policy.target_rho,
        unit="rho",
    )
