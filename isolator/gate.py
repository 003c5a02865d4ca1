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
    history: History
    """for the next tick"""


def gate(load: Load, history: History, policy: Policy) -> Gate:
    """Hot: max(D, D_H) > SLO/3 and rho > 1, or D > SLO/3 and rho > 0.8. Confirmed: in 2 of 3 ticks, or at once when D_H > SLO."""
    limit = policy.slo_s * policy.gate_delay_share
    # a partition that nobody owns is late for another reason: see diagnose
    delay = np.where(np.isfinite(load.delay_s), load.delay_s, 0.0)
    horizon = np.where(np.isfinite(load.horizon_s), load.horizon_s, 0.0)
    hot = ((np.maximum(delay, horizon) > limit) & (load.rho > policy.gate_rho)) | (
        (delay > limit) & (load.rho > policy.gate_rho_backlog)
    )
    past = (*(h for h in history if len(h) == len(hot)), hot)[-policy.confirm_window :]
    often = np.sum(past, axis=0) >= policy.confirm_ticks
    return Gate(hot, hot & (often | (horizon > policy.slo_s)), past)
