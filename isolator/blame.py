"""The verdict about one token: need, share, ratio, log p, effect predicted, seconds of lag blamed, alternatives."""

from dataclasses import dataclass
from zlib import crc32

import numpy as np

from ingestion.contracts.names import Lane
from isolator import words
from isolator.anomaly import Evidence
from isolator.constants import Policy
from isolator.guard import Culprits, Suspects
from isolator.interner import Bools
from isolator.load import Load, load
from isolator.moves import PolicyState
from isolator.observation import Observation
from isolator.verdict import Alternative, Reason, Verdict, VerdictKind

ALTERNATIVES = 5


@dataclass(frozen=True, slots=True)
class Case:
    """What a tick found out, shared by the verdicts of that tick."""

    seen: Observation
    state: PolicyState
    proof: Evidence
    now: Load
    away: Bools
    blamed: Bools
    suspects: Suspects
    culprits: Culprits
    policy: Policy


def verdict_id(kind: VerdictKind, token: str, at_ms: int) -> str:
    """Sortable by time, the same for the same decision."""
    return f"{at_ms:013d}-{crc32(token.encode()):08x}-{kind}"


def blame(case: Case, token: int, kind: VerdictKind, reason: Reason, note: str = "") -> Verdict:
    """The verdict about token id `token` of this case. rho and delay are those of the consumers and partitions that are hot."""
    seen, now, policy = case.seen, case.now, case.policy
    name = seen.names[token]
    partitions = _partitions(case, token)
    slots = _slots(seen, case.blamed)
    # by itself, so that each move can be held to its own prediction
    moved = case.away.copy()
    moved[token] = True
    then = load(seen, moved, policy)
    cost, base_cost = float(seen.tokens.cost[token]), float(case.state.usual.cost[token])
    work = float(seen.tokens.rate[token]) * cost
    capacity = float(seen.slots.capacity.sum())
    return Verdict(
        id=verdict_id(kind, name, seen.at_ms),
        pipeline=seen.pipeline,
        token=name,
        kind=kind,
        reason=reason,
        at_ms=seen.at_ms,
        source=Lane.GENERAL,
        target=Lane.GENERAL if kind is VerdictKind.ALERT else Lane.OVERFLOW,
        diagnosis=str(reason),
        mode=str(case.state.mode),
        note=note,
        partitions=partitions,
        partitions_total=len(seen.partitions),
        events_per_s=float(seen.tokens.rate[token]),
        cost_s=cost,
        baseline_cost_s=base_cost,
        work=work,
        baseline_work=float(case.state.usual.work[token]),
        ratio=float(case.proof.ratio[token]),
        score=float(case.proof.score[token]),
        share=_share(case, token),
        need=case.culprits.need,
        threshold=policy.guard_ratio,
        unit="times its baseline work",
        rho_before=now.worst_rho(slots),
        rho_predicted=then.worst_rho(slots),
        delay_before_s=_worst(now, case.blamed),
        delay_predicted_s=_worst(then, case.blamed),
        lag_blamed_s=lag_blamed(case, token),
        alternatives=_alternatives(case, token),
        suggestion=_suggestion(case, work, capacity, reason),
    )


def lag_blamed(case: Case, token: int) -> float:
    """Seconds by which the delay of the worst partition would be shorter, had the token not come.

    The queue re-run without it: B less all the work that it brought within the rate's memory (served or waiting: what was served for it was not served for
    others), over the capacity that is left without it. The largest over the blamed partitions.
    """
    seen, now = case.seen, case.now
    without = case.away.copy()
    without[token] = True
    mu = load(seen, without, case.policy).mu
    mine = np.flatnonzero(seen.rows.token == token)
    count = len(seen.partitions)
    cost = float(seen.tokens.cost[token])
    brought = np.bincount(
        seen.rows.partition[mine],
        np.maximum(seen.rows.rate[mine] * seen.window_s, seen.rows.waiting[mine]) * cost,
        count,
    )
    left = np.maximum(now.backlog - brought, 0.0)
    before = np.where(np.isfinite(now.delay_s), now.delay_s, 0.0)
    after = np.divide(left, mu, out=np.zeros(count), where=mu > 0)
    return float(np.maximum(before - after, 0.0).max(initial=0.0))


