"""What a burn rate means: three-valued, exact, and a page only when it is worth one."""

from decimal import Decimal
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from slo.budget import budget
from slo.burn import PairReading, Severity, State, WindowSum, burn_rate, exhaustion_s, judge, overall
from slo.slices import Slice
from slo.windows import DAY, preset

PAGE, SLOW_PAGE, TICKET, _ = preset("google-mwmb", 30)
TARGET = Decimal("0.999")


def window(good: int, total: int, observed: int = 3600, due: int = 3600) -> WindowSum:
    return WindowSum(Slice(good, total, total, observed), observed, due)


BAD, GOOD, NONE = window(900, 1000), window(1000, 1000), window(0, 0)


@pytest.mark.parametrize(
    ("name", "long", "short", "bad_minutes", "expected"),
    [
        ("both windows burn", BAD, BAD, 2, (State.FIRING, Severity.PAGE)),
        ("the short one has recovered", BAD, GOOD, 2, (State.OK, Severity.NONE)),
        ("only the short one burns", GOOD, BAD, 2, (State.OK, Severity.NONE)),
        ("bad in one minute of five only", BAD, BAD, 1, (State.FIRING, Severity.TICKET)),
        ("three failures in a quiet night", window(7, 10), window(7, 10), 3, (State.FIRING, Severity.TICKET)),
        ("ninety-nine bad", window(901, 1000), BAD, 5, (State.FIRING, Severity.TICKET)),
        ("no traffic is ok", NONE, NONE, 0, (State.OK, Severity.NONE)),
        ("no data is frozen", window(0, 0, 0, 0), window(0, 0, 0, 0), 0, (State.FROZEN, Severity.NONE)),
        ("a gap in the short window", BAD, window(900, 1000, 200, 240), 2, (State.FROZEN, Severity.NONE)),
        ("a gap in the long window", window(900, 1000, 3239, 3600), BAD, 2, (State.FROZEN, Severity.NONE)),
        ("nine tenths are enough", window(900, 1000, 3240, 3600), BAD, 2, (State.FIRING, Severity.PAGE)),
        (
            "nothing due yet, but seen",
            window(900, 1000, 30, 0),
            window(900, 1000, 30, 0),
            2,
            (State.FIRING, Severity.PAGE),
        ),
        ("exactly the factor", window(9856, 10_000), window(9856, 10_000), 2, (State.OK, Severity.NONE)),
        ("just above the factor", window(9855, 10_000), window(9855, 10_000), 2, (State.FIRING, Severity.PAGE)),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_a_pair(
    name: str, long: WindowSum, short: WindowSum, bad_minutes: int, expected: tuple[State, Severity]
) -> None:
    reading = judge(PAGE, TARGET, long, short, bad_minutes)
    assert (reading.state, reading.severity) == expected


def test_a_ticket_pair_never_pages() -> None:
    assert judge(TICKET, TARGET, BAD, BAD, 5).severity is Severity.TICKET


def test_a_frozen_pair_keeps_the_severity_it_had() -> None:
    gap = window(1000, 1000, 100, 3600)
    assert judge(PAGE, TARGET, gap, gap, 0, held=Severity.PAGE).severity is Severity.PAGE
    assert judge(PAGE, TARGET, GOOD, GOOD, 0, held=Severity.PAGE).severity is Severity.NONE


def reading(state: State, severity: Severity) -> PairReading:
    return PairReading(PAGE, None, None, state, severity)


def test_firing_goes_before_frozen_and_frozen_before_ok() -> None:
    ok, frozen = reading(State.OK, Severity.NONE), reading(State.FROZEN, Severity.PAGE)
    firing = reading(State.FIRING, Severity.TICKET)
    assert overall([ok, frozen, firing]) == (State.FIRING, Severity.PAGE)
    assert overall([ok, frozen]) == (State.FROZEN, Severity.PAGE)
    assert overall([ok]) == (State.OK, Severity.NONE)


def test_burn_rate_is_exact() -> None:
    assert burn_rate(Slice(999, 1000), TARGET) == 1
    assert burn_rate(Slice(9999, 10_000), Decimal("0.9999")) == 1
    assert burn_rate(Slice(), TARGET) is None


TARGETS = st.decimals("0.5", "0.99999", places=5)
PARTS = st.builds(lambda good, bad: Slice(good, good + bad), st.integers(0, 10**9), st.integers(0, 10**9))


@given(PARTS, TARGETS, st.floats(0, 90 * DAY))
def test_spent_and_left_are_one(part: Slice, target: Decimal, elapsed_s: float) -> None:
    found = budget(part, target, 30 * DAY, elapsed_s)
    assert found.spent + found.left == 1
    assert found.spent_s + found.left_s == pytest.approx(found.whole_s)


@given(PARTS, TARGETS)
def test_a_full_period_gives_the_textbooks_budget(part: Slice, target: Decimal) -> None:
    spent = budget(part, target, 30 * DAY, 30 * DAY).spent
    assert spent == (Fraction(part.bad) / (part.total * (1 - Fraction(target))) if part.total else 0)


def test_a_bad_first_minute_spends_a_minute_of_the_budget() -> None:
    found = budget(Slice(0, 1000), TARGET, 30 * DAY, 60)
    assert found.spent_s == pytest.approx(60)
    assert found.whole_s == pytest.approx(43.2 * 60)


def test_time_to_exhaustion() -> None:
    assert exhaustion_s(Fraction(1, 2), Fraction(10), 30 * DAY) == 1.5 * DAY
    assert exhaustion_s(Fraction(1), Fraction(0), 30 * DAY) is None
    assert exhaustion_s(Fraction(-1), Fraction(5), 30 * DAY) == 0
