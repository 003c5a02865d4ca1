"""One partition's buffer."""

from hypothesis import given
from hypothesis import strategies as st

from ingestion.lanes.buffer import Bound
from tests.support.lane_messages import buffer, message


@given(st.lists(st.integers(0, 9_000), max_size=6))
def test_what_is_dropped_is_gone_and_the_rest_keeps_its_order(drops) -> None:
    made, expected = buffer(), []
    for i in range(10_000):
        made.add(i)  # type: ignore[arg-type]  # a number is enough to follow an order
        expected.append(i)
    for drop in drops:
        count = min(drop, len(expected))
        made.drop(count)
        del expected[:count]
        assert len(made) == len(expected)
        assert made.peek(0, 3) == expected[:3]
    made.add(-1)  # type: ignore[arg-type]
    assert made.peek(len(expected), len(expected) + 1) == [-1]


def test_the_head_is_the_next_offset_to_commit() -> None:
    made = buffer(message(5), message(9))
    assert made.head() == 5
    made.drop(1)
    assert made.head() == 9
    made.drop(1)
    assert made.head() is None


def sized(*lengths: int):
    return buffer(*(message(i, value=b"x" * length) for i, length in enumerate(lengths)))


def test_full_at_its_records_and_low_at_half() -> None:
    made = sized(*[0] * 10)
    assert made.full(Bound(10, 1))
    assert not made.full(Bound(11, 1))
    assert made.low(Bound(20, 1))
    assert not made.low(Bound(19, 1))


def test_full_at_its_bytes_and_low_at_half_however_few_records_they_are() -> None:
    made = sized(900, 900)
    assert made.full(Bound(256, 1_800))
    assert not made.full(Bound(256, 1_801))
    assert made.low(Bound(256, 3_600))
    assert not made.low(Bound(256, 3_599))


def test_an_empty_buffer_is_never_full_so_that_one_record_always_fits() -> None:
    assert not buffer().full(Bound(256, 1))


@given(st.lists(st.integers(1, 2_000), min_size=64, max_size=3_000))
def test_the_bytes_of_many_records_are_estimated_from_a_sample(lengths) -> None:
    made = sized(*lengths)
    picked = lengths[:: max(1, len(lengths) // 64)]
    assert len(picked) >= 64
    assert made.size() == sum(picked) * len(lengths) // len(picked)
