"""The choice of a chunk: laws for any load, and the cases that gave them."""

from itertools import accumulate

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ingestion.lanes.turn import choose


class Costs:
    """A source over a list of costs, seen in blocks of three."""

    def __init__(self, costs: list[float]) -> None:
        self.costs = costs
        self.prefix: list[float] = []

    def extend(self) -> bool:
        seen = len(self.prefix)
        block = self.costs[seen : seen + 3]
        self.prefix += list(accumulate(block, initial=self.prefix[-1] if self.prefix else 0.0))[1:]
        return bool(block)


LOADS = st.dictionaries(
    st.integers(0, 5), st.lists(st.floats(1e-6, 0.3, allow_subnormal=False), max_size=40), min_size=1, max_size=6
)


def chosen(loads: dict[int, list[float]], budget: float = 0.25, limit: int = 10_000, credit=None) -> dict[int, int]:
    return choose({p: Costs(c) for p, c in loads.items()}, budget, limit, {} if credit is None else credit)


@given(LOADS, st.integers(1, 50))
def test_a_turn_takes_what_is_there_and_stays_within_its_bounds(loads, limit) -> None:
    takes = chosen(loads, limit=limit)
    assert all(0 < n <= len(loads[p]) for p, n in takes.items())
    assert sum(takes.values()) <= limit
    work = sum(sum(loads[p][:n]) for p, n in takes.items())
    assert work <= 0.25 + 1e-6 or takes == {next(iter(takes)): 1}


@given(LOADS)
def test_a_turn_moves_on_whenever_there_is_anything(loads) -> None:
    assert bool(chosen(loads)) == any(loads.values())


@given(LOADS)
def test_nobody_gets_less_than_an_equal_share_while_another_gets_more(loads) -> None:
    takes = chosen(loads)
    live = [p for p, costs in loads.items() if costs]
    if not live or len(takes) == 1:
        return
    share = 0.25 / len(live)
    for p in live:
        n = takes.get(p, 0)
        if n < len(loads[p]):  # it has more: then its next record did not fit its equal share
            assert sum(loads[p][: n + 1]) > share - 1e-9


def test_equal_partitions_give_equal_work() -> None:
    takes = chosen({p: [0.001] * 1_000 for p in range(5)})
    assert takes == dict.fromkeys(range(5), 50)


def test_shares_are_equal_in_work_and_not_in_records() -> None:
    takes = chosen({0: [0.01] * 1_000, 1: [0.001] * 1_000})
    assert takes == {0: 12, 1: 125}


def test_what_one_partition_cannot_use_goes_to_the_others() -> None:
    takes = chosen({0: [0.001] * 1_000, 1: [0.001] * 5})
    assert takes == {0: 245, 1: 5}


def test_a_backlog_in_one_partition_does_not_starve_another() -> None:
    takes = chosen({0: [0.001] * 10_000, 1: [0.001]})
    assert takes[1] == 1


def test_forwards_fill_a_chunk_up_to_the_record_limit() -> None:
    assert chosen({0: [7e-6] * 20_000}, limit=10_000) == {0: 10_000}


def test_a_record_that_costs_more_than_a_share_waits_until_its_partition_has_saved_enough() -> None:
    credit: dict[int, float] = {}
    loads = {0: [1.0, 1.0], 1: [0.001] * 10_000}
    turns = next(n for n in range(1, 50) if 0 in chosen(loads, credit=credit))
    assert turns == 8  # 8 * 0.125 s
    assert credit[0] == 0.0


@pytest.mark.parametrize("costs", [[9.0], [9.0, 0.001]])
def test_a_record_dearer_than_a_whole_turn_is_taken_alone(costs) -> None:
    assert chosen({3: costs}) == {3: 1}


def test_nothing_to_do_is_nothing_taken() -> None:
    assert chosen({0: [], 1: []}) == {}
