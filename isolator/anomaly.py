"""Step 3, the evidence: how unlikely is a token's volume, and how far is it above its own baseline? Vectorised, pure.

The tail P(X >= n) of a negative binomial with mean m and size k is at most exp(-I(n)), I(n) = n ln(n/m) - (n+k) ln((n+k)/(m+k)) for n > m (Chernoff).
The exponent is used instead of `scipy.stats.nbinom.logsf`, which underflows where it matters; as an upper bound it errs on the token's side.
"""

import math
from dataclasses import dataclass
from typing import Final

import numpy as np
from scipy.special import xlogy

from isolator.baseline import Usual
from isolator.constants import Policy
from isolator.interner import Bools, Floats
from isolator.observation import Observation

LN10: Final = math.log(10)


@dataclass(frozen=True, slots=True)
class Evidence:
    """Arrays over (tokens,)."""

    score: Floats
    """-log10 p of the volume"""
    unlikely: Bools
    """the volume passes Benjamini-Hochberg"""
    ratio: Floats
    """work over the usual work, the growth common to everybody taken out"""
    cost_ratio: Floats
    anomalous: Bools
    growth: float
    """times: how much everybody's work has grown, at least 1"""


def exponent(count: Floats, mean: Floats, size: Floats) -> Floats:
    """I(n) for n > m, else 0; grows with n. `mean` and `size` are > 0."""
    value = xlogy(count, count / mean) - (count + size) * np.log((count + size) / (mean + size))
    return np.where(count > mean, np.maximum(value, 0.0), 0.0)


def benjamini_hochberg(exponents: Floats, rate: float) -> Bools:
    """Which of the hypotheses with p = exp(-exponent) are rejected at false discovery rate `rate`. More evidence for one never un-rejects any."""
    count = len(exponents)
    if count == 0:
        return np.zeros(0, dtype=np.bool_)
    ordered = np.sort(exponents)[::-1]
    passes = -ordered <= np.log(rate * np.arange(1, count + 1) / count)
    ranks = np.flatnonzero(passes)
    if not len(ranks):
        return np.zeros(count, dtype=np.bool_)
    return np.asarray(exponents >= ordered[ranks[-1]], dtype=np.bool_)


def growth(now: Floats, usual: Floats, leave_out: int) -> float:
    """By how much the sum over everybody has grown, at least 1, without the `leave_out` tokens of largest excess, so that culprits do not excuse themselves."""
    excess = now - usual
    left_out = min(leave_out, len(now) // 2)
    top = np.argpartition(excess, -left_out)[-left_out:] if left_out else np.zeros(0, dtype=np.int64)
    total, base = float(now.sum() - now[top].sum()), float(usual.sum() - usual[top].sum())
    return max(1.0, total / base) if base > 0 else 1.0


def overall(seen: Observation, usual: Usual, leave_out: int) -> float:
    """The same from the totals: a token's own baseline is shrunk towards the mean, their sum is not."""
    rate = seen.tokens.rate
    base = usual.rate[: len(rate)]
    left_out = min(leave_out, len(rate) // 2)
    top = np.argpartition(rate - base, -left_out)[-left_out:] if left_out else np.zeros(0, dtype=np.int64)
    total = float(rate.sum() - rate[top].sum() + seen.partitions.other_rate.sum())
    return max(1.0, total / usual.total_rate) if usual.total_rate > 0 else 1.0


def evidence(seen: Observation, usual: Usual, policy: Policy) -> Evidence:
    """The evidence against every token."""
    size = len(seen.tokens.rate)
    rate, cost = usual.rate[:size], usual.cost[:size]
    tokens = seen.tokens
    active = np.flatnonzero(tokens.seen > 0.05)
    everybody = overall(seen, usual, policy.guard_drift_tokens)
    more_events = max(everybody, growth(tokens.rate, rate, policy.guard_drift_tokens)) if size else 1.0
    now, base = tokens.rate * tokens.cost, rate * cost
    more_work = max(everybody, growth(now, base, policy.guard_drift_tokens)) if size else 1.0
    exponents = exponent(
        tokens.seen[active], rate[active] * more_events * seen.window_s, usual.dispersion[:size][active]
    )
    score, unlikely = np.zeros(size), np.zeros(size, dtype=np.bool_)
    score[active] = exponents / LN10
    unlikely[active] = benjamini_hochberg(exponents, policy.guard_fdr)
    ratio = now / np.maximum(base * more_work, 1e-12)
    cost_ratio = tokens.cost / np.maximum(cost, 1e-12)
    anomalous = (ratio >= policy.guard_ratio) & (unlikely | (cost_ratio >= policy.guard_cost_ratio))
    return Evidence(score, unlikely, ratio, cost_ratio, anomalous, more_work)
