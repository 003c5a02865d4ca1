"""What is known of a minute becomes its slices."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from slo.booking import Minute, Tally, closes_at
from slo.objective import Audience
from slo.slices import Slice

ALL, PROTECTED, MOVED = Audience.ALL, Audience.PROTECTED, Audience.MOVED
SMALL = st.integers(0, 50)
TALLIES = st.builds(Tally, SMALL, SMALL, SMALL, SMALL, SMALL, SMALL)
MINUTES = st.builds(
    Minute,
    st.just(4),
    st.dictionaries(st.integers(0, 3), st.integers(0, 500)),
    st.integers(0, 10),
    st.dictionaries(st.sampled_from([PROTECTED, MOVED]), TALLIES),
    st.dictionaries(st.sampled_from([PROTECTED, MOVED]), st.builds(lambda t: replace(t, forwarded=0), TALLIES)),
)


@given(MINUTES)
def test_protected_and_moved_are_all(minute: Minute) -> None:
    whole, parts = minute.slice(ALL, closed=True), [minute.slice(who, closed=True) for who in (PROTECTED, MOVED)]
    assert whole.total == sum(part.total for part in parts)
    assert whole.expected == sum(part.expected for part in parts)


@given(MINUTES, st.sampled_from(Audience))
def test_closing_makes_the_unresolved_bad_and_nothing_else(minute: Minute, who: Audience) -> None:
    before, after = minute.slice(who, closed=False), minute.slice(who, closed=True)
    assert after.good == before.good
    assert after.expected == before.expected
    assert after.total == after.expected >= before.total


def offsets(count: int) -> dict[int, int]:
    return {0: count, 1: 0}


@pytest.mark.parametrize(
    ("name", "minute", "expected"),
    [
        (
            "all good",
            Minute(2, offsets(10), general={PROTECTED: Tally(good=10)}),
            {ALL: (10, 10), PROTECTED: (10, 10), MOVED: (0, 0)},
        ),
        ("a stalled lane burns", Minute(2, offsets(10)), {ALL: (0, 10), PROTECTED: (0, 10), MOVED: (0, 0)}),
        ("no traffic is no error", Minute(2, offsets(0)), {ALL: (0, 0), PROTECTED: (0, 0), MOVED: (0, 0)}),
        (
            "dead letters are bad",
            Minute(2, offsets(10), general={PROTECTED: Tally(good=8, late=1, dead=1)}),
            {ALL: (8, 10), PROTECTED: (8, 10)},
        ),
        (
            "gaps, canaries, replays, historical and client-invalid are not expected",
            Minute(2, offsets(10), 3, {PROTECTED: Tally(good=5, excluded=2)}),
            {ALL: (5, 5), PROTECTED: (5, 5)},
        ),
        (
            "moved is what was seen as moved, protected the rest",
            Minute(
                2,
                offsets(10),
                general={PROTECTED: Tally(good=6), MOVED: Tally(forwarded=4)},
                side={MOVED: Tally(good=1, slow=2)},
            ),
            {ALL: (7, 10), PROTECTED: (6, 6), MOVED: (3, 4)},
        ),
        (
            "a record forwarded from before the move stays protected",
            Minute(
                2, offsets(4), general={PROTECTED: Tally(good=2, forwarded=2)}, side={PROTECTED: Tally(good=1, late=1)}
            ),
            {ALL: (3, 4), PROTECTED: (3, 4), MOVED: (0, 0)},
        ),
        (
            "a moved record that general handled after all counts once",
            Minute(2, offsets(3), general={MOVED: Tally(good=3)}),
            {ALL: (3, 3), PROTECTED: (0, 0), MOVED: (3, 3)},
        ),
        (
            "what the overflow lane finds invalid is not expected either",
            Minute(2, offsets(3), general={MOVED: Tally(forwarded=3)}, side={MOVED: Tally(good=2, excluded=1)}),
            {ALL: (2, 2), MOVED: (2, 2)},
        ),
        (
            "more was seen than the probe told",
            Minute(2, {}, general={PROTECTED: Tally(good=3)}),
            {ALL: (3, 3), PROTECTED: (3, 3)},
        ),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_a_closed_minute(name: str, minute: Minute, expected: dict[Audience, tuple[int, int]]) -> None:
    for who, counts in expected.items():
        part = minute.slice(who, closed=True)
        assert (part.good, part.total) == counts, who


def test_an_open_minute_counts_what_is_known() -> None:
    minute = Minute(2, offsets(10), general={PROTECTED: Tally(good=3, late=1)})
    assert minute.slice(ALL, closed=False) == Slice(3, 4, 10, 60)


def test_a_minute_is_observed_as_far_as_its_partitions_were_told() -> None:
    assert Minute(4).observed_s == 0
    assert Minute(4, {0: 1, 1: 1, 2: 0}).observed_s == 45
    assert Minute(2, {0: 1, 1: 1, 2: 5}).observed_s == 60


def test_a_minute_closes_after_its_deadline_and_the_grace() -> None:
    assert closes_at(0, 30.0, PROTECTED) == 60 + 30 + 60
    assert closes_at(0, 30.0, MOVED) == 60 + 900 + 60
