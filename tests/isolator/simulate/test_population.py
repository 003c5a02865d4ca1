"""Everybody else, drawn by events."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from isolator.simulate.plan import Plan
from isolator.simulate.population import Arrivals, Ladder, Population, stream
from isolator.simulate.settings import Settings

SETTINGS = Settings(tokens=20_000, rate=1_000.0, partitions=8)
PLAN = Plan(0.0, 10.0, 10.0, utilisation=0.6)


@pytest.fixture(scope="module")
def people() -> Population:
    return Population.draw(SETTINGS, PLAN, stream(1, 0, 0))


def test_the_population_uses_what_it_is_told_to(people):
    assert people.rate.sum() == pytest.approx(SETTINGS.rate)
    assert float(people.rate @ people.cost) == pytest.approx(0.6 * SETTINGS.total)
    assert people.row_rate.sum() == pytest.approx(SETTINGS.rate)
    assert (np.diff(people.partition) >= 0).all()


def test_large_tokens_are_everywhere_and_small_ones_on_a_few_partitions(people):
    count = np.bincount(people.token, minlength=SETTINGS.tokens)
    assert count[:20].mean() > 7.5
    assert count[-200:].mean() < 5
    assert count.min() >= 1


@pytest.mark.parametrize("noise", [True, False], ids=["poisson", "mean"])
def test_draws_have_the_mean_of_every_row(people, noise):
    arrivals = Arrivals(people, replace(SETTINGS, noise=noise), replace(PLAN, swing=1e-9), 1)
    seen, spans = np.zeros(SETTINGS.tokens), 60
    for n in range(spans):
        drawn = arrivals.draw(5.0 * n, 5.0)
        pairs = drawn.token * SETTINGS.partitions + drawn.partition
        assert len(np.unique(pairs)) == len(pairs)
        seen += np.bincount(drawn.token, drawn.events, SETTINGS.tokens)
    mean = people.rate * 5.0 * spans
    assert seen.sum() == pytest.approx(mean.sum(), rel=0.02)
    assert (np.abs(seen - mean) < 6 * np.sqrt(mean) + 4).all()


@given(
    st.lists(st.sampled_from([0.0, 1e-9, 0.1, 1.0, 7.5, 1e4]), min_size=1, max_size=60).filter(lambda r: sum(r) > 0),
    st.lists(st.floats(0, 1), max_size=30),
)
def test_a_ladder_finds_what_a_binary_search_finds(rates, shares):
    ladder, ends = Ladder(np.array(rates)), np.cumsum(rates)
    places = np.array([*shares, 0.0, 1.0]) * ladder.total
    expected = np.minimum(np.searchsorted(ends, places, side="right"), len(rates) - 1)
    assert ladder.find(places).tolist() == expected.tolist()
    assert ladder.find(ends).tolist() == np.minimum(np.searchsorted(ends, ends, side="right"), len(rates) - 1).tolist()


def test_draws_come_by_partition(people):
    drawn = Arrivals(people, SETTINGS, PLAN, 1).draw(5.0, 5.0)
    assert (np.diff(drawn.partition) >= 0).all()
    pairs = set(zip(people.token.tolist(), people.partition.tolist(), strict=True))
    assert set(zip(drawn.token.tolist(), drawn.partition.tolist(), strict=True)) <= pairs
