"""Samples become slices: restarts, gaps, time slices."""

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from slo.sampling import by_timeslices, increase, part, ratio_slice, raw_slice, total
from slo.slices import Slice, add_up
from slo.source import Op, Timeslices


@given(steps=st.lists(st.integers(0, 1000), min_size=1, max_size=20), restart=st.integers(1, 20))
def test_a_counter_that_restarts_loses_only_what_cannot_be_told_from_growth(steps: list[int], restart: int) -> None:
    samples, value, known = {0: 0.0}, 0.0, []
    for n, step in enumerate(steps, start=1):
        before = value
        value = float(step) if n == restart else value + step
        samples[60 * n] = value
        known.append(step if n != restart or value < before else value - before)
    assert [increase([samples], 60 * n) for n in range(len(steps))] == known


def test_each_series_restarts_by_itself() -> None:
    assert increase([{0: 100.0, 60: 5.0}, {0: 10.0, 60: 12.0}], 0) == 7.0


def test_a_minute_with_one_end_missing_is_not_seen() -> None:
    assert increase([{0: 1.0}], 0) is None
    assert increase([{0: 1.0, 120: 3.0}], 60) is None
    assert total([{0: 1.0}], 0) is None
    assert total([{60: 4.0}, {60: 2.0}], 0) == 6.0


def test_what_is_no_number_is_left_out_of_a_sum() -> None:
    assert increase([{0: NAN, 60: 1.0}, {0: 1.0, 60: 3.0}], 0) == 2.0
    assert increase([{0: 1.0, 60: NAN}], 0) is None
    assert total([{60: NAN}, {60: 2.0}], 0) == 2.0
    assert total([{60: NAN}], 0) is None


NAN = float("nan")
ALL = {0: 100.0, 60: 110.0, 120: 120.0, 180: 130.0}


@pytest.mark.parametrize(
    ("name", "some", "whole", "expected"),
    [
        ("all is there", [{0: 5.0, 60: 9.0}], [ALL], 4.0),
        ("no such series: it never happened", [], [ALL], 0.0),
        ("none in this minute, nor in the one before", [{-60: 5.0}], [ALL], 0.0),
        ("nothing was seen at all", [], [], None),
        ("all was not seen at the minute's begin", [], [{60: 1.0, 120: 2.0}], None),
        ("all was not seen at the minute's end", [], [{0: 1.0}], None),
        ("it comes up: from zero", [{60: 7.0}], [ALL], 7.0),
        ("it comes back: from where it was", [{-120: 900.0, 60: 903.0}], [ALL], 3.0),
        ("it comes back after a restart: from zero", [{-120: 900.0, 60: 3.0}], [ALL], 3.0),
        ("it comes up together with some of all: nobody knows where they began", [{60: 7.0}], [ALL, {60: 7.0}], 0.0),
        ("it has just gone: it may only be late", [{0: 5.0}], [{0: 100.0, 60: 110.0}], None),
        ("it has gone and stays away", [{0: 5.0}], [ALL], 0.0),
        ("it was away for one sample", [{0: 5.0, 120: 9.0}], [ALL], None),
        ("one series has gone, an other is there", [{0: 5.0}, {0: 1.0, 60: 2.0}], [ALL], 1.0),
        ("one comes up beside an other: from zero", [{0: 5.0, 60: 9.0}, {60: 3.0}], [ALL], 7.0),
        (
            "one comes up beside an other, together with some of all",
            [{0: 5.0, 60: 9.0}, {60: 3.0}],
            [ALL, {60: 9.0}],
            4.0,
        ),
        ("one comes up beside an other, with no number", [{0: 5.0, 60: 9.0}, {60: NAN}], [ALL], 4.0),
        ("one has gone, an other comes up: from zero", [{0: 5.0}, {60: 3.0}], [ALL], 3.0),
        ("no number is not nothing", [{0: NAN, 60: NAN}], [ALL], None),
        ("no number at its end", [{0: 5.0, 60: NAN}], [ALL], None),
    ],
)
def test_counters_that_have_no_series(
    name: str, some: list[dict[int, float]], whole: list[dict[int, float]], expected: float | None
) -> None:
    assert part(some, whole, 0, counter=True) == expected


