"""Sums by place."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from isolator.simulate.sums import run_sums, summed


@given(st.lists(st.integers(0, 6), max_size=40), st.integers(0, 10_000))
def test_sums_of_runs_are_sums_by_place(places: list[int], seed: int) -> None:
    place = np.sort(np.array(places, dtype=np.int64))
    values = np.random.default_rng(seed).random(len(place))
    bounds = np.searchsorted(place, np.arange(8))
    np.testing.assert_allclose(run_sums(bounds, values), summed(place, values, 7), atol=1e-12)
