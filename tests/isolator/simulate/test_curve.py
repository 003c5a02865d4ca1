"""A quantity over time."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from isolator.simulate.curve import Curve

TIMES = st.floats(0, 100)


def test_a_step_jumps_at_its_ends():
    curve = Curve.step(1.0, (10.0, 20.0, 5.0))
    assert [curve.at(t) for t in (0.0, 9.99, 10.0, 19.99, 20.0, 99.0)] == pytest.approx([1, 1, 5, 5, 1, 1])


def test_a_ramp_rises_evenly_and_falls_at_once():
    curve = Curve.ramp(0.0, 10.0, 20.0, 4.0, 30.0)
    assert [curve.at(t) for t in (5.0, 12.5, 20.0, 29.0, 30.0)] == pytest.approx([0, 1, 4, 4, 0])


def test_the_mean_over_a_jump_counts_both_sides():
    assert Curve.step(1.0, (10.0, 20.0, 5.0)).mean(8.0, 12.0) == pytest.approx(3.0)


@given(st.lists(st.tuples(TIMES, st.floats(0, 10)), min_size=1, max_size=6), TIMES, TIMES, TIMES)
def test_means_of_parts_make_the_mean_of_the_whole(points, a, b, c):
    curve = Curve(tuple(sorted(points, key=lambda p: p[0])))
    a, b, c = sorted((a, b, c))
    whole = curve.mean(a, c) * (c - a)
    assert curve.mean(a, b) * (b - a) + curve.mean(b, c) * (c - b) == pytest.approx(whole, abs=1e-6)


def test_points_out_of_order_are_refused():
    with pytest.raises(ValueError, match="in order"):
        Curve(((1.0, 0.0), (0.0, 0.0)))


def test_a_jump_and_a_steep_rise_are_sudden_and_a_slow_one_is_not():
    assert Curve.step(1.0, (10.0, 20.0, 5.0)).sudden() == (10.0, 20.0)
    assert Curve.flat(3.0).sudden() == ()
    assert Curve.ramp(1.0, 10.0, 40.0, 1.9, 100.0).sudden() == (10.0, 40.0, 100.0)
    assert Curve.ramp(0.01, 10.0, 1210.0, 1.9, 1300.0).sudden() == (1300.0,), "twenty minutes of growth, then a fall"
