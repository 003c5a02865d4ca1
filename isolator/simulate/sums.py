"""Sums by place, with the type that they have."""

import numpy as np

from isolator.interner import Floats, Ints


def summed(place: Ints, values: Floats, count: int) -> Floats:
    """The sum of `values` (n,) at each place (n,), as (count,)."""
    return np.bincount(place, values, count).astype(np.float64, copy=False)


def run_sums(bounds: Ints, values: Floats) -> Floats:
    """The sum of `values` (n,) over each run [bounds[i], bounds[i + 1]), as (len(bounds) - 1,): `summed` where the places are in order, several times faster."""
    if not len(values):
        return np.zeros(len(bounds) - 1)
    total: Floats = np.add.reduceat(np.append(values, 0.0), bounds)[:-1]
    total[bounds[1:] == bounds[:-1]] = 0.0
    return total
