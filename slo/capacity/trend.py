"""A robust trend with a weekly season on daily values, and what is known of its error. Pure.

Trend: Theil-Sen (the median of all pairwise slopes; P. K. Sen, JASA 63 (1968), 1379-1389), which a third of bad days cannot move. Season: the median residual of each
weekday. Noise: first-order autoregression, its coefficient corrected upwards for what was taken out before (M. G. Kendall, Biometrika 41 (1954), 403-404);
near 1 it is a random walk, whose future spreads with time.
"""

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray
from scipy.stats import theilslopes

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

WEEK: Final = 7
SEASON_WEEKS: Final = 3
"""Weeks of history from which a weekly season is told."""
WALK: Final = 0.9
"""From this coefficient on the noise is taken for a random walk."""
_MAD: Final = 1.4826
"""Median absolute deviation to standard deviation, for a normal distribution."""
_SPREAD: Final = 1.2
"""Variance of the fitted slope of a random walk: 6/5 of its step's variance over the number of days."""
_MEDIAN: Final = 1.2533
"""Standard deviation of a median over that of a mean."""
_CLIP: Final = 3.0


@dataclass(frozen=True, slots=True)
class Trend:
    """`level + slope * (day - middle) + season[day % 7]`, days counted from the Unix epoch; values as given (a caller may have taken logarithms)."""

    middle: float
    level: float
    slope: float
    """A day."""
    slope_error: float
    """One standard deviation."""
    level_error: float
    season: Floats
    """(7,), by day % 7; its median is 0."""
    season_error: float
    """One standard deviation of each of them."""
    freedom: float
    """Days that are worth as much as independent ones, less what was fitted: the errors are Student's with so many degrees of freedom."""
    sigma: float
    """Standard deviation of what trend and season leave."""
    rho: float
    """The noise's autocorrelation from one day to the next; 1 is a random walk."""
    step: float
    """Standard deviation of the noise's innovation from one day to the next."""
    last: float
    """What trend and season left on the last day, outliers cut at three sigma."""
    days: int
    """Values that it was fitted on."""

    def at(self, days: Floats) -> Floats:
        """Trend and season, without noise, at these days."""
        index: Ints = days.astype(np.int64) % WEEK
        path: Floats = self.level + self.slope * (days - self.middle) + self.season[index]
        return path


def fit(days: Floats, values: Floats) -> Trend:
    """The trend through `values` at `days` (both (n,), n >= 3, days rising)."""
    weekday: Ints = days.astype(np.int64) % WEEK
    season = np.zeros(WEEK)
    weeks = 0.0
    # the season bends the trend, and the trend the season: twice is enough for weeks that are whole
    slope, low, high = _slope(days, values)
    if days[-1] - days[0] >= SEASON_WEEKS * WEEK:
        weeks = len(days) / WEEK
        for _ in range(2):
            season = _season(values - slope * days, weekday)
            slope, low, high = _slope(days, values - season[weekday])
    flat = values - season[weekday] - slope * days
    level = float(np.median(flat))
    rest = flat - level
    sigma = max(float(np.median(np.abs(rest))) * _MAD, 1e-9 * max(float(np.abs(values).max()), 1e-12))
    calm = np.clip(rest, -_CLIP * sigma, _CLIP * sigma)
    size = len(days)
    rho = _rho(days, calm)
    middle = float(days.mean())
    if rho >= WALK:
        step = _steps(days, calm)
        slope_error, level_error = step * float(np.sqrt(_SPREAD / size)), 0.0
        rho = 1.0
    else:
        wider = float(np.sqrt((1 + rho) / (1 - rho)))
        step = sigma * float(np.sqrt(1 - rho * rho))
        slope_error, level_error = (high - low) / 2 * wider, sigma * wider / float(np.sqrt(size))
    return Trend(
        middle,
        level + slope * middle,
        slope,
        slope_error,
        level_error,
        season,
        _MEDIAN * sigma / float(np.sqrt(weeks)) if weeks else 0.0,
        max(size * (1 - rho) / (1 + rho) - (WEEK + 2 if weeks else 2), 3.0),
        sigma,
        rho,
        step,
        float(calm[-1]),
        size,
    )


def _slope(days: Floats, values: Floats) -> tuple[float, float, float]:
    """The slope and its interval of one standard deviation to either side."""
    found = theilslopes(values, days, alpha=0.6827)
    return float(found.slope), float(found.low_slope), float(found.high_slope)


def _season(flat: Floats, weekday: Ints) -> Floats:
    rest = flat - np.median(flat)
    season = np.array([np.median(rest[weekday == n]) if (weekday == n).any() else 0.0 for n in range(WEEK)])
    centred: Floats = season - np.median(season)
    return centred


def _rho(days: Floats, rest: Floats) -> float:
    """Autocorrelation of neighbouring days, corrected for its bias; 0 to 1."""
    pairs = np.flatnonzero(np.diff(days) == 1)
    if len(pairs) < 2 * WEEK:
        return 0.0
    before, after = rest[pairs], rest[pairs + 1]
    power = float(before @ before)
    rho = float(before @ after) / power if power > 0 else 0.0
    return min(max(rho + (4 + 4 * rho) / len(days), 0.0), 1.0)


def _steps(days: Floats, rest: Floats) -> float:
    """Standard deviation of the change from one day to the next."""
    gaps = np.diff(days)
    return float(np.median(np.abs(np.diff(rest)) / np.sqrt(gaps))) * _MAD
