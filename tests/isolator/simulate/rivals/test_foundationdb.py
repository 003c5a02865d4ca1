"""FoundationDB's tag throttling."""

import itertools

import pytest

from isolator.simulate.contender import Orders, Reports
from isolator.simulate.rivals.foundationdb import TagThrottling, Throttle, target_rate
from tests.support.telling import drive, second, site

CROWD = dict.fromkeys(range(2, 20), 50.0)
"""900 a second"""


def run(rate: float, age: float, seconds: int, start: int = 1) -> list[Reports]:
    return [second(t, {**CROWD, 1: rate}, ages=[age, 0.0]) for t in range(start, start + seconds)]


@pytest.mark.parametrize(
    ("rate", "age", "throttled"),
    [
        pytest.param(900.0, 7.9, False, id="a queue under 80 % of its target throttles nobody"),
        pytest.param(900.0, 8.1, True, id="a queue over 80 % of its target does"),
        pytest.param(99.0, 8.1, False, id="a tag under 10 % of the busyness is let be"),
        pytest.param(101.0, 8.1, True, id="a tag over 10 % of the busyness is throttled"),
    ],
)
def test_gate_and_busyness(rate: float, age: float, *, throttled: bool) -> None:
    orders = drive(TagThrottling(site()), run(rate, age, 20))
    assert any(o.limits and 1 in o.limits for _, o in orders) is throttled
    assert all(not o.move for _, o in orders)


def test_the_target_rate_leaves_the_tag_a_tenth_of_the_busyness() -> None:
    limit = target_rate(0.5, 0.1, 900.0)
    assert limit == pytest.approx(100.0)
    assert limit / (limit + 900.0) == pytest.approx(0.1)


def test_it_first_watches_for_five_seconds_and_then_throttles_for_four_minutes_with_a_ramp() -> None:
    calm = [second(t, dict(CROWD), ages=[0.0, 0.0]) for t in range(9, 400)]
    orders = drive(TagThrottling(site()), [*run(900.0, 9.0, 8), *calm])
    limits = {t: o.limits[1] for t, o in orders if o.limits}
    assert orders[0][0] == 7
    assert limits[7] == pytest.approx(100.0)
    # unchanged for two minutes, then rising for two
    assert sorted(limits)[1] == pytest.approx(7 + 120, abs=1)
    assert 100.0 < limits[7 + 180] < limits[7 + 230]
    assert orders[-1] == (7 + 240, Orders(limits={}))


def test_a_throttle_is_tightened_at_most_every_ten_seconds_and_never_loosened_while_it_lasts() -> None:
    # the fewer the others send, the less leaves the tag a tenth
    fewer = [second(t, {1: 900.0, **dict.fromkeys(CROWD, 50.0 - t / 2)}, ages=[9.0, 0.0]) for t in range(1, 60)]
    more = [second(t, {1: 900.0, **dict.fromkeys(CROWD, 80.0)}, ages=[9.0, 0.0]) for t in range(60, 120)]
    orders = drive(TagThrottling(site()), [*fewer, *more])
    limits = [o.limits[1] for _, o in orders if o.limits]
    assert len(limits) == 5
    assert limits == sorted(limits, reverse=True)
    times = [t for t, _ in orders]
    assert [b - a for a, b in itertools.pairwise(times)] == [11, 11, 11, 11]


def test_the_ramp_is_the_published_one() -> None:
    one = Throttle(0.0, 240.0, limit=100.0, updated_s=0.0, reduced_s=0.0)
    assert one.rate(119.0) == 100.0
    assert one.rate(120.0) == pytest.approx(100.0)
    # halfway the busyness may be sqrt(0.1)
    assert one.rate(180.0) == pytest.approx(target_rate(0.1, 0.1**0.5, 100.0))


def test_every_tag_over_a_tenth_of_a_late_partition_is_throttled_and_only_there() -> None:
    reports = [second(t, {**CROWD, 0: 400.0, 1: 900.0}, ages=[9.0, 0.0]) for t in range(1, 20)]
    orders = drive(TagThrottling(site()), reports)
    limits = orders[-1][1].limits or {}
    assert sorted(limits) == [0, 1]
    # each as if it were alone: its share of the busyness becomes a tenth with the others unchanged
    assert limits[0] == pytest.approx((900.0 + 900.0) / 9)
    assert limits[1] == pytest.approx((900.0 + 400.0) / 9)
    elsewhere = [second(t, {**CROWD, 1: 900.0}, ages=[0.0, 9.0]) for t in range(1, 20)]
    assert drive(TagThrottling(site()), elsewhere) == []


def test_no_more_than_five_tags_are_throttled() -> None:
    rule = TagThrottling(site())
    reports = [second(t, {t // 12: 900.0}, ages=[9.0, 0.0]) for t in range(12, 12 * 9)]
    orders = drive(rule, reports)
    assert max(len(o.limits or {}) for _, o in orders) == 5
