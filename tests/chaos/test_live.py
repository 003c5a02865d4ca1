"""The concurrent reader's judgement: every violation it knows is called by its name, and a true course of events by none."""

from collections.abc import Callable

import pytest

from ingestion.contracts.names import Lane
from ingestion.lanes.fence import Fence, token_hash
from tests.chaos.live import Live

GENERAL, OVERFLOW, QUARANTINE = Lane.GENERAL, Lane.OVERFLOW, Lane.QUARANTINE
RED = token_hash(b"red")


def world(records: int = 4) -> Live:
    """Records 0.. of one key in partition 0 of general."""
    live = Live()
    for offset in range(records):
        live.record(0, offset, "red", "user")
    return live


def test_a_true_course_of_events_is_no_violation() -> None:
    live = world()
    live.effect(GENERAL, (0, 0))
    live.judge()
    live.forward(OVERFLOW, 0, 0, (0, 1), "red")
    live.forward(OVERFLOW, 0, 1, (0, 2), "red")
    live.judge()
    live.covers_flight(0, 3, Fence({(RED, OVERFLOW): 1}), {OVERFLOW: 0, QUARANTINE: -1})
    for offset in (1, 2):
        live.effect(OVERFLOW, (0, offset))
    live.effect(OVERFLOW, (0, 1))  # a repeat
    live.judge()
    live.committed(OVERFLOW, 0, 2)
    live.covers_flight(0, 3, Fence(), {OVERFLOW: 2, QUARANTINE: -1})
    live.effect(GENERAL, (0, 3))
    live.judge()
    live.committed(GENERAL, 0, 4)
    assert live.violations == []
    assert (live.effects, live.forwards) == (4, 2)


def test_nothing_is_judged_before_its_source_was_read() -> None:
    live = Live()
    live.effect(GENERAL, (0, 1))
    live.forward(OVERFLOW, 0, 0, (0, 1), "red")
    live.judge()
    assert (live.effects, live.violations) == (0, [])


def overtakes(live: Live) -> None:
    live.effect(GENERAL, (0, 1))


def enters_too_early(live: Live) -> None:
    live.forward(OVERFLOW, 0, 0, (0, 1), "red")


def enters_another_lane(live: Live) -> None:
    live.forward(QUARANTINE, 0, 0, (0, 0), "red")
    live.forward(OVERFLOW, 0, 0, (0, 1), "red")


def owned_twice(live: Live) -> None:
    live.forward(OVERFLOW, 0, 0, (0, 0), "red")
    live.forward(QUARANTINE, 0, 0, (0, 0), "red")


def buried_and_forwarded(live: Live) -> None:
    live.buried((0, 0))
    live.forward(OVERFLOW, 0, 0, (0, 0), "red")


def goes_back(live: Live) -> None:
    live.committed(GENERAL, 0, 2)
    live.committed(GENERAL, 0, 1)


def commits_nothing_done(live: Live) -> None:
    live.forward(OVERFLOW, 0, 0, (0, 0), "red")
    live.committed(OVERFLOW, 0, 1)


def forgets_what_flies(live: Live) -> None:
    live.forward(OVERFLOW, 0, 0, (0, 0), "red")
    live.forward(OVERFLOW, 0, 1, (0, 1), "red")
    live.covers_flight(0, 2, Fence({(RED, OVERFLOW): 0}), {OVERFLOW: 0})


def handles_nothing(live: Live) -> None:
    live.record(0, 5, "red", "user")
    live.effect(GENERAL, (0, 4))


def handles_the_tokenless(live: Live) -> None:
    live.record(0, 4, "", "user")
    live.effect(GENERAL, (0, 4))


@pytest.mark.parametrize(
    ("course", "violation"),
    [
        (overtakes, "out of order"),
        (enters_too_early, "forwarded before its predecessor was effective"),
        (enters_another_lane, "forwarded before its predecessor was effective"),
        (owned_twice, "two committed owners"),
        (buried_and_forwarded, "two committed owners"),
        (goes_back, "a committed offset moved backwards"),
        (commits_nothing_done, "committed without an effect"),
        (forgets_what_flies, "F does not name what is in flight"),
        (handles_nothing, "an effect of nothing"),
        (handles_the_tokenless, "a record without a token was handled"),
    ],
    ids=lambda value: value.__name__ if callable(value) else "",
)
def test_a_violation_is_called_by_its_name(course: Callable[[Live], None], violation: str) -> None:
    live = world()
    course(live)
    live.judge()
    assert set(live.kinds) == {violation}
