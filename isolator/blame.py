"""The verdict about one token: need, share, ratio, log p, effect predicted, seconds of lag blamed, alternatives."""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from zlib import crc32

import numpy as np

from ingestion.contracts.names import Lane
from isolator import words
from isolator.anomaly import Evidence
from isolator.constants import Policy
from isolator.guard import Culprits, Suspects
from isolator.interner import Bools
from isolator.load import Load, load
from isolator.marks import MarkKind, find
from isolator.moves import PolicyState
from isolator.observation import Observation
from isolator.verdict import Alternative, Reason, Verdict, VerdictKind

ALTERNATIVES = 5
_MARKED = {MarkKind.PROTECT: "protected", MarkKind.EXEMPT: "exempted", MarkKind.BARRED: "barred"}


@dataclass(frozen=True, slots=True)
class Case:
    """What a tick found out, shared by the verdicts of that tick."""

    seen: Observation
    state: PolicyState
    proof: Evidence
    now: Load
    away: Bools
    blamed: Bools
    free: Bools
    """Tokens that the policy may move: neither away nor marked."""
    suspects: Suspects
    culprits: Culprits
    largest: Culprits
    """Whom `structural = move` would take: the fewest tokens, anomalous or not, that bring enough relief; nobody unless it is due."""
    policy: Policy


def verdict_id(kind: VerdictKind, token: str, at_ms: int) -> str:
    """Sortable by time, the same for the same decision."""
    return f"{at_ms:013d}-{crc32(token.encode()):08x}-{kind}"


def blame(
    case: Case,
    token: int,
    kind: VerdictKind,
    reason: Reason,
    note: str = "",
    *,
    source: Lane = Lane.GENERAL,
    target: Lane = Lane.GENERAL,
    limit_per_s: float | None = None,
) -> Verdict:
    """The verdict about token id `token` of this case. rho and delay are those of the consumers and partitions that are hot."""
    seen, now, policy = case.seen, case.now, case.policy
    name = seen.names[token]
    partitions = _partitions(case, token)
    slots = owners(seen, np.flatnonzero(case.blamed).tolist())
    # by itself, so that each move can be held to its own prediction
    then = _then(case, token, target, limit_per_s)
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
        source=source,
        target=target,
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
        rho_predicted=then.worst_rho(slots) if kind is not VerdictKind.ALERT else None,
        delay_before_s=_worst(now, case.blamed),
        delay_predicted_s=_worst(then, case.blamed) if kind is not VerdictKind.ALERT else None,
        lag_blamed_s=lag_blamed(case, token),
        alternatives=_alternatives(case, token),
        suggestion=_suggestion(case, work, capacity, reason),
        limit_per_s=limit_per_s,
    )


def _then(case: Case, token: int, target: Lane, limit_per_s: float | None) -> Load:
    """The load with the token away, or with no more than its limit of it arriving; unchanged for one that stays."""
    seen = case.seen
    if target is not Lane.GENERAL:
        moved = case.away.copy()
        moved[token] = True
        return load(seen, moved, case.policy)
    if limit_per_s is None or seen.tokens.rate[token] <= limit_per_s:
        return case.now
    part = limit_per_s / float(seen.tokens.rate[token])
    rate = np.where(seen.rows.token == token, seen.rows.rate * part, seen.rows.rate)
    return load(replace(seen, rows=replace(seen.rows, rate=rate)), case.away, case.policy)


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


def owners(seen: Observation, partitions: Iterable[int]) -> Bools | None:
    """The consumers (slots,) of `partitions`; None when nobody owns any of them."""
    slot = seen.partitions.slot
    mine = [int(slot[p]) for p in partitions if p < len(slot) and slot[p] >= 0]
    if not mine:
        return None
    chosen = np.zeros(len(seen.slots.capacity), dtype=np.bool_)
    chosen[mine] = True
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
    on = np.flatnonzero(case.blamed[rows.partition] & (rows.token != token))
    ids, place = np.unique(rows.token[on], return_inverse=True)
    work = np.bincount(place, rows.rate[on] * seen.tokens.cost[rows.token[on]], len(ids))
    top = np.argsort(-work, kind="stable")[:ALTERNATIVES].tolist()
    return tuple(
        Alternative(
            seen.names[i],
            float(work[n]),
            float(case.proof.ratio[i]),
            float(case.proof.score[i]),
            _why_not(case, i),
        )
        for n, i in ((n, int(ids[n])) for n in top)
        if work[n] > 0
    )


def _why_not(case: Case, token: int) -> str:
    if case.away[token]:
        return "already moved"
    if token in case.culprits.limits:
        return "limited at capture: forwarding it would not pay"
    if token in case.culprits.ids:
        return "a culprit as well"
    if token in set(case.suspects.ids.tolist()):
        return "not needed for the cover"
    mark = find(case.state.marks, case.seen.names[token], case.seen.at_ms)
    if mark is not None:
        return f"{_MARKED[mark.kind]} by {mark.by}"
    ratio = float(case.proof.ratio[token])
    if ratio < case.policy.guard_ratio:
        return f"{words.times(ratio)} its baseline, under {words.times(case.policy.guard_ratio)}"
    if not case.proof.anomalous[token]:
        return "its volume is not unlikely enough"
    return f"under {words.percent(case.policy.guard_share)} of a hot partition"


def _suggestion(case: Case, work: float, capacity: float, reason: Reason) -> str:
    if reason is Reason.CHEAP:
        return "Talk to the tenant: capture answers 429 beyond the limit, because forwarding its events costs as much as handling them."
    if reason is Reason.HOT_KEY:
        return "Ask the tenant about that one key; moving the token would not shorten its queue."
    if reason is Reason.HUNG:
        return "Look at that record: a third attempt in a side lane dead-letters it."
    if reason is Reason.CAPACITY:
        return "Scale out: it is restored by itself once there is room."
    overflow = case.seen.side.get(Lane.OVERFLOW)
    if overflow is not None and overflow.capacity > 0 and work > case.policy.overflow_share * overflow.capacity:
        return f"It brings {words.times(work / overflow.capacity)} what overflow can do: talk to the tenant, or add side workers."
    if work > capacity:
        return "Talk to the tenant: it brings more work than all general workers can do."
    return "Talk to the tenant if it comes again; it is restored by itself when it has calmed down."
