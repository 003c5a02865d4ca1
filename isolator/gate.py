"""Step 1: which partitions are hot."""

from dataclasses import dataclass

import numpy as np

from isolator.constants import Policy
from isolator.interner import Bools
from isolator.load import Load

History = tuple[Bools, ...]
"""Hot partitions of the last ticks, newest last."""


@dataclass(frozen=True, slots=True)
class Gate:
    """Arrays over (partitions,)."""

    hot: Bools
    """in this tick"""
    confirmed: Bools
    over: Bools
    """(Nearly) over capacity in 2 of 3 ticks, however short the queue still is: enough for a culprit that explains all of it, for nothing else."""
    history: History
    """hot ones, for the next tick"""
    over_history: History


def gate(load: Load, history: History, over_history: History, policy: Policy) -> Gate:
    """Hot: max(D, D_H) > SLO/3 and rho > 1, or D > SLO/3 and rho > 0.8. Confirmed: in 2 of 3 ticks, or at once when D_H > SLO."""
    limit = policy.slo_s * policy.gate_delay_share
    # a partition that nobody owns is late for another reason: see diagnose
    delay = np.where(np.isfinite(load.delay_s), load.delay_s, 0.0)
    horizon = np.where(np.isfinite(load.horizon_s), load.horizon_s, 0.0)
    hot = ((np.maximum(delay, horizon) > limit) & (load.rho > policy.gate_rho)) | (
        (delay > limit) & (load.rho > policy.gate_rho_backlog)
    )
    past, often = _often(history, hot, policy)
    over = load.rho > policy.gate_rho_early
    over_past, over_often = _often(over_history, over, policy)
    return Gate(hot, hot & (often | (horizon > policy.slo_s)), over & over_often, past, over_past)


def _often(history: History, now: Bools, policy: Policy) -> tuple[History, Bools]:
    past = (*(h for h in history if len(h) == len(now)), now)[-policy.confirm_window :]
    return past, np.asarray(np.sum(past, axis=0) >= policy.confirm_ticks)
