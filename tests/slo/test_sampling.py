"""Samples become slices: restarts, gaps, time slices."""

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from slo.sampling import by_timeslices, increase, ratio_slice, raw_slice, total
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
