"""Data quality: what is a finding, what is too little to say, and what more trouble can never hide."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from slo.quality import (
    DAYS,
    LIMITS,
    STEP_S,
    WINDOW_S,
    Finding,
    Signal,
    TypeCounts,
    judge,
    judge_invalid,
    usual_windows,
    window,
    worst_first,
)

USUAL = [1000] * 7


def over(now: TypeCounts, past: list[int]) -> set[Signal]:
    return {f.signal for f in judge("buy", now, past) if f.over}


@pytest.mark.parametrize(
    ("now", "past", "found"),
    [
        (TypeCounts(1000), USUAL, set()),
        (TypeCounts(500), USUAL, set()),
        (TypeCounts(499), USUAL, {Signal.VOLUME_DROP}),
        (TypeCounts(0), USUAL, {Signal.VOLUME_DROP}),
        (TypeCounts(4000), USUAL, set()),
        (TypeCounts(4001), USUAL, {Signal.VOLUME_RISE}),
        (TypeCounts(0), [1000, 1000], set()),
        (TypeCounts(0), [99] * 7, set()),
        (TypeCounts(1000), [1000, 1000, 0, 0, 1000, 1000, 1000], set()),
        (TypeCounts(1000, nulls=10), USUAL, set()),
        (TypeCounts(1000, nulls=11), USUAL, {Signal.NULLS}),
        (TypeCounts(1000, duplicates=51), USUAL, {Signal.DUPLICATES}),
        (TypeCounts(1000, late=51), USUAL, {Signal.LATE}),
        (TypeCounts(99, nulls=99, duplicates=99, late=99), [99] * 7, set()),
        (TypeCounts(100, nulls=99, duplicates=99, late=99), [], {Signal.NULLS, Signal.DUPLICATES, Signal.LATE}),
    ],
    ids=[
        "as usual",
        "half is not under half",
        "under half",
        "nothing any more",
        "four times is +300 %",
        "over four times",
        "two days are no past",
        "a small type says nothing",
        "two days without do not move the median",
        "1 % is not over 1 %",
        "over 1 % lack a field",
        "over 5 % twice",
        "over 5 % late",
        "too few to say anything",
        "a new type has no volume to compare with",
    ],
)
def test_what_is_a_finding(now: TypeCounts, past: list[int], found: set[Signal]) -> None:
    assert over(now, past) == found


def test_invalid_events_are_the_pipelines() -> None:
    assert judge_invalid(99, 99) == ()
    assert [f.over for f in judge_invalid(1, 100)] == [False]
    assert [(f.type, f.over) for f in judge_invalid(2, 100)] == [("", True)]


@given(
    events=st.integers(100, 10_000),
    nulls=st.integers(0, 10_000),
    more=st.integers(0, 100),
    past=st.lists(st.integers(0, 10_000), max_size=7),
)
def test_more_trouble_never_makes_a_signal_better(events: int, nulls: int, more: int, past: list[int]) -> None:
    def value(nulls: int) -> float:
        found = judge("t", TypeCounts(events, nulls=min(nulls, events)), past)
        return next(f.value for f in found if f.signal is Signal.NULLS)

    assert value(nulls + more) >= value(nulls)


@given(now=st.floats(1.7e9, 1.9e9))
def test_the_hour_is_whole_steps_that_have_ended_and_its_days_are_the_same_hour(now: float) -> None:
    begin, end = window(now)
    assert end - begin == WINDOW_S
    assert begin % STEP_S == 0
    assert STEP_S <= now - end < 2 * STEP_S
    days = usual_windows(now)
    assert len(days) == DAYS
    assert all((begin - a) % 86_400 == 0 and b - a == WINDOW_S for a, b in days)


def test_the_farthest_past_its_limit_comes_first() -> None:
    def finding(name: str, signal: Signal, value: float) -> Finding:
        return Finding(name, signal, value, LIMITS[signal])

    a, b, c = finding("a", Signal.NULLS, 0.02), finding("b", Signal.DUPLICATES, 0.5), finding("c", Signal.LATE, 0.049)
    assert worst_first([c, a, b]) == [b, a, c]
