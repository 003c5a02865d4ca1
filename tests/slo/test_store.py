"""The store, on SQLite and PostgreSQL: booking twice changes nothing, revising is exact however far a minute has been merged."""

import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sqlalchemy import Engine, select

from fairlane.database import open_database
from slo.clock import ManualClock
from slo.schema import SLICES
from slo.slices import Slice, add_up
from slo.store import SLACK_S, Booking, SliceStore
from slo.windows import DAY, HOUR

NOW = 1_700_000_000 // 3600 * 3600 + 1_830
"""Half past an hour, and half past a minute."""


def minute(now: float = NOW, ago: int = 0) -> int:
    return int(now) // 60 * 60 - 60 * ago


def one(at: int, good: int, total: int, slo: str = "a") -> Booking:
    return Booking(slo, at, Slice(good, total, total, 60), at)


def test_booking_again_changes_nothing(engine: Engine) -> None:
    store = SliceStore(engine)
    assert len(store.book([one(minute(), 1, 2)])) == 1
    assert store.book([one(minute(), 1, 2)]) == []
    assert store.totals()["a"].slice == Slice(1, 2, 2, 60)
    assert store.book([one(minute(), 2, 2)]) == [one(minute(), 2, 2)]
    assert store.totals()["a"].slice == Slice(2, 2, 2, 60)
    assert store.slices("a", 0, NOW) == {minute(): Slice(2, 2, 2, 60)}


def test_windows_sum_what_begins_in_them(engine: Engine) -> None:
    store = SliceStore(engine)
    store.book([one(minute(ago=ago), 9, 10) for ago in range(120)] + [one(minute(), 0, 1, "b")])
    found = store.rolling([300, HOUR, 2 * HOUR], NOW)
    assert {w: s.slice.total for w, s in found["a"].windows.items()} == {300: 50, HOUR: 600, 2 * HOUR: 1200}
    assert found["a"].bad_minutes(NOW) == 5
    assert found["b"].windows[HOUR].slice == Slice(0, 1, 1, 60)
    assert found["a"].windows[HOUR].coverage == 1


def test_coverage_counts_closed_minutes_since_birth(engine: Engine) -> None:
    store = SliceStore(engine)
    store.book([one(minute(ago=ago), 1, 1) for ago in range(40) if ago not in {10, 11, 12, 13}])
    hour = store.rolling([HOUR], NOW)["a"].windows[HOUR]
    # Born 39 minutes before this one; this one and the last are not due.
    assert (hour.due_observed_s, hour.due_s) == (34 * 60, 38 * 60)
    assert hour.frozen


def test_birth_is_to_the_second(engine: Engine) -> None:
    store = SliceStore(engine)
    store.book([Booking("a", minute(ago=3), Slice(20, 20, 60, 20), minute(ago=3) + 40)])
    store.book([one(minute(ago=2), 60, 60)])
    hour = store.rolling([HOUR], NOW)["a"].windows[HOUR]
    assert (hour.due_observed_s, hour.due_s, hour.coverage) == (80, 80, 1)


revision = st.tuples(st.integers(0, 200), st.integers(0, 50), st.integers(0, 50), st.integers(0, 60))


@settings(max_examples=60, deadline=None)
@given(commits=st.lists(st.lists(revision, min_size=1, max_size=4, unique_by=lambda r: r[0]), min_size=1, max_size=15))
def test_counters_of_what_is_kept_never_go_back_and_their_difference_is_what_was_bad(
    commits: list[list[tuple[int, int, int, int]]],
) -> None:
    """Minutes of the last hour and older ones, booked and revised in any order; nothing is remembered but what the database holds."""
    engine = open_database("sqlite://")
    store = SliceStore(engine, ManualClock(NOW))
    before = (0, 0, 0, 0)
    try:
        for commit in commits:
            store.book(
                [
                    Booking("a", minute(ago=ago), Slice(good, good + bad, good + bad, observed), minute(ago=200))
                    for ago, good, bad, observed in commit
                ]
            )
            now = store.totals()["a"]
            counters = (
                now.slice.good + now.revised,
                now.slice.total + now.revised,
                now.slice.observed + now.unseen,
                now.lately,
            )
            assert all(new >= old for new, old in zip(counters, before, strict=True))
            assert 0 <= now.lately <= now.revised
            before = counters
    finally:
        engine.dispose()


