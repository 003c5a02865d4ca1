"""Lag arithmetic."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ingestion.probe.lag import Offsets, born_between

OFFSET = st.integers(min_value=0, max_value=2**40)


@pytest.mark.parametrize(
    ("what", "offsets", "lag", "head", "lost"),
    [
        ("caught up", Offsets(10, 0, 10), 0, 10, 0),
        ("behind", Offsets(4, 0, 10), 6, 4, 0),
        ("never committed: from the log start", Offsets(-1, 3, 10), 7, 3, 0),
        ("an empty lane that nobody has read", Offsets(-1, 0, 0), 0, 0, 0),
        ("the log start went past the commit: a loss", Offsets(4, 6, 10), 6, 6, 2),
        ("committed past the last stable offset", Offsets(12, 0, 10), 0, 12, 0),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_what_the_offsets_say(what: str, offsets: Offsets, lag: int, head: int, lost: int) -> None:
    assert (offsets.lag, offsets.head, offsets.lost) == (lag, head, lost)


@given(st.integers(min_value=-1, max_value=2**40), OFFSET, OFFSET)
def test_lag_and_loss_are_never_negative(committed: int, start: int, end: int) -> None:
    at = Offsets(committed, start, end)
    assert at.lag >= 0
    assert at.lost >= 0
    assert at.head >= start


@given(OFFSET, OFFSET, st.integers(0, 2**41), st.integers(0, 2**41), OFFSET)
def test_an_interpolated_time_stays_between_its_points(
    low: int, high: int, low_ms: int, high_ms: int, offset: int
) -> None:
    first, last = sorted((low_ms, high_ms))
    assert first <= born_between((low, first), (high, last), offset) <= last


def test_halfway_between_two_offsets_is_halfway_in_time() -> None:
    assert born_between((100, 1_000), (200, 3_000), 150) == 2_000
