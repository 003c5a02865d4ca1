"""Forecasts against series whose breach is known: how often the interval holds it, how far the middle is off."""

from collections.abc import Iterator
from statistics import median

import pytest

from slo.capacity.forecast import DAY, Forecast, forecast
from tests.support.growth import KINDS, Known, known

SEEDS = range(10)
AHEAD = (30, 90)
HARD = {"walk": 0.4, "persistent": 0.55, "bent": 0.5}
"""Least share of one kind: noise that remembers is hard to tell from a trend, and a trend that has just changed from noise."""
LEAST = 0.7
FAR_OFF = {"walk": 0.6, "bent": 0.3}
"""Median distance of the likely day from the true one, as a share of the days until then."""


def cases(name: str) -> Iterator[tuple[Known, Forecast, int]]:
    for ahead in AHEAD:
        for seed in SEEDS:
            made = known(KINDS[name], seed, ahead)
            if made is not None:
                found = forecast(made.past, made.level)
                assert found is not None
                yield made, found, ahead


def held(made: Known, found: Forecast) -> bool:
    breach = made.breach * DAY
    return (found.early_s is not None and found.early_s <= breach) and (found.late_s is None or breach <= found.late_s)


@pytest.fixture(scope="module")
def runs() -> dict[str, list[tuple[Known, Forecast, int]]]:
    return {name: list(cases(name)) for name in KINDS}


def test_eight_in_ten_intervals_hold_the_breach(runs: dict[str, list[tuple[Known, Forecast, int]]]) -> None:
    shares = {name: sum(held(made, found) for made, found, _ in some) / len(some) for name, some in runs.items()}
    everything = [held(made, found) for some in runs.values() for made, found, _ in some]
    overall = sum(everything) / len(everything)
    assert 0.72 <= overall <= 0.95, shares
    assert {name: share for name, share in shares.items() if share < HARD.get(name, LEAST)} == {}


def test_the_likely_day_is_near_the_true_one(runs: dict[str, list[tuple[Known, Forecast, int]]]) -> None:
    off = {
        name: median(abs((found.likely_s or 10**12) / DAY - made.breach) / max(ahead, 1) for made, found, ahead in some)
        for name, some in runs.items()
    }
    assert {name: share for name, share in off.items() if share > FAR_OFF.get(name, 0.15)} == {}


def test_an_interval_is_no_wider_than_it_must_be(runs: dict[str, list[tuple[Known, Forecast, int]]]) -> None:
    widths = [((found.late_s or 10**12) - (found.early_s or 0)) / DAY / ahead for _, found, ahead in runs["straight"]]
    assert median(widths) < 0.3, "an interval that says nothing would hold everything"
