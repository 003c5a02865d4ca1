"""Quantiles of a histogram of counts."""

from collections.abc import Sequence


def quantile(q: float, bounds: Sequence[float], counts: Sequence[int]) -> float | None:
    """The q-quantile, linear inside its bucket, as Prometheus's `histogram_quantile` takes it; None for no counts.

    `counts` has one entry a bound (its upper one) and one more for what lies beyond the last, for which the last bound stands.
    """
    rank = q * sum(counts)
    if not any(counts):
        return None
    below, low = 0, 0.0
    for bound, count in zip(bounds, counts, strict=False):
        if count and below + count >= rank:
            return low + (bound - low) * (rank - below) / count
        below, low = below + count, bound
    return bounds[-1]
