"""Canaries on their way."""

from ingestion.probe.canary import WAITING, Sent, Waiting


def test_a_canary_is_seen_once_the_commit_is_past_it() -> None:
    waiting = Waiting()
    waiting.add(3, Sent(offset=10, at=100.0))
    assert waiting.seen({3: 10}, 101.0) == []
    assert waiting.seen({3: 11}, 102.5) == [(3, 2.5)]
    assert waiting.seen({3: 11}, 109.0) == []


def test_several_canaries_are_seen_by_one_commit() -> None:
    waiting = Waiting()
    for number in range(3):
        waiting.add(0, Sent(offset=number, at=float(number)))
    assert waiting.seen({0: 2}, 10.0) == [(0, 10.0), (0, 9.0)]


def test_freshness_grows_while_a_canary_is_on_its_way() -> None:
    waiting = Waiting()
    waiting.add(0, Sent(offset=0, at=0.0))
    assert waiting.freshness(7.0) == {0: 7.0}
    waiting.seen({0: 1}, 8.0)
    assert waiting.freshness(20.0) == {0: 8.0}
    waiting.add(0, Sent(offset=5, at=20.0))
    assert waiting.freshness(21.0) == {0: 8.0}
    assert waiting.freshness(40.0) == {0: 20.0}


def test_a_clock_that_was_set_back_makes_no_negative_freshness() -> None:
    waiting = Waiting()
    waiting.add(0, Sent(offset=0, at=50.0))
    assert waiting.seen({0: 1}, 40.0) == [(0, 0.0)]


def test_a_lane_that_never_commits_does_not_fill_the_memory() -> None:
    waiting = Waiting()
    for number in range(WAITING + 50):
        waiting.add(0, Sent(offset=number, at=float(number)))
    assert len(waiting.seen({0: 10_000}, 1_000.0)) == WAITING
