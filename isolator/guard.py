"""Steps 3 to 5 together: who is a candidate, is moving worth it, and which of them are the culprits."""

from dataclasses import dataclass

import numpy as np

from isolator.anomaly import Evidence
from isolator.constants import Policy
from isolator.cover import cover, relief
from isolator.interner import Bools, Floats, Ints
from isolator.load import Load, load
from isolator.observation import Observation


@dataclass(frozen=True, slots=True)
class Suspects:
    """Candidates by token id, largest work first, with their work on the blamed partitions (candidates,)."""

    ids: Ints
    work: Floats
    cheap: frozenset[int]
    """ids whose events cost hardly more than forwarding them"""

    def worth_moving(self) -> Ints:
        """The ids that forwarding pays for."""
        return np.array([i for i in self.ids.tolist() if i not in self.cheap], dtype=np.int64)


@dataclass(frozen=True, slots=True)
class Culprits:
    """The chosen ids in the order in which they help, what was needed (work/s over all constraints' partitions), and how much of it they bring (0 to 1)."""

    ids: tuple[int, ...]
    need: float
    relief: float


MOST = 256
"""Candidates that are compared; more would be more than any budget."""


def suspects(seen: Observation, proof: Evidence, now: Load, blamed: Bools, free: Bools, policy: Policy) -> Suspects:
    """Anomalous tokens, `free` (tokens,) to be moved, that do at least 2 % of mu on a blamed partition."""
    rows = seen.rows
    work = rows.rate * seen.tokens.cost[rows.token]
    picked = (
        blamed[rows.partition]
        & proof.anomalous[rows.token]
        & free[rows.token]
        & (work >= policy.guard_share * now.mu[rows.partition])
    )
    ids = np.unique(rows.token[picked])
    total = np.bincount(np.searchsorted(ids, rows.token[picked]), work[picked], len(ids)).astype(np.float64)
    order = np.argsort(-total, kind="stable")[:MOST]
    ids, total = ids[order], total[order]
    return Suspects(ids, total, frozenset(int(i) for i in ids if _cheap(seen, int(i), policy)))


def _cheap(seen: Observation, token: int, policy: Policy) -> bool:
    """Step 4: moving saves service time less forwarding time an event; that must be worth it, and forwarding must not eat the consumer."""
    tokens = seen.tokens
    forwarding = float(tokens.rate[token]) * policy.forward_s
    capacity = float(seen.slots.capacity.sum())
    return bool(
        tokens.cost[token] < policy.benefit_ratio * policy.forward_s
        or forwarding > policy.benefit_forward_share * capacity
    )


def culprits(seen: Observation, found: Suspects, now: Load, blamed: Bools, away: Bools, policy: Policy) -> Culprits:
    """The smallest set whose work brings every blamed partition and consumer to rho <= 0.8 and drains the rest within min(SLO, 60 s)."""
    ids = found.worth_moving()
    gains, needs = _constraints(seen, ids, now, blamed, away, policy)
    chosen = cover(gains, needs)
    need = float(np.maximum(needs, 0.0)[-2 * len(now.slot_rho) :].max(initial=0.0))
    return Culprits(tuple(int(ids[c]) for c in chosen), need, relief(gains, needs, chosen))


def _constraints(
    seen: Observation, ids: Ints, now: Load, blamed: Bools, away: Bools, policy: Policy
) -> tuple[Floats, Floats]:
    rows, count, slots = seen.rows, len(seen.partitions), len(seen.slots.capacity)
    drain = min(policy.slo_s, policy.drain_s)
    # what a partition will have once the candidates are gone: its neighbours are relieved too
    without = away.copy()
    without[ids] = True
    mu = np.maximum(load(seen, without, policy).mu, now.mu)
    place = np.full(len(away), -1, dtype=np.int64)
    place[ids] = np.arange(len(ids))
    mine = np.flatnonzero(place[rows.token] >= 0)
    cost = seen.tokens.cost[rows.token[mine]] - policy.forward_s
    rate, drained = np.zeros((len(ids), count)), np.zeros((len(ids), count))
    np.add.at(rate, (place[rows.token[mine]], rows.partition[mine]), rows.rate[mine] * cost)
    np.add.at(drained, (place[rows.token[mine]], rows.partition[mine]), rows.waiting[mine] * cost / drain)
    drained += rate
    slot = seen.partitions.slot
    concerned = np.zeros(slots, dtype=np.bool_)
    concerned[slot[blamed & (slot >= 0)]] = True
    belongs = (slot[:, None] == np.arange(slots)[None, :]).astype(np.float64)
    backlog = np.where(np.isfinite(now.backlog), now.backlog, 0.0)
    needs = np.concatenate(
        (
            np.where(blamed, now.work - policy.target_rho * mu, 0.0),
            np.where(blamed, now.work + backlog / drain - mu, 0.0),
            np.where(concerned, now.work @ belongs - policy.target_rho * seen.slots.capacity, 0.0),
            np.where(concerned, (now.work + backlog / drain) @ belongs - seen.slots.capacity, 0.0),
        )
    )
    return np.concatenate((rate, drained, rate @ belongs, drained @ belongs), axis=1), needs
