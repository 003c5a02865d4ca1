"""Top-10 by volume, and nobody at all."""

from isolator.simulate.rivals.none import Nothing
from isolator.simulate.rivals.volume import TopTen
from tests.support.telling import drive, second, site

LOAD = {i: 10.0 * (i + 1) for i in range(20)}


def test_nothing_never_gives_an_order() -> None:
    assert drive(Nothing(site()), [second(t, {1: 1e6}, ages=[600.0, 0.0]) for t in range(1, 200)]) == []


def test_the_ten_busiest_go_when_a_record_has_waited_for_more_than_a_third_of_the_slo() -> None:
    assert drive(TopTen(site()), [second(t, LOAD, ages=[10.0, 0.0]) for t in range(1, 61)]) == []
    orders = drive(TopTen(site()), [second(t, LOAD, ages=[10.1, 0.0]) for t in range(1, 61)])
    assert [o.move for _, o in orders] == [tuple(range(19, 9, -1))]


def test_only_the_volume_of_late_partitions_counts() -> None:
    late = [second(t, {1: 5.0}, ages=[0.0, 11.0], partition=1) for t in (1, 2)]
    elsewhere = [second(t, {2: 500.0}, ages=[0.0, 11.0], partition=0) for t in (3, 4, 5)]
    assert drive(TopTen(site()), [*late, *elsewhere])[0][1].move == (1,)


def test_they_come_back_after_a_minute_without_lag() -> None:
    late = [second(t, LOAD, ages=[11.0, 0.0]) for t in range(1, 11)]
    calm = [second(t, LOAD, ages=[0.0, 0.0]) for t in range(11, 121)]
    orders = drive(TopTen(site()), [*late, *calm])
    assert [(t, len(o.move), len(o.restore)) for t, o in orders] == [(5, 10, 0), (70, 0, 10)]
