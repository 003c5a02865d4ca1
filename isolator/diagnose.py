"""Step 2: what is the matter. A finding that is no tenant's fault takes its partitions out of the search for a culprit."""

from dataclasses import dataclass
from enum import StrEnum

import numpy as np

from isolator.baseline import Usual
from isolator.constants import Policy
from isolator.interner import Bools
from isolator.load import Load, load
from isolator.observation import Observation


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
    token: str = ""
    partitions: tuple[int, ...] = ()


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


def diagnose(seen: Observation, now: Load, hot: Bools, usual: Usual, away: Bools, policy: Policy) -> Finding:
    """The finding for confirmed hot partitions `hot`; HEALTHY with `blamed` set means: look for a culprit."""
    nobody = np.zeros_like(hot)
    why = stale(seen, policy)
    if why:
        if seen.worker_age_s > policy.stale_s >= seen.probe_age_s and seen.partitions.lag.sum() > 0:
            return Finding(Diagnosis.STALL, nobody, "no worker reports, and records wait")
        return Finding(Diagnosis.STALE_INPUT, nobody, why)
    for token, (partition, seconds) in sorted(seen.in_flight.items()):
        if seconds >= policy.hung_s:
            name = seen.names[token]
            return Finding(Diagnosis.HUNG, hot, f"one record has been running for {seconds:.0f} s", name, (partition,))
    late = hot | (now.delay_s > policy.slo_s * policy.gate_delay_share)
    if not late.any():
        return Finding(Diagnosis.HEALTHY, nobody)
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
    idle = late & (seen.slots.busy < policy.stall_busy)[np.maximum(seen.partitions.slot, 0)]
    late &= ~idle
    if not late.any():
        return Finding(Diagnosis.STALL, nobody, "records wait while the workers hardly work", partitions=_numbers(idle))
    if not (hot & late).any():
        return Finding(Diagnosis.CATCHING_UP, nobody, "the backlog shrinks by itself", partitions=_numbers(late))
    if _slower(seen, usual, policy) and _fits_at_usual_cost(seen, usual, away, hot & late, policy):
        return Finding(
            Diagnosis.DEPLOY,
            nobody,
            "events take longer than usual for most tenants at once",
            partitions=_numbers(late),
        )
    return Finding(Diagnosis.HEALTHY, hot & late, partitions=_numbers(hot & late))


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


def _slower(seen: Observation, usual: Usual, policy: Policy) -> bool:
    # weighed by usual work, not by today's: a slow tenant does most of today's work, and would hide as a deploy
    size = len(seen.tokens.cost)
    known = seen.tokens.handled >= 1.0
    base = usual.work[:size]
    up = known & (seen.tokens.measured > policy.deploy_ratio * usual.cost[:size])
    return bool(base[up].sum() > policy.deploy_share * base[known].sum())


def _fits_at_usual_cost(seen: Observation, usual: Usual, away: Bools, hot: Bools, policy: Policy) -> bool:
    # the slow-down is to blame only if the same events at their usual cost would be no overload
    size = len(seen.tokens.cost)
    then = load(seen, away, policy, np.minimum(usual.cost[:size], seen.tokens.cost))
    return bool((then.rho[hot] <= policy.gate_rho).all())


def _numbers(mask: Bools) -> tuple[int, ...]:
    return tuple(int(p) for p in np.flatnonzero(mask))
