"""The fence's rule 4 and its bookkeeping, against a plain reading of the rule."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ingestion.contracts.names import SIDE_LANES, Lane
from ingestion.lanes.fence import CAPACITY, WILDCARD, Decision, Fence, token_hash, unknown

TOKENS = st.integers(0, 3)  # 0 is the wildcard
ENTRIES = st.dictionaries(st.tuples(TOKENS, st.sampled_from(SIDE_LANES)), st.integers(0, 6), max_size=8)
COMMITTED = st.fixed_dictionaries({lane: st.one_of(st.none(), st.integers(0, 8)) for lane in SIDE_LANES})


def drained_by(committed: dict[Lane, int | None]):
    """Rule 4's check against these commits."""
    return lambda lane, last: (at := committed[lane]) is not None and at > last


@given(ENTRIES, COMMITTED, st.integers(1, 3), st.sampled_from(list(Lane)))
def test_a_token_goes_only_where_every_entry_that_is_not_drained_lies(entries, committed, token, wanted) -> None:
    fence = Fence(dict(entries))
    fence.drain(drained_by(committed))
    decision = fence.decide(token, wanted)
    flying = {
        lane
        for (name, lane), last in entries.items()
        if name in {token, WILDCARD} and not ((at := committed[lane]) is not None and at > last)
    }
    wild = any(
        name == WILDCARD and not ((at := committed[lane]) is not None and at > last)
        for (name, lane), last in entries.items()
    )
    if flying <= {wanted}:
        assert decision == Decision(wanted)
    else:
        assert decision.lane is None
        assert decision.fallback == (next(iter(flying)) if len(flying) == 1 and not wild else None)


@given(ENTRIES, COMMITTED)
def test_draining_drops_exactly_what_the_lanes_have_committed_past(entries, committed) -> None:
    fence = Fence(dict(entries))
    fence.drain(drained_by(committed))
    assert fence.entries == {
        (name, lane): last for (name, lane), last in entries.items() if (at := committed[lane]) is None or at <= last
    }


@pytest.mark.parametrize(("committed", "lane"), [(5, None), (6, Lane.GENERAL), (None, None)])
def test_a_token_comes_back_only_when_the_lane_has_committed_more_than_its_last_forward(committed, lane) -> None:
    fence = Fence({(7, Lane.OVERFLOW): 5})
    fence.drain(drained_by({Lane.OVERFLOW: committed, Lane.QUARANTINE: 99}))
    assert fence.decide(7, Lane.GENERAL).lane is lane


def test_of_two_tokens_with_one_hash_the_larger_offset_stands() -> None:
    fence = Fence()
    fence.forwarded(7, Lane.OVERFLOW, 9)
    fence.forwarded(7, Lane.OVERFLOW, 4)
    assert fence.entries == {(7, Lane.OVERFLOW): 9}


def test_a_forward_without_an_offset_is_refused() -> None:
    with pytest.raises(ValueError, match="never negative"):
        Fence().forwarded(7, Lane.OVERFLOW, -1)


def test_a_full_fence_refuses_new_moves_but_lets_moved_tokens_go_on() -> None:
    fence = Fence({(token, Lane.OVERFLOW): 1 for token in range(1, CAPACITY + 1)})
    assert fence.decide(5, Lane.OVERFLOW) == Decision(Lane.OVERFLOW)
    assert fence.decide(9_999, Lane.OVERFLOW) == Decision(Lane.GENERAL, refused=True)


def test_a_fence_that_would_be_full_after_this_chunk_refuses_as_well() -> None:
    fence = Fence({(token, Lane.OVERFLOW): 1 for token in range(1, CAPACITY)})
    assert fence.decide(9_999, Lane.OVERFLOW).lane is Lane.OVERFLOW
    assert fence.decide(9_999, Lane.OVERFLOW, reserved=1) == Decision(Lane.GENERAL, refused=True)


def test_what_is_not_known_counts_as_everything_ever_appended() -> None:
    fence = unknown({Lane.OVERFLOW: 12, Lane.QUARANTINE: 0})
    assert dict(fence.wild()) == {Lane.OVERFLOW: 11}
    assert fence.decide(3, Lane.GENERAL) == Decision(None)
    assert fence.decide(3, Lane.OVERFLOW) == Decision(Lane.OVERFLOW)
    assert fence.decide(3, Lane.QUARANTINE) == Decision(None)


def test_no_token_is_mistaken_for_the_wildcard() -> None:
    assert len({token_hash(b"token-%d" % i) for i in range(1_000)} - {WILDCARD}) == 1_000
