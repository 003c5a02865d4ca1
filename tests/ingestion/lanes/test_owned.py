"""How long a partition rests after a Retry."""

import pytest

from ingestion.lanes.buffer import Buffer
from ingestion.lanes.owned import RETRY_S, Owned


def owned() -> Owned:
    return Owned(0, Buffer(0), 0, 0.0)


def test_the_same_record_again_and_again_waits_twice_as_long_each_time_up_to_thirty_seconds() -> None:
    one, rests = owned(), []
    for _ in range(12):
        one.try_again(0, 0.0, now=100.0)
        rests.append(one.retry_at - 100.0)
    assert rests[:5] == pytest.approx([0.1, 0.2, 0.4, 0.8, 1.6])
    assert rests[-1] == RETRY_S[1] == 30.0
    assert rests == sorted(rests)


@pytest.mark.parametrize(("asked", "rest"), [(0.0, 0.1), (0.05, 0.1), (4.0, 4.0), (900.0, 30.0)])
def test_the_handler_says_how_long_within_limits(asked: float, rest: float) -> None:
    one = owned()
    one.try_again(3, asked, now=10.0)
    assert one.retry_at == pytest.approx(10.0 + rest)


def test_records_that_were_settled_before_it_start_the_back_off_anew() -> None:
    one = owned()
    for _ in range(6):
        one.try_again(0, 0.0, now=0.0)
    one.try_again(1, 0.0, now=0.0)
    assert one.retry_delay == pytest.approx(0.1)
