"""Step 2: what is the matter. A finding that is no tenant's fault takes its partitions out of the search for a culprit."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from enum import StrEnum

import numpy as np

from isolator import words
from isolator.baseline import Usual
from isolator.changes import Change, latest
from isolator.constants import Policy
from isolator.gate import Gate
from isolator.interner import Bools, Floats
from isolator.load import Load, load
from isolator.observation import Observation

IDLE_DELAY_S = 1.0
"""Seconds of waiting work under which an idle consumer simply has nothing to do."""


class Diagnosis(StrEnum):
    """What is the matter with a pipeline."""

    HEALTHY = "healthy"
    NOISY_TENANT = "noisy_tenant"
    HOT_KEY = "hot_key"
    CAPACITY = "capacity"
    """Too much work for the consumers, and nobody's in particular."""
    STALL = "stall"
    HUNG = "hung"
    REBALANCE = "rebalance"
    DEPLOY = "deploy"
    CATCHING_UP = "catching_up"
    BROAD_OVERLOAD = "broad_overload"
    """Culprits there are, but more than may be moved."""
    STALE_INPUT = "stale_input"


@dataclass(frozen=True, slots=True)
class Finding:
    """What was found before looking for a culprit. `blamed` (partitions,) are those on which a tenant may be to blame."""

    diagnosis: Diagnosis
    blamed: Bools
    note: str = ""
    partitions: tuple[int, ...] = ()
    early: Bools | None = None
    """(partitions,) that nothing is late on yet, but that are over capacity and would be: only a culprit that explains all of it is sought there."""
    hung: tuple[int, ...] = ()
    """Token ids with a record that has been running for hung_s, or that a worker says to hang or fail, longest first: they leave general whatever else is the matter."""


def stale(seen: Observation, policy: Policy) -> str:
    """Why the input is too old to decide on, "" when it is not."""
    late = [
        name
        for name, age in (
            ("workers", seen.worker_age_s),
            ("the probe and the scout", min(seen.probe_age_s, seen.arrivals_age_s)),
        )
        if age > policy.stale_s
    ]
    return f"no telemetry from {' nor '.join(late)} for {policy.stale_s:g} s" if late else ""


def diagnose(
    seen: Observation,
    now: Load,
    gated: Gate,
    usual: Usual,
    away: Bools,
    policy: Policy,
    changes: Sequence[Change] = (),
) -> Finding:
    """What is no tenant's fault; HEALTHY with `blamed` set means: look for a culprit on these partitions."""
    hot = gated.confirmed
    nobody = np.zeros_like(hot)
    why = stale(seen, policy)
    if why:
        if seen.worker_age_s > policy.stale_s >= seen.probe_age_s and seen.partitions.lag.sum() > 0:
            return Finding(Diagnosis.STALL, nobody, "no worker reports, and records wait")
        return Finding(Diagnosis.STALE_INPUT, nobody, why)
    found = _consumers(seen, now, gated, usual, away, policy, changes)
    return replace(found, hung=_hung(seen, away, policy))


def _hung(seen: Observation, away: Bools, policy: Policy) -> tuple[int, ...]:
    running = {t: s for t, (_, s) in seen.in_flight.items() if s >= policy.hung_s}
    accused = {**dict.fromkeys(seen.troubles, policy.hung_s), **running}
    return tuple(sorted((t for t in accused if not away[t]), key=lambda t: (-accused[t], t)))


def _consumers(
    seen: Observation, now: Load, gated: Gate, usual: Usual, away: Bools, policy: Policy, changes: Sequence[Change]
) -> Finding:
    hot = gated.confirmed
    nobody = np.zeros_like(hot)
    if gated.hot.any() and (told := _told(seen, policy, changes)):
        # told of a change, ten seconds of slow events are enough: nobody waits for the gate to confirm
        slow = _slower(seen, usual, seen.tokens.recent_cost, policy)
        if slow and _fits_at_usual_cost(seen, usual, away, gated.hot, policy):
            return _deploy(slow, gated.hot, told)
    late = hot | (now.delay_s > policy.slo_s * policy.gate_delay_share)
    if not late.any():
        return Finding(Diagnosis.HEALTHY, nobody, early=_early(seen, gated, usual, away, policy))
    fresh = late & (seen.partitions.assigned_s < policy.rebalance_s)
    orphan = late & (seen.partitions.slot < 0)
    late &= ~fresh & ~orphan
    if not late.any():
        return Finding(
            Diagnosis.REBALANCE,
            nobody,
            "its partitions have just changed hands" if fresh.any() else "nobody owns the partitions that are late",
            partitions=_numbers(fresh | orphan),
        )
    # hot by the horizon alone, while nothing waits and the consumer idles: the estimate is wrong, not the consumer
    late &= (now.delay_s > IDLE_DELAY_S) | (seen.slots.busy >= policy.stall_busy)[np.maximum(seen.partitions.slot, 0)]
    if not late.any():
        return Finding(Diagnosis.HEALTHY, nobody)
    idle = late & (seen.slots.busy < policy.stall_busy)[np.maximum(seen.partitions.slot, 0)]
    late &= ~idle
    if not late.any():
        return Finding(Diagnosis.STALL, nobody, "records wait while the workers hardly work", partitions=_numbers(idle))
    if not (hot & late).any():
        return Finding(Diagnosis.CATCHING_UP, nobody, "the backlog shrinks by itself", partitions=_numbers(late))
    slow = _slower(seen, usual, seen.tokens.measured, policy) or _slow_build(seen, policy)
    if slow and _fits_at_usual_cost(seen, usual, away, hot & late, policy):
        return _deploy(slow, late, _told(seen, policy, changes))
    return Finding(Diagnosis.HEALTHY, hot & late, partitions=_numbers(hot & late))


