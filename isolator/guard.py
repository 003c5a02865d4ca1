"""Steps 3 to 5 together: who is a candidate, is moving worth it, and which of them are the culprits."""

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np

from isolator.baseline import Usual
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
    """ids whose events cost hardly more than forwarding them: capture can limit them, moving would not pay"""


@dataclass(frozen=True, slots=True)
class Culprits:
    """The chosen ids in the order in which they help, what was needed (work/s over all constraints' partitions), and how much of it they bring (0 to 1)."""

    ids: tuple[int, ...]
    need: float
    relief: float
    limits: Mapping[int, float] = field(default_factory=dict)
    """Events/s that capture may take of those that are limited instead of moved."""


MOST = 256
"""Candidates that are compared; more would be more than any budget."""
NOBODY = Suspects(np.zeros(0, dtype=np.int64), np.zeros(0), frozenset())


def suspects(seen: Observation, anomalous: Bools, now: Load, blamed: Bools, free: Bools, policy: Policy) -> Suspects:
    """`anomalous` tokens (tokens,), `free` (tokens,) to be moved, that do at least 2 % of mu on a blamed partition."""
    rows = seen.rows
    work = rows.rate * seen.tokens.cost[rows.token]
    picked = (
        blamed[rows.partition]
        & anomalous[rows.token]
        & free[rows.token]
        & (work >= policy.guard_share * now.mu[rows.partition])
    )
    ids = np.unique(rows.token[picked])
    total = np.bincount(np.searchsorted(ids, rows.token[picked]), work[picked], len(ids)).astype(np.float64)
    order = np.argsort(-total, kind="stable")[:MOST]
    ids, total = ids[order], total[order]
    return Suspects(ids, total, _cheap(seen, ids, policy))


def _cheap(seen: Observation, ids: Ints, policy: Policy) -> frozenset[int]:
    """Step 4: moving saves service time less forwarding time an event; that must be worth it, and forwarding must not eat a consumer."""
    rows, slots = seen.rows, len(seen.slots.capacity)
    place = np.full(len(seen.tokens.rate), -1, dtype=np.int64)
    place[ids] = np.arange(len(ids))
    slot = seen.partitions.slot[rows.partition]
    mine = (place[rows.token] >= 0) & (slot >= 0)
    rate = np.zeros((len(ids), max(slots, 1)))
    np.add.at(rate, (place[rows.token[mine]], slot[mine]), rows.rate[mine])
    most = policy.benefit_forward_share * seen.slots.capacity if slots else np.full(1, np.inf)
    heavy = (rate * policy.forward_s > most).any(axis=1)
    light = seen.tokens.cost[ids] < policy.benefit_ratio * policy.forward_s
    return frozenset(ids[heavy | light].tolist())


def culprits(
    seen: Observation,
    found: Suspects,
    now: Load,
    blamed: Bools,
    away: Bools,
    usual: Usual,
    growth: float,
    policy: Policy,
) -> Culprits:
    """The smallest set whose work brings every blamed partition and consumer to rho <= 0.8 and drains the rest within min(SLO, 60 s).

    Of a cheap token only what is beyond its usual rate (times what a calm token may do, and the `growth` common to everybody) can be taken off, by a limit.
    """
    ids = found.ids
    fair = np.maximum(policy.restore_ratio * usual.rate[ids] * growth, 1.0)
    gains, needs = _constraints(seen, found, fair, now, blamed, away, policy)
    chosen = cover(gains, needs)
    need = float(np.maximum(needs, 0.0)[-2 * len(now.slot_rho) :].max(initial=0.0))
    limits = _limits(seen, found, fair, gains, needs, chosen)
    return Culprits(tuple(int(ids[c]) for c in chosen), need, relief(gains, needs, chosen), limits)


def _limits(
    seen: Observation, found: Suspects, fair: Floats, gains: Floats, needs: Floats, chosen: list[int]
) -> dict[int, float]:
    """What capture may take: no less than what is fair, no more than what leaves enough room once the others of `chosen` are gone."""
    limits: dict[int, float] = {}
    for c in chosen:
        token = int(found.ids[c])
        if token not in found.cheap:
            continue
        left = needs - gains[[other for other in chosen if other != c]].sum(axis=0)
        share = np.divide(left, gains[c], out=np.zeros(len(left)), where=(gains[c] > 0) & (left > 0))
        rate = float(seen.tokens.rate[token])
        limits[token] = float(max(rate - min(float(share.max(initial=0.0)), 1.0) * (rate - fair[c]), fair[c]))
    return limits


def _constraints(
    seen: Observation, found: Suspects, fair: Floats, now: Load, blamed: Bools, away: Bools, policy: Policy
) -> tuple[Floats, Floats]:
    ids = found.ids
    rows, count, slots = seen.rows, len(seen.partitions), len(seen.slots.capacity)
    drain = min(policy.slo_s, policy.drain_s)
    # what a partition will have once the candidates are gone: its neighbours are relieved too
    without = away.copy()
    without[ids] = True
    mu = np.maximum(load(seen, without, policy).mu, now.mu)
    place = np.full(len(away), -1, dtype=np.int64)
    place[ids] = np.arange(len(ids))
    mine = np.flatnonzero(place[rows.token] >= 0)
    who = place[rows.token[mine]]
    cheap = np.array([i in found.cheap for i in ids.tolist()], dtype=np.bool_)
    excess = np.maximum(1.0 - fair / np.maximum(seen.tokens.rate[ids], 1e-12), 0.0)
    # a limit saves the whole service time of what it refuses, and nothing of what already waits
    cost = np.where(cheap[who], seen.tokens.cost[ids][who] * excess[who], seen.tokens.cost[ids][who] - policy.forward_s)
    waiting = np.where(cheap[who], 0.0, rows.waiting[mine])
    rate, drained = np.zeros((len(ids), count)), np.zeros((len(ids), count))
    np.add.at(rate, (who, rows.partition[mine]), rows.rate[mine] * np.maximum(cost, 0.0))
    np.add.at(drained, (who, rows.partition[mine]), waiting * np.maximum(cost, 0.0) / drain)
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
