"""Forecasts: laws that hold for any series, and the edges."""

from math import nan

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from slo.capacity.forecast import DAY, HORIZON_DAYS, LEAST_DAYS, forecast
from slo.capacity.trend import fit

START = 20_000


def line(slope: float, size: int = 90, base: float = 100.0) -> dict[int, float]:
    return {START + n: base + slope * n for n in range(size)}


def test_a_straight_line_is_reached_on_its_day() -> None:
    found = forecast(line(2.0), 100 + 2.0 * 150)
    assert found is not None
    assert [found.early_s, found.likely_s, found.late_s] == pytest.approx([(START + 150) * DAY] * 3, abs=DAY)
    assert found.a_day == pytest.approx(2.0)
    assert not found.exponential
    assert found.fan[60].middle == pytest.approx(100 + 2.0 * 150)


def test_what_does_not_grow_is_not_reached() -> None:
    for slope in (0.0, -1.0):
        found = forecast(line(slope), 200.0)
        assert found is not None
        assert (found.early_s, found.likely_s, found.late_s) == (None, None, None)


def test_growth_by_a_percentage_is_known_from_a_straight_line() -> None:
    values = {START + n: 100 * 1.02**n for n in range(90)}
    found = forecast(values, 100 * 1.02**150)
    assert found is not None
    assert found.exponential
    assert found.likely_s == pytest.approx((START + 150) * DAY, abs=DAY)


def test_less_than_two_weeks_say_nothing() -> None:
    assert forecast(line(1.0, LEAST_DAYS - 1), 1000.0) is None
    assert forecast({}, 1.0) is None
    assert forecast(line(1.0, LEAST_DAYS - 1) | {START + 40: nan}, 1000.0) is None
    assert forecast(line(1.0, LEAST_DAYS), 1000.0) is not None


def test_a_weekly_peak_reaches_the_level_before_the_trend_does() -> None:
    season = [0, 0, 0, 0, 0, 30, 0]
    values = {START + n: 100 + n + season[(START + n) % 7] for n in range(90)}
    found = forecast(values, 250.0)
    flat = forecast(line(1.0), 250.0)
    assert found is not None
    assert flat is not None
    assert found.likely_s is not None
    assert flat.likely_s is not None
    assert found.likely_s < flat.likely_s - 20 * DAY
    assert (found.likely_s // DAY) % 7 == 5


def test_a_broken_week_does_not_move_the_trend() -> None:
    values = line(2.0)
    broken = {**values, **{START + n: 0.0 for n in range(40, 47)}}
    whole, mended = forecast(values, 500.0), forecast(broken, 500.0)
    assert whole is not None
    assert mended is not None
    assert mended.likely_s == pytest.approx(whole.likely_s, abs=2 * DAY)


def test_a_slope_that_has_changed_is_followed() -> None:
    values = {START + n: 100 + 0.5 * min(n, 60) + 5.0 * max(n - 60, 0) for n in range(90)}
    last = values[START + 89]
    found = forecast(values, last + 5.0 * 20)
    assert found is not None
    assert found.likely_s == pytest.approx((START + 109) * DAY, abs=3 * DAY)
    assert found.days < 90


@settings(max_examples=25, deadline=None)
@given(
    st.floats(-2, 5),
    st.integers(0, 1_000),
    st.floats(150, 2_000),
    st.sampled_from([0.0, 1.0, 10.0]),
)
def test_the_bounds_are_in_order_and_a_higher_level_is_reached_no_sooner(
    slope: float, seed: int, level: float, noise: float
) -> None:
    random = np.random.default_rng(seed)
    values = {day: value + noise * float(random.standard_normal()) for day, value in line(slope, 60).items()}
    first, higher = forecast(values, level), forecast(values, level * 1.3)
    assert first is not None
    assert higher is not None
    end = (START + 60 + HORIZON_DAYS) * DAY
    bounds = [first.early_s or end, first.likely_s or end, first.late_s or end]
    assert bounds == sorted(bounds)
    assert all(
        a <= b
        for a, b in zip(bounds, [higher.early_s or end, higher.likely_s or end, higher.late_s or end], strict=True)
    )
    assert all(ray.low <= ray.middle <= ray.high for ray in first.fan)
    assert forecast(dict(reversed(values.items())), level) == first, "order and time of asking change nothing"


def test_a_random_walk_is_told_from_noise() -> None:
    random = np.random.default_rng(3)
    days = np.arange(START, START + 90, dtype=np.float64)
    calm = fit(days, 100 + random.standard_normal(90))
    walk = fit(days, 100 + np.cumsum(random.standard_normal(90)))
    assert calm.rho < 0.4
    assert walk.rho == 1.0
    assert walk.slope_error > calm.slope_error
