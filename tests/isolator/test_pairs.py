"""The hash table of pairs behaves like a dict, however its keys collide."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from isolator.pairs import Pairs, pack

BATCHES = st.lists(st.lists(st.integers(0, 400).map(lambda n: n * 2**33), max_size=60), max_size=12)


@given(BATCHES, st.integers(0, 2**32))
def test_every_key_keeps_its_own_number_through_growth_and_forgetting(batches: list[list[int]], seed: int) -> None:
    pairs, known = Pairs(), dict[int, int]()
    rng = np.random.default_rng(seed)
    for batch in batches:
        rows = pairs.find(np.array(batch, dtype=np.int64))
        for key, row in zip(batch, rows.tolist(), strict=True):
            assert known.setdefault(key, row) == row
        assert sorted(known.values()) == list(range(len(pairs)))
        mask = rng.random(len(pairs)) < 0.7
        left = pairs.keys[mask].tolist()
        pairs.keep(mask)
        assert pairs.keys.tolist() == left, "those that stay keep their order"
        known = {key: row for row, key in enumerate(left)}


def test_a_large_table_finds_what_it_was_given() -> None:
    pairs = Pairs()
    keys = pack(np.arange(50_000) % 5_000, np.arange(50_000) // 5_000)
    rows = pairs.find(keys)
    assert sorted(rows.tolist()) == list(range(50_000))
    assert (pairs.find(keys[::-1].copy()) == rows[::-1]).all()
    assert (pairs.keys[rows] == keys).all()
