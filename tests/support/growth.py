"""Made series whose breach is known: a trend, a week, noise of several kinds; a day number to its value."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Noise = Callable[[np.random.Generator, int], NDArray[np.float64]]


@dataclass(frozen=True)
class Known:
    """What was seen up to a day, the level, and the first day at or above it."""

    past: dict[int, float]
    level: float
    breach: int


def white(random: np.random.Generator, size: int) -> NDArray[np.float64]:
    return random.standard_normal(size)


def persistent(random: np.random.Generator, size: int) -> NDArray[np.float64]:
    out = np.zeros(size)
    for n, shock in enumerate(random.standard_normal(size) * np.sqrt(1 - 0.7**2)):
        out[n] = 0.7 * out[n - 1] + shock
    return out


def spiky(random: np.random.Generator, size: int) -> NDArray[np.float64]:
    """A twentieth of the days is down by ten sigma: a broken probe, a half-empty sample."""
    return random.standard_normal(size) - 10 * (random.random(size) < 0.05)


def walk(random: np.random.Generator, size: int) -> NDArray[np.float64]:
    return np.cumsum(random.standard_normal(size)) * 0.5


@dataclass(frozen=True)
class Kind:
    """How a series is made: what it grows by a day (exponentially, or by units), the week's height, its noise."""

    noise: Noise
    slope: float = 1.0
    exponential: bool = False
    week: float = 3.0
    missing: float = 0.0
    bend: float = 1.0
    """From 30 days before now on the slope is this many times what it was."""


KINDS = {
    "straight": Kind(white),
    "noisy": Kind(white, slope=0.2),
    "persistent": Kind(persistent, slope=0.5),
    "spiky": Kind(spiky),
    "gaps": Kind(white, missing=0.2),
    "walk": Kind(walk, slope=0.5, week=0.0),
    "exponential": Kind(white, exponential=True),
    "bent": Kind(white, bend=2.5),
}


def known(kind: Kind, seed: int, ahead: int, past: int = 100) -> Known | None:
    """A series with `past` days behind it, and a level that its trend reaches `ahead` days from now; None when it has passed that before now."""
    random = np.random.default_rng(seed)
    size = past + ahead * 3 + 60
    first = 20_000 + seed
    n = np.arange(size, dtype=np.float64)
    steps = np.where(n > past - 30, kind.slope * kind.bend, kind.slope)
    trend = 200 * np.exp(0.012 * n) if kind.exponential else 200 + np.cumsum(steps)
    days = (first + n).astype(np.int64)
    values = trend + kind.week * np.array([0, 1, 2, 1, 0, -4, -4])[days % 7] / 2 + 2 * kind.noise(random, size)
    level = float(trend[past - 1 + ahead])
    over = np.flatnonzero(values >= level)
    if not len(over) or over[0] < past:
        return None
    seen = [i for i in range(past) if random.random() >= kind.missing]
    return Known({int(days[i]): float(values[i]) for i in seen}, level, int(days[over[0]]))
