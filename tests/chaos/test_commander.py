"""A command that nobody answered: whose fault is it?"""

import pytest

from isolator.membership import LOOK_BACK_S
from tests.chaos.commander import _expired

MINUTE = int(LOOK_BACK_S * 1_000)


@pytest.mark.parametrize(
    ("heard", "expired"),
    [
        ([], False),
        ([(900, 950)], False),
        ([(1_100, 1_200)], False),
        ([(1_100, 1_000 + MINUTE - 1)], False),
        ([(900, 1_000), (5_000, 1_000 + MINUTE)], True),
        ([(5_000, 2_000 + MINUTE), (1_100, 1_200)], False),
    ],
    ids=[
        "nothing-was-answered-any-more",
        "only-earlier-ones-were-answered",
        "a-later-one-was-answered-at-once",
        "a-later-one-was-answered-just-in-time",
        "nobody-was-there-for-a-minute",
        "one-of-the-later-ones-was-answered-in-time",
    ],
)
def test_only_a_break_of_a_minute_excuses_silence(heard: list[tuple[int, int]], expired: bool) -> None:
    assert _expired(1_000, heard) is expired
