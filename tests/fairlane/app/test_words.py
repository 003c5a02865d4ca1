"""Numbers as people read them."""

import doctest

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fairlane.app import words


def test_the_examples_in_the_docstrings_hold() -> None:
    assert doctest.testmod(words).failed == 0


@given(st.floats(min_value=0, max_value=1e12, allow_nan=False))
def test_a_count_never_shows_more_than_three_significant_digits_past_ten_thousand(value: float) -> None:
    text = words.count(value)
    shown = sum(c.isdigit() for c in text.strip("0."))
    assert shown <= 4  # four below ten thousand, where counts are exact
    assert "e" not in text


@given(st.floats(min_value=0.001, max_value=1e7, allow_nan=False))
def test_a_duration_is_read_back_within_one_per_cent(value: float) -> None:
    number, unit = words.seconds(value).split(" ")
    size = {"s": 1, "min": 60, "h": 3600, "d": 86_400}[unit]
    assert float(number) * size == pytest.approx(value, rel=0.01, abs=0.0006)


@given(st.floats(min_value=-5, max_value=1, allow_nan=False), st.floats(min_value=60, max_value=1e6))
def test_a_budget_that_is_partly_spent_never_reads_as_untouched(left: float, total_s: float) -> None:
    text = words.budget(left, total_s)
    assert text.startswith("overspent") is (left < 0)
    assert text.startswith("all of") is (left >= 0.9995)


@pytest.mark.parametrize(
    ("share", "text"), [(1e-9, "<0.001 %"), (0.999999, "99.999 %"), (0.9999, "99.99 %"), (0.0, "0 %"), (None, "–")]
)
def test_a_share_is_never_rounded_to_nothing_or_to_all(share: float | None, text: str) -> None:
    assert words.percent(share) == text
