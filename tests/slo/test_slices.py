"""Laws of slices: sums are taken apart and divided last, so grouping and order change nothing."""

from fractions import Fraction
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from slo.resolution import RESOLUTIONS, coarsen, cut, step_for
from slo.slices import EMPTY, Slice, add_up, coverage

COUNTS = st.integers(0, 10**12)
SLICES = st.builds(
    lambda good, bad, expected, observed: Slice(good, good + bad, expected, observed),
    COUNTS,
    COUNTS,
    COUNTS,
    st.integers(0, 60),
)


@given(st.lists(SLICES, max_size=20), st.data())
def test_splitting_or_merging_changes_nothing(parts: list[Slice], data: st.DataObject) -> None:
    at = data.draw(st.integers(0, len(parts)))
    assert add_up(parts) == add_up(parts[:at]) + add_up(parts[at:])


@given(st.lists(SLICES, max_size=20).flatmap(lambda parts: st.tuples(st.just(parts), st.permutations(parts))))
def test_the_order_of_arrival_changes_nothing(both: tuple[list[Slice], list[Slice]]) -> None:
    assert add_up(both[0]) == add_up(both[1])


@given(st.dictionaries(st.integers(0, 20_000).map(lambda n: n * 60), SLICES, max_size=60))
def test_rolling_up_keeps_every_sum(slices: dict[int, Slice]) -> None:
    hourly = coarsen(coarsen(slices, 300), 3600)
    assert add_up(hourly.values()) == add_up(slices.values())
    assert hourly == coarsen(slices, 3600)
    assert all(at % 3600 == 0 for at in hourly)


def test_ratios_are_divided_last() -> None:
    # The mean of the ratios would be 0.25.
    assert add_up([Slice(1, 2, 2), Slice(1000, 1000, 1000)]).error_ratio == Fraction(1, 1002)
    assert EMPTY.error_ratio is None


@pytest.mark.parametrize("counts", [(-1, 0, 0, 0), (2, 1, 1, 0), (0, 0, -1, 0), (0, 0, 0, -1)])
def test_impossible_counts_are_refused(counts: tuple[int, int, int, int]) -> None:
    with pytest.raises(ValueError, match="a slice has"):
        Slice(*counts)


def test_coverage_is_none_while_nothing_is_due() -> None:
    assert coverage(0, 0) is None
    assert coverage(30, 60) == Fraction(1, 2)
    assert coverage(90, 60) == 1


@given(st.floats(1e9, 2e9))
def test_a_cut_never_leaves_a_coarse_slice_half_full(now: float) -> None:
    for finer, coarser in pairwise(RESOLUTIONS):
        at = cut(now, finer.keep_s, coarser.step_s)
        assert at % coarser.step_s == 0
        assert now - finer.keep_s - coarser.step_s < at <= now - finer.keep_s


@pytest.mark.parametrize(
    ("window_s", "step_s"), [(300, 60), (6 * 3600, 60), (86_400, 300), (3 * 86_400, 300), (30 * 86_400, 3600)]
)
def test_the_far_end_of_a_window_has_this_step(window_s: int, step_s: int) -> None:
    assert step_for(window_s) == step_s