def _told(seen: Observation, policy: Policy, changes: Sequence[Change]) -> str:
    """What was changed lately, as the end of a sentence: by a change note, or by a build that is new; "" for nothing."""
    change = latest(changes, seen.at_ms, policy.change_s)
    if change is not None:
        return f", {change.since(seen.at_ms)}"
    young = [b for b in seen.builds if b.age_s < policy.change_s]
    if not young or len(young) == len(seen.builds):
        return ""  # nothing is new, or this controller has just begun to look
    return f", since build {young[-1].name} began {words.duration(young[-1].age_s)} ago"


def _slow_build(seen: Observation, policy: Policy) -> float:
    """How many times as long as usual a new build's events take while older builds run beside it; 0 when none is slower."""
    old = [b for b in seen.builds if b.age_s >= policy.change_s]
    young = [b for b in seen.builds if b.age_s < policy.change_s]
    slow = [b.ratio / b.usual_ratio for b in young if old and b.ratio > policy.deploy_ratio * b.usual_ratio]
    return max(slow, default=0.0)


def _deploy(slow: float, where: Bools, told: str) -> Finding:
    note = f"events take {words.times(slow)} as long as usual for most tenants at once{told}"
    return Finding(Diagnosis.DEPLOY, np.zeros_like(where), note, partitions=_numbers(where))


def _early(seen: Observation, gated: Gate, usual: Usual, away: Bools, policy: Policy) -> Bools | None:
    """The partitions over capacity whose consumer has them for a while, works, and is not merely slower than usual."""
    slot = np.maximum(seen.partitions.slot, 0)
    over = gated.over & (seen.partitions.slot >= 0) & (seen.partitions.assigned_s >= policy.rebalance_s)
    if not over.any():
        return None
    over &= (seen.slots.busy >= policy.stall_busy)[slot]
    slow = _slower(seen, usual, seen.tokens.recent_cost, policy)
    if not over.any() or (slow and _fits_at_usual_cost(seen, usual, away, over, policy)):
        return None
    return over


def hot_key(seen: Observation, usual: Usual, token: int, blamed: Bools, now: Load, policy: Policy) -> int | None:
    """The partition on which one key of an otherwise calm token does over half of the work, None when there is none.

    Otherwise calm: the rest of the token does something like its usual work. A token that consists of one key is noisy as a whole.
    """
    mine = np.flatnonzero(seen.rows.token == token)
    work = seen.rows.rate[mine] * seen.tokens.cost[token]
    key = work * seen.rows.top_key[mine]
    rest, base = float(work.sum() - key.max(initial=0.0)), float(usual.work[token])
    if not 0.5 * base <= rest <= policy.guard_ratio * base:
        return None
    for row, amount in zip(mine, key, strict=True):
        partition = int(seen.rows.partition[row])
        if blamed[partition] and amount > policy.hot_key_share * now.work[partition]:
            return partition
    return None


def _slower(seen: Observation, usual: Usual, cost: Floats, policy: Policy) -> float:
    """How many times as long as usual most tenants' events take by `cost` (tokens,); 0 when it is not most of them."""
    # weighed by usual work, not by today's: a slow tenant does most of today's work, and would hide as a deploy
    size = len(seen.tokens.cost)
    known = seen.tokens.handled >= 1.0
    base = usual.work[:size]
    up = known & (cost > policy.deploy_ratio * usual.cost[:size])
    if base[up].sum() <= policy.deploy_share * base[known].sum():
        return 0.0
    return float(np.average(cost[up] / usual.cost[:size][up], weights=base[up]))


def _fits_at_usual_cost(seen: Observation, usual: Usual, away: Bools, hot: Bools, policy: Policy) -> bool:
    # the slow-down is to blame only if the same events at their usual cost would be no overload
    size = len(seen.tokens.cost)
    then = load(seen, away, policy, np.minimum(usual.cost[:size], seen.tokens.cost))
    return bool((then.rho[hot] <= policy.gate_rho).all())


def _numbers(mask: Bools) -> tuple[int, ...]:
    return tuple(int(p) for p in np.flatnonzero(mask))
