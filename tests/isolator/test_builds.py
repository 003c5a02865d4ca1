"""Service time by build: the build that made everything slower is told from a token that became slower."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from isolator.builds import MOST, BuildBook, Builds, weighted_median
from isolator.observation import BuildCost

RATE, COST = np.full(10, 2.0), np.full(10, 1e-3)
PLACES = np.arange(10)


def served(builds: Builds, name: str, cost: np.ndarray, at_s: float, share: float = 1.0) -> None:
    handled = np.full(10, 2.0 * share)
    builds.add(name, PLACES, handled, handled * cost, at_s, 10, 1.0)


def test_a_slower_build_shows_its_ratio_and_one_slow_token_does_not() -> None:
    builds, book = Builds(60.0), BuildBook()
    one_slow = COST.copy()
    one_slow[3] = 60e-3
    for t in range(60):
        served(builds, "old", one_slow, float(t))
        if t >= 30:
            served(builds, "new", COST * 1.8, float(t))
    builds.advance(60.0)
    old, new = builds.costs(RATE, COST, book, 60.0)
    assert (old.name, new.name) == ("old", "new")
    assert old.ratio == pytest.approx(1.0, rel=0.02)
    assert new.ratio == pytest.approx(1.8, rel=0.02)
    assert (old.age_s, new.age_s) == (60.0, 30.0)
    assert new.usual_ratio == 1.0
    assert new.learned_s == 0
    assert old.share + new.share == pytest.approx(1.0)


def test_what_a_build_usually_costs_is_learned_and_then_expected() -> None:
    book = BuildBook()
    slow = BuildCost("slow", 1.0, 1.8, 1.0, 0.0, 5.0)
    assert book.factor((slow,)) == 1.0
    for _ in range(120):
        book.learn((slow,), 5.0)
    ratio, seconds = book.build("slow")
    assert ratio == pytest.approx(1.8, rel=1e-3)
    assert seconds > BuildBook.BELIEVED_S
    known = BuildCost("slow", 0.5, 1.8, ratio, seconds, 600.0)
    fresh = BuildCost("new", 0.5, 3.0, 1.0, 0.0, 5.0)
    assert book.factor((known,)) == pytest.approx(1.8, rel=1e-3)
    assert book.factor((known, fresh)) == pytest.approx(1.8**0.5, rel=1e-3), "a build without evidence counts as usual"
    assert BuildBook(book.as_dict()).build("slow") == book.build("slow")


def test_builds_that_are_gone_are_forgotten_and_never_too_many_kept() -> None:
    builds, book = Builds(60.0), BuildBook()
    for n in range(3 * MOST):
        served(builds, f"b{n}", COST, float(n))
        book.learn((BuildCost(f"b{n}", 1.0, 1.1, 1.0, 0.0, 0.0),), 5.0)
    assert len(builds.costs(RATE, COST, book, 30.0)) == MOST
    assert len(book.as_dict()) == MOST
    builds.advance(10_000.0)
    assert not builds.costs(RATE, COST, book, 10_000.0)


def test_a_build_that_still_runs_is_not_forgotten_for_many_short_lived_ones() -> None:
    book = BuildBook()
    stable = BuildCost("stable", 0.9, 1.5, 1.0, 0.0, 0.0)
    for n in range(3 * MOST):
        book.learn((stable, BuildCost(f"canary-{n}", 0.1, 1.0, 1.0, 0.0, 0.0)), 5.0)
    assert len(book.as_dict()) == MOST
    assert book.build("stable")[1] > 5.0 * 2 * MOST


@given(st.lists(st.tuples(st.floats(0.02, 50), st.floats(0.01, 10)), min_size=1, max_size=30))
def test_the_weighted_median_has_half_of_the_weight_on_either_side(pairs: list[tuple[float, float]]) -> None:
    values, weights = (np.array(x) for x in zip(*pairs, strict=True))
    middle = weighted_median(values, weights)
    total = weights.sum()
    assert weights[values <= middle * 1.011].sum() >= total / 2 - 1e-9
    assert weights[values >= middle / 1.011].sum() >= total / 2 - 1e-9


def test_the_median_of_nothing_is_one() -> None:
    assert weighted_median(np.zeros(0), np.zeros(0)) == 1.0
    assert weighted_median(np.ones(3) * 5, np.zeros(3)) == 1.0
