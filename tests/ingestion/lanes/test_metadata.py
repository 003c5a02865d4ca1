"""F through the broker's offset metadata."""

import base64

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ingestion.contracts.names import SIDE_LANES, Lane
from ingestion.lanes.fence import CAPACITY, Fence
from ingestion.lanes.metadata import CAREFUL, LIMIT, Suspect, UnreadableMetadata, decode, encode

HASHES = st.integers(0, 2**64 - 1)
FENCES = st.dictionaries(st.tuples(HASHES, st.sampled_from(SIDE_LANES)), st.integers(0, 2**62), max_size=CAPACITY)
SUSPECTS = st.one_of(st.none(), st.builds(Suspect, st.integers(0, 2**62), st.integers(1, CAREFUL)))


@given(FENCES, SUSPECTS)
def test_what_is_committed_comes_back(entries, suspect) -> None:
    text = encode(Fence(entries), suspect)
    assert decode(text) == (Fence(entries), suspect)
    assert len(text) <= LIMIT
    assert "\x00" not in text


def test_a_full_fence_and_a_suspect_fit_into_what_the_broker_takes() -> None:
    full = Fence({(2**64 - 1 - i, Lane.QUARANTINE): 2**62 for i in range(CAPACITY)})
    assert len(encode(full, Suspect(2**62, 3))) <= LIMIT


def test_one_entry_too_many_is_an_error_and_not_a_silent_loss() -> None:
    with pytest.raises(ValueError, match="at most 180"):
        encode(Fence({(i, Lane.OVERFLOW): 1 for i in range(CAPACITY + 1)}))


@pytest.mark.parametrize(
    "metadata",
    [
        None,
        "",
        "not base64!",
        base64.b64encode(b"\x02").decode(),
        base64.b64encode(b"\x01abc").decode(),
        base64.b64encode(b"\x11abc").decode(),
        base64.b64encode(b"\x01" + bytes(8) + b"\x00" + bytes(8)).decode(),
        base64.b64encode(b"\x01" + bytes(8) + b"\x07" + bytes(8)).decode(),
        base64.b64encode(b"\x01" + bytes(8) + b"\x01" + b"\xff" * 8).decode(),
    ],
    ids=["none", "empty", "text", "version", "cut", "cut suspect", "general", "unknown lane", "negative"],
)
def test_anything_else_is_unreadable(metadata) -> None:
    with pytest.raises(UnreadableMetadata):
        decode(metadata)


@given(st.text(max_size=60))
def test_no_text_makes_decoding_fail_in_another_way(text) -> None:
    try:
        fence, _ = decode(text)
    except UnreadableMetadata:
        return
    assert len(fence) <= CAPACITY
