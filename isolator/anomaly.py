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
from isolator.interner import Bools, Floats, Ints
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


def growth(now: Floats, usual: Floats, leave_out: int, rest: float = 0.0) -> float:
    """By how much the sum over everybody has grown, at least 1, without the `leave_out` tokens of largest excess, so that culprits do not excuse themselves.

    `rest` is what is usual for those who do nothing now.
    """
    top, _ = _largest(now - usual, leave_out)
    total, base = float(now.sum() - now[top].sum()), float(usual.sum() - usual[top].sum()) + rest
    return max(1.0, total / base) if base > 0 else 1.0


def growth_of_others(now: Floats, usual: Floats, leave_out: int, rest: float = 0.0) -> Floats:
    """`growth` (tokens,) of everybody but each token itself: what a token does never excuses it, however it ranks among the largest."""
    top, following = _largest(now - usual, leave_out)
    return _times(_without(now, top, following), _without(usual, top, following) + rest)


def _largest(excess: Floats, count: int) -> tuple[Ints, Ints]:
    """The `count` largest (at most half of all), and the one that follows them (if any)."""
    count = min(count, len(excess) // 2)
    most = min(count + 1, len(excess))
    top = np.argpartition(excess, len(excess) - most)[len(excess) - most :]
    top = top[np.argsort(-excess[top], kind="stable")]
    return top[:count], top[count:]


def _without(values: Floats, top: Ints, following: Ints) -> Floats:
    """The sum over everybody but `top` and oneself, by token; for those in `top` themselves the following one is left out in their place."""
    total = float(values.sum() - values[top].sum())
    left = total - values
    left[top] = total - float(values[following].sum())
    return left


def _times(now: Floats, base: Floats) -> Floats:
    return np.maximum(np.divide(now, base, out=np.ones(len(now)), where=base > 1e-12), 1.0)


def overall(seen: Observation, usual: Usual, leave_out: int) -> Floats:
    """The same from the totals, (tokens,): a token's own baseline is shrunk towards the mean, their sum is not."""
    rate = seen.tokens.rate
    top, following = _largest(rate - usual.rate[: len(rate)], leave_out)
    others = _without(rate, top, following) + float(seen.partitions.other_rate.sum())
    return _times(others, np.full(len(rate), usual.total_rate))


def evidence(seen: Observation, usual: Usual, policy: Policy) -> Evidence:
    """The evidence against every token. More events of a token are never less evidence against it."""
    size = len(seen.tokens.rate)
    rate, cost, leave_out = usual.rate[:size], usual.cost[:size], policy.guard_drift_tokens
    tokens = seen.tokens
    active = np.flatnonzero(tokens.seen > 0.05)
    everybody = overall(seen, usual, leave_out)
    more_events = np.maximum(everybody, growth_of_others(tokens.rate, rate, leave_out, usual.rest_rate))
    now, base = tokens.rate * tokens.cost, rate * cost
    more_work = np.maximum(everybody, growth_of_others(now, base, leave_out, usual.rest_work))
    mean, exponents = rate[active] * more_events[active] * seen.window_s, np.zeros(len(active))
    above = np.flatnonzero(tokens.seen[active] > mean)
    who = active[above]
    exponents[above] = exponent(tokens.seen[who], mean[above], usual.dispersion[who])
    score, unlikely = np.zeros(size), np.zeros(size, dtype=np.bool_)
    score[active] = exponents / LN10
    unlikely[active] = benjamini_hochberg(exponents, policy.guard_fdr)
    ratio = now / np.maximum(base * more_work, 1e-12)
    cost_ratio = tokens.cost / np.maximum(cost, 1e-12)
    anomalous = (ratio >= policy.guard_ratio) & (unlikely | (cost_ratio >= policy.guard_cost_ratio))
    # as said to people: of everybody, the largest left out
    grown = max(growth(now, base, leave_out, usual.rest_work), float(everybody.max(initial=1.0)))
    return Evidence(score, unlikely, ratio, cost_ratio, anomalous, grown)
