"""When a growing value reaches a level: the trend of its past drawn on many times, each time with another slope and other noise. Pure and deterministic.

The interval is that of the first day at or above the level: 10 % of the futures are there before `early`, half before `likely`, 90 % before `late`.
How often that holds is tested on series whose breach is known (tests/slo/capacity/test_backtest.py).
"""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Final

import numpy as np

from slo.capacity.trend import Floats, Trend, fit

DAY: Final = 86_400
LEAST_DAYS: Final = 14
"""Days with a value below which nothing is forecast."""
HORIZON_DAYS: Final = 730
PATHS: Final = 400
WINDOWS: Final = (90, 42, 21)
"""Days that a trend may be fitted on; the longest that foretells the last TRIAL_DAYS well."""
TRIAL_DAYS: Final = 14
STRAY: Final = 1.5
"""Well is: with at most this many times the error of the best window."""
BETTER: Final = 0.8
"""Growth is taken for exponential when that foretells the last third of the past with less than this share of a straight line's error."""
_QUANTILES: Final = (0.1, 0.5, 0.9)
_FAR: Final = 60.0


@dataclass(frozen=True, slots=True)
class Ray:
    """One future day of the fan: 10 %, 50 % and 90 % of the futures are below low, middle and high."""

    at_s: int
    low: float
    middle: float
    high: float


@dataclass(frozen=True, slots=True)
class Forecast:
    """Unix seconds of the breach, None for not within the horizon. `early` <= `likely` <= `late`."""

    early_s: int | None
    likely_s: int | None
    late_s: int | None
    fan: tuple[Ray, ...]
    """One for each future day, as far as the horizon."""
    a_day: float
    """What the trend adds a day, now."""
    exponential: bool
    days: int
    """Daily values that the trend was fitted on."""


def forecast(daily: Mapping[int, float], level: float, horizon_days: int = HORIZON_DAYS) -> Forecast | None:
    """The breach of `level` by a value whose `daily` maximum (by day number since the Unix epoch) is known; None for fewer than LEAST_DAYS days.

    Futures begin on the day after the last one. Values that are not finite are left out.
    """
    items = sorted((day, value) for day, value in daily.items() if np.isfinite(value))[-max(WINDOWS) :]
    return _cached(tuple(items), level, horizon_days) if len(items) >= LEAST_DAYS else None


@lru_cache(maxsize=256)
def _cached(items: tuple[tuple[int, float], ...], level: float, horizon_days: int) -> Forecast:
    days = np.array([day for day, _ in items], dtype=np.float64)
    values = np.array([value for _, value in items], dtype=np.float64)
    exponential = _exponential(days, values)
    trend = _recent(days, np.log(values) if exponential else values)
    ahead = np.arange(1, horizon_days + 1, dtype=np.float64) + days[-1]
    paths = _paths(trend, ahead)
    if exponential:
        paths = np.exp(np.minimum(paths, _FAR))
    over = paths >= level
    first = np.where(over.any(axis=1), over.argmax(axis=1), horizon_days)
    when = np.quantile(first, _QUANTILES, method="higher")
    early, likely, late = (None if n >= horizon_days else int(ahead[int(n)]) * DAY for n in when)
    low, middle, high = np.quantile(paths, _QUANTILES, axis=0)
    fan = tuple(
        Ray(int(day) * DAY, float(a), float(b), float(c)) for day, a, b, c in zip(ahead, low, middle, high, strict=True)
    )
    a_day = trend.slope * float(values[-1]) if exponential else trend.slope
    return Forecast(early, likely, late, fan, a_day, exponential, trend.days)


def _recent(days: Floats, values: Floats) -> Trend:
    """The trend of the longest window that would have foretold the last two weeks."""
    before = days <= days[-1] - TRIAL_DAYS
    then, seen = days[before], values[before]
    wrong: dict[int, float] = {}
    for window in WINDOWS:
        inside = then > days[-1] - TRIAL_DAYS - window
        if inside.sum() >= LEAST_DAYS:
            trend = fit(then[inside], seen[inside])
            wrong[window] = float(np.median(np.abs(values[~before] - trend.at(days[~before]))))
    if not wrong:
        return fit(days, values)
    best = min(wrong.values())
    window = next(w for w in WINDOWS if w in wrong and wrong[w] <= STRAY * best)
    inside = days > days[-1] - (window if window == max(WINDOWS) else window + TRIAL_DAYS // 2)
    return fit(days[inside], values[inside])


def _exponential(days: Floats, values: Floats) -> bool:
    """Does a trend of logarithms foretell the last third better?"""
    if len(values) < 2 * LEAST_DAYS or (values <= 0).any():
        return False
    cut = len(values) * 2 // 3
    straight = fit(days[:cut], values[:cut]).at(days[cut:])
    bent = np.exp(np.minimum(fit(days[:cut], np.log(values[:cut])).at(days[cut:]), _FAR))
    return float(np.median(np.abs(bent - values[cut:]))) < BETTER * float(np.median(np.abs(straight - values[cut:])))


def _paths(trend: Trend, ahead: Floats) -> Floats:
    """(PATHS, days): futures. The same seed each time, so that a forecast moves only when its data does."""
    random = np.random.default_rng(5)
    slopes = trend.slope + trend.slope_error * random.standard_t(trend.freedom, (PATHS, 1))
    levels = trend.level + trend.level_error * random.standard_t(trend.freedom, (PATHS, 1))
    season = trend.season + trend.season_error * random.standard_t(trend.freedom, (PATHS, 7))
    shocks = trend.step * random.standard_normal((PATHS, len(ahead)))
    noise = np.empty_like(shocks)
    now = np.full(PATHS, trend.last)
    for n in range(len(ahead)):
        now = trend.rho * now + shocks[:, n]
        noise[:, n] = now
    if trend.rho >= 1:
        # a random walk goes on from where it is: a slope that was fitted wrong has not led it away from there
        last = ahead[0] - 1
        centre = trend.level + trend.slope * (last - trend.middle)
        straight = centre + slopes * (ahead - last)
    else:
        straight = levels + slopes * (ahead - trend.middle)
    paths: Floats = straight + season[:, ahead.astype(np.int64) % 7] + noise
    return paths
