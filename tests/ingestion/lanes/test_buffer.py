"""One partition's buffer."""

from hypothesis import given
from hypothesis import strategies as st

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


def test_full_at_its_bound_and_low_at_half() -> None:
    made = buffer(*(message(i) for i in range(10)))
    assert made.full(10)
    assert not made.full(11)
    assert made.low(20)
    assert not made.low(19)


def test_clearing_leaves_a_buffer_that_still_takes() -> None:
    made = buffer(message(1))
    made.clear()
    made.add(message(4))
    assert made.head() == 4
