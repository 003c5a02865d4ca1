"""What is measured, on orders written by hand."""

import pytest

from isolator.simulate import measures
from isolator.simulate.events import LIFT, LIMIT, MOVE, RESTORE, Event
from isolator.simulate.measures import Episode
from isolator.simulate.plan import Truth
from tests.support.simulated import plan, source

FIRST = 100
"""Token id of the first source."""
TRUTH = Truth({100: ((50.0, 150.0),), 101: ((60.0, 150.0),)})


def event(at: float, kind: str, token: int = 100) -> Event:
    return Event(at, kind, token, f"t{token}")


@pytest.mark.parametrize(
    ("orders", "decide", "isolate", "undecided"),
    [
        ([event(57, MOVE), event(62, MOVE, 101)], (7.0,), (12.0,), 0),
        ([event(57, MOVE)], (7.0,), (100.0,), 0),
        ([event(40, MOVE), event(41, MOVE, 101)], (0.0,), (0.0,), 0),
        ([event(57, LIMIT, 101), event(58, MOVE)], (7.0,), (8.0,), 0),
        ([event(57, MOVE, 7)], (100.0,), (100.0,), 1),
        ([], (100.0,), (100.0,), 1),
    ],
    ids=["both", "one of two", "before the onset", "a limit counts", "an innocent does not", "never"],
)
def test_time_to_decide(orders, decide, isolate, undecided):
    group = Episode(50.0, 150.0, (0, 1))
    assert measures.decisions([group], orders, FIRST) == (decide, isolate, undecided)


def test_a_burst_of_a_token_that_is_still_away_asks_for_no_decision():
    groups = [Episode(50.0, 60.0, (0,)), Episode(100.0, 110.0, (0,)), Episode(200.0, 210.0, (0,))]
    orders = [event(55, MOVE), event(150, RESTORE), event(204, MOVE)]
    assert measures.decisions(groups, orders, FIRST)[0] == (5.0, 4.0)


def test_time_to_protect_is_the_last_moment_over_a_third_of_the_slo_on_its_consumers():
    of = plan(source(share=(1, 0, 0, 0)), source(share=(0, 1, 0, 0)))
    groups = [Episode(50.0, 90.0, (0,)), Episode(60.0, 90.0, (1,))]
    # partition 0 is slot 0's, partition 1 slot 1's
    ages = [(55.0, (12.0, 0.0)), (65.0, (11.0, 9.0)), (75.0, (3.0, 9.9)), (85.0, (3.0, 9.9))]
    assert measures.protections(groups, of, 2, ages, 10.0) == (15.0, 0.0)


def test_a_restore_counts_from_when_load_and_lane_are_calm():
    orders = [event(55, MOVE), event(400, RESTORE), event(66, MOVE, 101), event(230, RESTORE, 101)]
    drained = {(400, 100): 310.0, (230, 101): 70.0}
    assert measures.restores(orders, TRUTH, drained, 1000.0, {}) == ((90.0, 80.0), 0, 0)


def test_who_is_still_away_at_the_end_counts_until_then():
    assert measures.restores([event(55, MOVE)], TRUTH, {}, 500.0, {100: 200.0}) == ((300.0,), 1, 0)


def test_a_restore_during_the_flood_is_early():
    orders = [event(55, MOVE), event(100, RESTORE)]
    assert measures.restores(orders, TRUTH, {(100, 100): 90.0}, 500.0, {}) == ((), 0, 1)


def test_moves_in_an_hour_slide():
    at = (0, 1000, 2000, 3500, 3700)
    assert measures.most_in_an_hour([event(t, MOVE) for t in at]) == 4
    assert measures.most_in_an_hour([event(t, MOVE, n) for n, t in enumerate(at)]) == 1


def test_a_flap_is_a_move_soon_after_a_return():
    orders = [event(0, MOVE), event(100, RESTORE), event(300, MOVE), event(400, RESTORE), event(1100, MOVE)]
    assert measures.flaps(orders) == 1


def test_false_orders_are_those_about_who_is_not_to_blame():
    orders = [
        event(55, MOVE),  # right
        event(170, MOVE, 101),  # its backlog is still there
        event(60, MOVE, 7),
        event(120, RESTORE, 7),
        event(60, LIMIT, 8),
        event(90, LIFT, 8),
        event(900, MOVE),  # a culprit, but long calm
    ]
    assert measures.false_orders(sorted(orders, key=lambda e: e.at_s), TRUTH, 1000.0) == (3, 3, 1.5)


def test_what_is_away_at_the_end_was_away_until_then():
    assert measures.false_orders([event(940, MOVE, 7)], TRUTH, 1000.0)[2] == pytest.approx(1.0)
