"""Stretches of bad time, however their minutes come."""

from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from slo.days import BadStep
from slo.report_incidents import GAP_S, Part, stretches


def minute(n: int, bad: int = 1) -> BadStep:
    return BadStep(60 * n, 60, 0, bad)


def test_minutes_with_little_calm_between_them_are_one_stretch() -> None:
    calm = GAP_S // 60
    (one, two) = stretches({"a": [minute(0), minute(1), minute(2 + calm)], "b": [minute(3 + 2 * calm + 1)]})
    assert (one.begin, one.end, one.parts) == (0, 60 * (3 + calm), (Part("a", 3, 180),))
    assert (two.part("b"), two.part("a")) == (Part("b", 1, 60), None)


def test_what_is_left_of_old_minutes_is_not_called_exact() -> None:
    (one,) = stretches({"a": [BadStep(3600, 3600, 5, 9)], "b": [minute(61)]})
    assert (one.begin, one.end, one.exact) == (3600, 7200, False)


@given(minutes=st.lists(st.tuples(st.sampled_from("abc"), st.integers(0, 200)), unique=True), seed=st.randoms())
def test_order_changes_nothing_and_nothing_is_lost(minutes: list[tuple[str, int]], seed) -> None:
    def by_slo(some: list[tuple[str, int]]) -> dict[str, list[BadStep]]:
        return {slo: [minute(n, n + 1) for s, n in some if s == slo] for slo in "abc"}

    shuffled = list(minutes)
    seed.shuffle(shuffled)
    found = stretches(by_slo(minutes))
    assert found == stretches(by_slo(shuffled))
    assert sum(part.bad for one in found for part in one.parts) == sum(n + 1 for _, n in minutes)
    assert all(b.begin > a.end + GAP_S for a, b in pairwise(found))
