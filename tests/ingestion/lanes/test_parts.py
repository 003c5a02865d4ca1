"""Dividing a batch among threads."""

from collections import Counter

from hypothesis import given
from hypothesis import strategies as st

from ingestion.lanes.parts import parts_of


@given(st.lists(st.integers(0, 9), max_size=60), st.integers(1, 8))
def test_every_record_is_in_one_part_in_order_and_every_key_in_one_part(keys, most) -> None:
    parts = parts_of(keys, most)
    assert sorted(i for part in parts for i in part) == list(range(len(keys)))
    assert all(part == sorted(part) and part for part in parts)
    assert len(parts) <= most
    for key in set(keys):
        assert sum(any(keys[i] == key for i in part) for part in parts) == 1


@given(st.lists(st.floats(0.001, 1.0), min_size=1, max_size=40), st.integers(1, 8))
def test_the_heaviest_part_is_at_most_a_small_record_over_the_mean(costs, most) -> None:
    loads = [sum(costs[i] for i in part) for part in parts_of(range(len(costs)), most, costs)]
    ordered = sorted(costs, reverse=True)
    # what lands last on the heaviest part found it at or under the mean, and is no heavier than the first that had to share
    beyond = sum(costs) / most + ordered[most] if len(costs) > most else 0.0
    assert max(loads) <= max(ordered[0], beyond) + 1e-9
    assert loads[0] >= max(loads) - 1e-9, "the heaviest goes first"


def test_equal_records_of_many_keys_are_divided_evenly() -> None:
    parts = parts_of([i % 400 for i in range(1_600)], 16)
    assert {len(part) for part in parts} == {100}


def test_a_key_is_looked_at_once_or_twice_however_many_records_and_threads_there_are() -> None:
    looks: Counter[str] = Counter()

    class Key(str):
        __slots__ = ()

        def __hash__(self) -> int:
            looks["hash"] += 1
            return super().__hash__()

        def __eq__(self, other: object) -> bool:
            looks["equal"] += 1
            return super().__eq__(other)

    keys = [Key(i % 5_000) for i in range(10_000)]
    assert sum(map(len, parts_of(keys, 64))) == 10_000
    assert looks["hash"] <= 2 * 10_000
    assert looks["equal"] <= 2 * 10_000
