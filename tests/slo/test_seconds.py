"""Seconds as bits: hearing twice, in any order, changes nothing."""

from functools import reduce
from operator import or_

from hypothesis import given
from hypothesis import strategies as st

from slo.quantile import quantile
from slo.seconds import Seconds, span
from slo.slices import Slice

LOOKS = st.lists(st.tuples(st.integers(0, 59), st.booleans()), max_size=80)


def fold(looks: list[tuple[int, bool]]) -> Seconds:
    return reduce(or_, (span(s, s, bad=bad)[0] for s, bad in looks), Seconds())


@given(LOOKS.flatmap(lambda looks: st.tuples(st.just(looks), st.permutations(looks + looks[:5]))))
def test_order_and_repeats_change_nothing(both: tuple[list[tuple[int, bool]], list[tuple[int, bool]]]) -> None:
    assert fold(both[0]) == fold(both[1])


@given(LOOKS)
def test_a_slice_counts_seconds(looks: list[tuple[int, bool]]) -> None:
    seen, bad = {s for s, _ in looks}, {s for s, is_bad in looks if is_bad}
    assert fold(looks).slice == Slice(len(seen) - len(bad), len(seen), 60, len(seen))
    assert fold(looks).first == min(seen, default=0)


def test_a_span_crosses_minutes() -> None:
    marked = span(58, 61, bad=True)
    assert {minute: part.slice for minute, part in marked.items()} == {0: Slice(0, 2, 60, 2), 1: Slice(0, 2, 60, 2)}
    assert marked[0].first == 58


def test_quantiles_are_linear_inside_a_bucket() -> None:
    bounds = (1.0, 2.0, 4.0)
    assert quantile(0.5, bounds, (0, 10, 0, 0)) == 1.5
    assert quantile(0.99, bounds, (50, 0, 50, 0)) == 2 + 2 * (99 - 50) / 50
    assert quantile(0.5, bounds, (0, 0, 0, 3)) == 4.0
    assert quantile(0.5, bounds, (0, 0, 0, 0)) is None
