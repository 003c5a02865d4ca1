"""What weighs on each general partition and consumer, and what would, with any set of tokens away. Pure; the what-if of every step.

lambda = arriving work/s    B = waiting work, s    mu = capacity left, work/s
D = B / mu        rho = lambda / mu        D_H = D + horizon * max(rho - 1, 0)
"""

from dataclasses import dataclass

import numpy as np

from isolator.constants import Policy
from isolator.interner import Bools, Floats
from isolator.observation import Observation
from isolator.slots import share_left


@dataclass(frozen=True, slots=True)
class Load:
    """Arrays over (partitions,), but slot_* over (slots,)."""

    work: Floats
    """lambda"""
    backlog: Floats
    """B"""
    mu: Floats
    rho: Floats
    delay_s: Floats
    """D; 0 without a backlog, infinite where nobody owns the partition"""
    horizon_s: Floats
    """D_H"""
    slot_rho: Floats
    """lambda of all its partitions over its capacity"""
    slot_backlog: Floats

    def worst_rho(self, slots: Bools | None = None) -> float:
        """The highest utilisation of a consumer (of `slots` only when given), 0 for none."""
        chosen = self.slot_rho if slots is None else self.slot_rho[slots]
        return float(chosen.max()) if len(chosen) else 0.0

    def worst_delay(self) -> float:
        """The largest delay, 0 for no partition."""
        return float(self.delay_s.max()) if len(self.delay_s) else 0.0


def load(seen: Observation, away: Bools, policy: Policy, cost: Floats | None = None) -> Load:
    """The load with the tokens `away` (tokens,) costing the general lane only their forwarding; `cost` replaces the work per event (tokens,)."""
    each = np.where(away, policy.forward_s, seen.tokens.cost if cost is None else cost)
    rows, parts = seen.rows, seen.partitions
    count = len(parts)
    row_cost = each[rows.token]
    work = np.bincount(rows.partition, rows.rate * row_cost, count) + parts.other_rate * parts.mean_cost
    rate = parts.rows_rate + parts.other_rate
    mixed = np.divide(work, rate, out=parts.mean_cost.copy(), where=rate > 1e-9)
    backlog = np.maximum(parts.lag - parts.rows_waiting, 0.0) * mixed
    if parts.rows_waiting.any():
        backlog += np.bincount(rows.partition, rows.waiting * row_cost, count)
    mu = share_left(parts.slot, seen.slots.capacity, work + backlog / policy.horizon_s)
    owned = mu > 0
    rho = np.divide(work, mu, out=np.zeros(count), where=owned)
    delay = np.divide(backlog, mu, out=np.where(backlog > 0, np.inf, 0.0), where=owned)
    slots = len(seen.slots.capacity)
    mine = parts.slot >= 0
    slot_work = np.bincount(parts.slot[mine], work[mine], slots)
    return Load(
        work,
        backlog,
        mu,
        rho,
        delay,
        delay + policy.horizon_s * np.maximum(rho - 1.0, 0.0),
        slot_work / seen.slots.capacity if slots else np.zeros(0),
        np.bincount(parts.slot[mine], backlog[mine], slots).astype(np.float64),
    )