@pytest.mark.parametrize(
    ("name", "some", "whole", "expected"),
    [
        ("all is there", [{60: 9.0}], [{60: 10.0}], 9.0),
        ("nothing in this minute", [{0: 9.0, 120: 9.0}], [{60: 10.0}], 0.0),
        ("no such series", [], [{60: 10.0}], 0.0),
        ("all was not seen either", [], [{0: 10.0}], None),
        ("no number is not nothing", [{60: NAN}], [{60: 10.0}], None),
        ("one of two is no number", [{60: NAN}, {60: 4.0}], [{60: 10.0}], 4.0),
    ],
)
def test_counts_that_have_no_series(
    name: str, some: list[dict[int, float]], whole: list[dict[int, float]], expected: float | None
) -> None:
    assert part(some, whole, 0, counter=False) == expected


@given(
    begins=st.integers(0, 8),
    ends=st.integers(0, 8),
    steps=st.lists(st.integers(0, 50), min_size=10, max_size=10),
    start=st.integers(0, 1000),
)
def test_a_counter_that_comes_late_and_goes_early_counts_no_more_than_it_grew(
    begins: int, ends: int, steps: list[int], start: int
) -> None:
    grown = [start + sum(steps[: n + 1]) for n in range(10)]
    whole = [{60 * n: float(1000 * n) for n in range(10)}]
    some = [{60 * n: float(grown[n]) for n in range(min(begins, ends), max(begins, ends))}]
    found = [part(some, whole, 60 * n, counter=True) for n in range(9)]
    there = [n for n in range(10) if 60 * n in some[0]]
    # one that is there from the first sample on has a past that is nobody's business here
    zero = 0 if not there or there[0] else grown[0]
    assert sum(value or 0 for value in found) == (grown[there[-1]] - zero if there else 0)


@pytest.mark.parametrize(
    ("name", "good", "bad", "whole", "expected"),
    [
        ("good over all", 9, None, 10, Slice(9, 10, 10, 60)),
        ("bad over all", None, 1, 10, Slice(9, 10, 10, 60)),
        ("more good than all, read a moment later", 11, None, 10, Slice(10, 10, 10, 60)),
        ("no traffic", 0, None, 0, Slice(0, 0, 0, 60)),
        ("parts of events are rounded", 8.6, None, 9.9, Slice(9, 10, 10, 60)),
        ("not seen", None, None, None, None),
    ],
)
def test_a_ratio(name: str, good: float | None, bad: float | None, whole: float | None, expected: Slice | None) -> None:
    assert ratio_slice(good, bad, whole) == expected


@pytest.mark.parametrize(
    ("value", "op", "good"),
    [(0.2, Op.LTE, 1), (0.2, Op.LT, 0), (0.3, Op.LTE, 0), (0.2, Op.GTE, 1), (0.2, Op.GT, 0), (0.3, Op.GT, 1)],
)
def test_a_raw_value_is_one_event(value: float, op: Op, good: int) -> None:
    assert raw_slice(value, op, 0.2) == Slice(good, 1, 1, 60)


def test_a_value_that_is_no_number_was_not_seen() -> None:
    assert raw_slice(float("nan"), Op.LT, 1) is None
    assert raw_slice(None, Op.LT, 1) is None


def test_a_time_slice_is_good_or_bad_as_a_whole() -> None:
    minutes = {60 * n: Slice(10 - n, 10, 10, 60) for n in range(10)}  # 50 good... 45, then 5 ... 15 of 50
    found = by_timeslices(minutes, Timeslices(300, Decimal("0.8")))
    assert {found[60 * n] for n in range(5)} == {Slice(60, 60, 60, 60)}
    assert {found[60 * n] for n in range(5, 10)} == {Slice(0, 60, 60, 60)}
    assert add_up(found.values()) == Slice(300, 600, 600, 600)


def test_a_time_slice_at_its_target_is_good_and_one_without_traffic_too() -> None:
    assert by_timeslices({0: Slice(8, 10, 10, 60)}, Timeslices(60, Decimal("0.8")))[0].good == 60
    assert by_timeslices({0: Slice(0, 0, 0, 60)}, Timeslices(60, Decimal("0.8")))[0].good == 60


def test_a_time_slice_with_a_missing_minute_is_left_out() -> None:
    minutes = {60 * n: Slice(1, 1, 1, 60) for n in range(9)}
    assert sorted(by_timeslices(minutes, Timeslices(300))) == [0, 60, 120, 180, 240]
