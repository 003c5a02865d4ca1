"""Positions that are not in the log."""

from ingestion.lanes.astray import Astray


def test_a_partition_is_looked_at_again_after_longer_and_longer_waits() -> None:
    astray, now, waits = Astray(), 0.0, []
    for _ in range(7):
        waits.append(astray.note(3, now))
        assert astray.due(now + waits[-1] - 0.1) == []
        now += waits[-1]
        assert astray.due(now) == [3]
        assert astray.due(now) == []
    assert waits == [1, 2, 4, 8, 16, 30, 30]


def test_one_that_has_been_well_for_a_minute_starts_afresh() -> None:
    astray = Astray()
    astray.note(3, 0.0)
    assert astray.note(3, 70.0) == 1


def test_others_are_left_alone_and_what_is_not_ours_is_forgotten() -> None:
    astray = Astray()
    astray.note(1, 0.0)
    astray.note(2, 0.0)
    astray.forget(1)
    assert astray.due(5.0) == [2]
