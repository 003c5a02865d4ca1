"""Step 10: when may a token come back?"""

from dataclasses import dataclass

import numpy as np

from ingestion.contracts.names import Lane
from isolator import words
from isolator.constants import Policy
from isolator.interner import Bools
from isolator.load import load
from isolator.observation import Observation

BEHIND = "the general lane is still behind"
SICK = "its records still hang or fail"


@dataclass(frozen=True, slots=True)
class Calm:
    """A moved token's state. `why_not` is "" when nothing but time stands in the way."""

    why_not: str
    ratio: float
    """work over its baseline"""
    rho_back: float
    """highest utilisation of a consumer with it back"""


def calm_s(strikes: int, policy: Policy) -> float:
    """Seconds of calm before a restore: 60 s * 2^(strikes - 1), at most an hour."""
    return float(min(policy.calm_s * 2.0 ** min(max(strikes - 1, 0), 60), policy.calm_max_s))


def calm(seen: Observation, token: int, usual_work: float, growth: float, away: Bools, policy: Policy) -> Calm:
    """Is the token's work <= 2x baseline (or too little to matter), would rho with it back stay under 0.85, and is every delay under SLO/4?"""
    work = float(seen.tokens.recent[token] * seen.tokens.recent_cost[token])
    ratio = work / max(usual_work, 1e-12)
    back = away.copy()
    back[token] = False
    # the half-life remembers a flood for minutes: judge its return by what it does now
    cost = seen.tokens.cost.copy()
    if seen.tokens.rate[token] > 0:
        cost[token] = min(float(cost[token]), work / float(seen.tokens.rate[token]))
    then = load(seen, back, policy, cost)
    rho = then.worst_rho()
    enough = policy.restore_floor * float(seen.slots.capacity.min(initial=1.0))
    limit = max(policy.restore_ratio * usual_work * growth, enough)
    why = ""
    if work > limit:
        why = f"its work is {words.times(ratio)} its baseline"
    elif rho >= policy.restore_rho:
        why = f"rho with it back would be {rho:.2f}"
    elif load(seen, away, policy).worst_delay() >= policy.slo_s * policy.restore_delay_share:
        why = BEHIND
    return Calm(why, ratio, rho)


def lane_ready(seen: Observation, token: int | None, partitions: tuple[int, ...], lane: Lane, policy: Policy) -> bool:
    """Is the side lane's delay under hold_max/2 on the token's partitions (on all, when they are not known)? Workers would only hold, and forward again."""
    side = seen.side.get(lane)
    if side is None or seen.probe_age_s > policy.stale_s:
        return False
    wanted = set(partitions)
    if token is not None:
        wanted |= {int(p) for p in seen.rows.partition[seen.rows.token == token]}
    delays = side.delay_s[[p for p in sorted(wanted) if p < len(side.delay_s)]] if wanted else side.delay_s
    return bool(np.all(delays < policy.hold_max_s / 2))
