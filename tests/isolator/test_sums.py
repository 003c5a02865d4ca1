"""Learned sums: forgetting lazily is forgetting eagerly, and the totals are the sums of what is kept."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from isolator.sums import Sums

STEPS = st.lists(
    st.tuples(st.sampled_from([0.5, 0.99, 1e-4, 1.0]), st.integers(0, 3), st.floats(0, 1e4), st.floats(0, 10)),
    max_size=20,
)


@given(STEPS)
def test_lazy_decay_equals_eager_decay(steps: list[tuple[float, int, float, float]]) -> None:
    lazy, eager = Sums.empty(), np.zeros((4, 4))
    lazy.grow(4)
    for factor, token, events, work in steps:
        lazy.fade(factor)
        eager *= factor
        lazy.arrive(np.array([token]), np.array([events]))
        lazy.handle(np.array([token]), np.array([events]), np.array([work]))
        eager[token] += [events, events**2, events, work]
    got = lazy.of(np.arange(4)).T
    np.testing.assert_allclose(got, eager, rtol=1e-4, atol=1e-6)
    totals = [lazy.events_total, lazy.handled_total, lazy.work_total]
    np.testing.assert_allclose(totals, eager.sum(axis=0)[[0, 2, 3]], rtol=1e-6, atol=1e-6)
    np.testing.assert_allclose(lazy.work[:4], eager[:, 3], rtol=1e-4, atol=1e-6)


def test_a_month_of_small_additions_is_not_rounded_away() -> None:
    sums = Sums.empty()
    sums.grow(1)
    one = np.zeros(1, dtype=np.int64)
    for _ in range(120_000):
        sums.fade(0.5 ** (5 / 86_400))
        sums.arrive(one, np.array([50.0]))
    steady = 50.0 / (1 - 0.5 ** (5 / 86_400))
    assert sums.events[0] == pytest.approx(steady, rel=0.02)
