"""What SLA pages say of numbers."""

import doctest
from fractions import Fraction

from hypothesis import given
from hypothesis import strategies as st

from fairlane.app import sla_words


def test_the_examples_hold() -> None:
    assert doctest.testmod(sla_words).failed == 0


@given(good=st.integers(0, 10**7), bad=st.integers(0, 10**7), nines=st.sampled_from(["0.9", "0.99", "0.999", "0.9999"]))
def test_a_broken_promise_never_looks_kept(good: int, bad: int, nines: str) -> None:
    if not good + bad:
        return
    value = Fraction(good, good + bad)
    shown = Fraction(sla_words.achieved(value, nines).removesuffix(" %")) / 100
    assert (shown >= Fraction(nines)) == (value >= Fraction(nines))
    assert shown <= value
    assert (shown == 1) == (value == 1)


def test_local_times_name_their_offset_where_clocks_are_changed() -> None:
    assert sla_words.span(1_792_886_400, 1_792_893_600, "Europe/Berlin") == "25 Oct 02:00 CEST – 03:00 CET"
    assert sla_words.span(1_792_886_400, 1_792_893_600, "UTC") == "25 Oct 00:00–02:00"


def test_units_stay_with_their_numbers() -> None:
    assert (
        sla_words.tied("within 30 s, 4 min and 9 dogs")
        == "within 30\N{NO-BREAK SPACE}s, 4\N{NO-BREAK SPACE}min and 9 dogs"
    )