def test_what_old_revisions_take_back_is_not_told_as_recent(engine: Engine) -> None:
    store = SliceStore(engine, ManualClock(NOW))
    store.book([one(minute(ago=ago), 100, 100) for ago in (5, 90)])
    store.book([one(minute(ago=5), 90, 95)])
    store.book([one(minute(ago=90), 40, 40)])
    found = store.totals()["a"]
    assert (found.revised, found.lately) == (70, 10)
    store.book([one(minute(ago=5), 70, 95), one(minute(ago=4), 30, 30)])
    assert store.totals()["a"].revised == 70, "what comes in the same commit makes up for it"


def test_merging_keeps_every_sum_and_runs_again_without_effect(engine: Engine) -> None:
    store = SliceStore(engine)
    rng = random.Random(7)
    bookings = [one(minute(ago=ago), rng.randrange(10), 10) for ago in rng.sample(range(60 * 24 * 5), 600)]
    store.book(bookings)
    whole = add_up(b.slice for b in bookings)
    assert store.compact(NOW) > 0
    assert store.compact(NOW) == 0
    assert add_up(store.slices("a", 0, NOW).values()) == whole
    with engine.connect() as conn:
        rows = conn.execute(select(SLICES.c.at, SLICES.c.step_s)).all()
    assert {step for _, step in rows} == {60, 300, 3600}
    for at, step in rows:
        age = NOW - at
        assert at % step == 0
        assert (step == 60) == (age <= 6 * HOUR + SLACK_S + 300) or abs(age - 6 * HOUR - SLACK_S) <= 300
        assert (step == 3600) == (age > 3 * DAY + SLACK_S) or abs(age - 3 * DAY - SLACK_S) <= 3600


@pytest.mark.parametrize("ago", [0, 9 * 60, 2 * 24 * 60], ids=["fine", "five minutes", "still five minutes"])
def test_late_data_revises_a_minute_wherever_it_is(engine: Engine, ago: int) -> None:
    store = SliceStore(engine)
    store.book([one(minute(ago=ago), 1, 5), one(minute(ago=ago) - 60, 3, 3)])
    store.compact(NOW)
    before = len(store.slices("a", 0, NOW))
    store.book([one(minute(ago=ago), 4, 5)])
    assert add_up(store.slices("a", 0, NOW).values()) == Slice(7, 8, 8, 120)
    assert len(store.slices("a", 0, NOW)) == before
    assert store.totals()["a"].slice == Slice(7, 8, 8, 120)
    store.compact(NOW)
    assert add_up(store.slices("a", 0, NOW).values()) == Slice(7, 8, 8, 120)


def test_a_minute_revised_after_it_became_an_hour(engine: Engine) -> None:
    store = SliceStore(engine)
    at = minute(ago=60 * 24 * 3 - 30)
    store.book([one(at, 0, 9)])
    store.compact(NOW + 2 * HOUR + SLACK_S)
    store.book([one(at, 8, 9)])
    assert store.slices("a", 0, NOW) == {at // 3600 * 3600: Slice(8, 9, 9, 60)}


def test_the_coarsest_slices_are_dropped_in_the_end(engine: Engine) -> None:
    store = SliceStore(engine)
    store.book([one(minute(ago=60 * 24 * 401), 1, 1), one(minute(), 1, 1)])
    store.compact(NOW)
    assert list(store.slices("a", 0, NOW)) == [minute()]
    assert store.totals()["a"].slice.total == 2


def test_a_rollback_takes_the_booking_with_it(engine: Engine) -> None:
    store = SliceStore(engine)

    class Boom(Exception):
        pass

    def half() -> None:
        with engine.execution_options(write=True).begin() as conn:
            store.book([one(minute(), 1, 1)], conn)
            raise Boom

    with pytest.raises(Boom):
        half()
    assert store.totals() == {}
