"""Sums by place, with the type that they have."""

import numpy as np

from isolator.interner import Floats, Ints


def summed(place: Ints, values: Floats, count: int) -> Floats:
    """The sum of `values` (n,) at each place (n,), as (count,)."""
    return np.bincount(place, values, count).astype(np.float64, copy=False)