def _partitions(case: Case, token: int) -> tuple[int, ...]:
    rows = case.seen.rows
    mine = (rows.token == token) & (rows.rate > 0)
    on = np.unique(rows.partition[mine])
    hot = [int(p) for p in on if case.blamed[p]]
    return tuple(hot or (int(p) for p in on))


def _slots(seen: Observation, blamed: Bools) -> Bools | None:
    owners = seen.partitions.slot[blamed & (seen.partitions.slot >= 0)]
    if not len(owners):
        return None
    chosen = np.zeros(len(seen.slots.capacity), dtype=np.bool_)
    chosen[owners] = True
    return chosen


def _share(case: Case, token: int) -> float:
    rows, now = case.seen.rows, case.now
    horizon = case.policy.horizon_s
    mine = (rows.token == token) & case.blamed[rows.partition]
    cost = float(case.seen.tokens.cost[token])
    own = float(((rows.rate[mine] + rows.waiting[mine] / horizon) * cost).sum())
    everyone = float((now.work + now.backlog / horizon)[case.blamed].sum())
    return min(own / everyone, 1.0) if everyone > 0 else 0.0


def _worst(what: Load, where: Bools) -> float:
    chosen = what.delay_s[where] if where.any() else what.delay_s
    return float(np.where(np.isfinite(chosen), chosen, 0.0).max(initial=0.0))


def _alternatives(case: Case, token: int) -> tuple[Alternative, ...]:
    """Who else does most of the work on the hot partitions, and why it was left."""
    seen, rows = case.seen, case.seen.rows
    on = case.blamed[rows.partition]
    work = np.zeros(len(seen.tokens.rate))
    np.add.at(work, rows.token[on], rows.rate[on] * seen.tokens.cost[rows.token[on]])
    work[token] = 0.0
    top = np.argsort(-work, kind="stable")[:ALTERNATIVES]
    return tuple(
        Alternative(
            seen.names[i],
            float(work[i]),
            float(case.proof.ratio[i]),
            float(case.proof.score[i]),
            _why_not(case, int(i)),
        )
        for i in top.tolist()
        if work[i] > 0
    )


def _why_not(case: Case, token: int) -> str:
    if case.away[token]:
        return "already moved"
    if token in case.culprits.ids:
        return "a culprit as well"
    if token in case.suspects.cheap:
        return "forwarding it would not pay"
    if token in set(case.suspects.ids.tolist()):
        return "not needed for the cover"
    if case.state.marks.get(case.seen.names[token]):
        return "protected, exempt or barred"
    ratio = float(case.proof.ratio[token])
    if ratio < case.policy.guard_ratio:
        return f"{words.times(ratio)} its baseline, under {words.times(case.policy.guard_ratio)}"
    if not case.proof.anomalous[token]:
        return "its volume is not unlikely enough"
    return f"under {words.percent(case.policy.guard_share)} of a hot partition"


def _suggestion(case: Case, work: float, capacity: float, reason: Reason) -> str:
    if reason is Reason.CHEAP:
        return "Limit it at capture: forwarding its events costs as much as handling them."
    if reason is Reason.HOT_KEY:
        return "Ask the tenant about that one key; moving the token would not shorten its queue."
    overflow = case.seen.side.get(Lane.OVERFLOW)
    if overflow is not None and overflow.capacity > 0 and work > case.policy.overflow_share * overflow.capacity:
        return f"It brings {words.times(work / overflow.capacity)} what overflow can do: limit it at capture, or add overflow workers."
    if work > capacity:
        return "Talk to the tenant: it brings more work than all general workers can do."
    return "Talk to the tenant if it comes again; it is restored by itself when it has calmed down."
