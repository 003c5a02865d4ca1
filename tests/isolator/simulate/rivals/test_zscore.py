"""z > 6."""

import pytest

from isolator.simulate.rivals.zscore import ZScore
from tests.support.telling import drive, second, site

RATES = {0: 100.0, 1: 0.01}


@pytest.mark.parametrize(
    ("rate", "moved"),
    [
        # a window of 10 s holds 1000 at a deviation of sqrt(1000) = 31.6: six of them are 190 records, 19 a second
        pytest.param(118.0, False, id="118 a second is within six deviations of 100"),
        pytest.param(120.0, True, id="120 a second is beyond them"),
    ],
)
def test_the_threshold_is_six_deviations_of_the_window(rate: float, *, moved: bool) -> None:
    orders = drive(ZScore(site(rates=RATES)), [second(t, {0: 100.0 if t <= 10 else rate}) for t in range(1, 21)])
    assert bool(orders) is moved


def test_a_rare_token_may_send_a_few_records_at_once() -> None:
    quiet = [second(t, {0: 100.0}) for t in range(1, 11)]
    six = [second(11, {0: 100.0, 1: 6.0}), *(second(t, {0: 100.0}) for t in range(12, 31))]
    seven = [second(11, {0: 100.0, 1: 7.0}), *(second(t, {0: 100.0}) for t in range(12, 31))]
    assert drive(ZScore(site(rates=RATES)), [*quiet, *six]) == []
    assert drive(ZScore(site(rates=RATES)), [*quiet, *seven])[0][1].move == (1,)


def test_an_anomaly_is_not_learned_and_ends_a_minute_after_it_was_seen_last() -> None:
    flood = [second(t, {0: 1_000.0}) for t in range(1, 601)]
    calm = [second(t, {0: 100.0}) for t in range(601, 701)]
    orders = drive(ZScore(site(rates=RATES)), [*flood, *calm])
    # the window of 605 still holds half a flood
    assert [(t, o.move, o.restore) for t, o in orders] == [(5, (0,), ()), (665, (), (0,))]


def test_what_swings_by_habit_has_a_larger_deviation() -> None:
    rule = ZScore(site(rates=RATES))
    swing = [second(t, {0: 100.0 + 15.0 * (-1) ** (t // 20)}) for t in range(1, 3_000)]
    assert drive(rule, [*swing, *(second(t, {0: 122.0}) for t in range(3_000, 3_020))]) == []


def test_a_gap_in_telemetry_is_not_an_anomaly() -> None:
    rule = ZScore(site(rates=RATES))
    before = [second(t, {0: 100.0}) for t in range(1, 11)]
    gap = [second(t, {}, seconds=0.0) for t in range(11, 41)]
    after = [second(t, {0: 100.0}) for t in range(41, 61)]
    assert drive(rule, [*before, *gap, *after]) == []
