"""Local days: laws of their sums, whatever the zone, the order of arrival, the merging and the time of asking."""

import random
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from fractions import Fraction
from itertools import count

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import Engine, delete, select

from fairlane.database import open_database
from slo.adjust import Adjustment, Adjustments
from slo.budget import budget
from slo.calendar import Calendar, Period, Unit, zone_of
from slo.clock import ManualClock
from slo.days import Days
from slo.days_roll import Roller
from slo.report import account, day_sums
from slo.schema import BAD_STEPS, BOOKED, DAYS, SLICES
from slo.slices import EMPTY, Slice, add_up
from slo.store import LEDGER_S, LONGEST_DAY_S, Booking, SliceStore
from slo.windows import DAY, HOUR

CHANGES = (
    ("Europe/Berlin", datetime(2026, 3, 29, 1, tzinfo=UTC)),
    ("Europe/Berlin", datetime(2026, 10, 25, 1, tzinfo=UTC)),
    ("America/New_York", datetime(2026, 11, 1, 6, tzinfo=UTC)),
    ("Australia/Lord_Howe", datetime(2026, 4, 4, 15, tzinfo=UTC)),
    ("Asia/Kathmandu", datetime(2026, 6, 1, tzinfo=UTC)),
    ("UTC", datetime(2026, 1, 1, tzinfo=UTC)),
)
TARGET = Decimal("0.99")
fresh = count()
laws = settings(max_examples=12, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


@pytest.fixture(scope="module")
def memory() -> Iterator[Engine]:
    engine = open_database("sqlite://")
    yield engine
    engine.dispose()


@st.composite
def lives(draw: st.DrawFn) -> tuple[str, int, list[tuple[int, Slice]]]:
    """A zone, the moment at which its clocks are changed, and minutes around it."""
    zone, change = draw(st.sampled_from(CHANGES))
    seconds = int(change.timestamp())
    ago = draw(st.lists(st.integers(-3 * 24 * 60, 24 * 60), min_size=1, max_size=40, unique=True))
    parts = []
    for n in ago:
        total = draw(st.integers(0, 50))
        parts.append((seconds + 60 * n, Slice(draw(st.integers(0, total)), total, total, draw(st.integers(0, 60)))))
    return zone, seconds, parts


def around(zone: str, at: int, days: int = 4) -> Period:
    """Whole local days on both sides of an instant."""
    calendar = Calendar(Unit.DAY, zone)
    first, last = calendar.at(at - days * DAY), calendar.at(at + days * DAY)
    return Period(first.first, last.until, first.begin, last.end)


def sums_of(engine: Engine, name: str, zone: str, period: Period, now: float) -> list[Slice]:
    return [d.slice for d in Days(engine, zone).read([name], period, now)[name]]


@laws
@given(life=lives(), seed=st.integers(0, 2**32))
def test_order_of_arrival_and_repetition_change_nothing(memory: Engine, life, seed: int) -> None:
    zone, change, parts = life
    period, now = around(zone, change), change + 2 * DAY
    shuffled = [*parts, *random.Random(seed).choices(parts, k=3)]
    random.Random(seed).shuffle(shuffled)
    found = []
    for order in (parts, shuffled):
        name = f"s{next(fresh)}"
        store = SliceStore(memory)
        for at, part in order:
            store.book([Booking(name, at, part, at)])
        Roller(memory, {name: TARGET}, zone).roll(now)
        bad = Days(memory, zone).bad([name], period, now)[name]
        found.append((sums_of(memory, name, zone, period, now), bad))
    assert found[0] == found[1]
    assert add_up(found[0][0]) == add_up(part for _, part in parts)


@laws
@given(life=lives())
def test_days_of_any_zone_hold_exactly_their_minutes_over_a_clock_change(memory: Engine, life) -> None:
    zone, change, parts = life
    name, now = f"s{next(fresh)}", change + 2 * DAY
    SliceStore(memory).book([Booking(name, at, part, at) for at, part in parts])
    Roller(memory, {name: TARGET}, zone).roll(now)
    for one in Days(memory, zone).read([name], around(zone, change), now)[name]:
        day = one.day.first
        mine = [part for at, part in parts if datetime.fromtimestamp(at, zone_of(zone)).date() == day]
        assert one.slice == add_up(mine), day


@laws
@given(life=lives(), ask=st.lists(st.integers(0, 60), min_size=1, max_size=3))
def test_a_period_that_is_over_says_the_same_whenever_it_is_asked(memory: Engine, life, ask: list[int]) -> None:
    zone, change, parts = life
    name, store = f"s{next(fresh)}", SliceStore(memory)
    store.book([Booking(name, at, part, at) for at, part in parts])
    over = change + 2 * DAY
    roller = Roller(memory, {name: TARGET}, zone)
    roller.roll(over)
    period = around(zone, change, 5)
    first = sums_of(memory, name, zone, period, over)
    born = Days(memory, zone).born()[name]
    for days in sorted(ask):
        later = over + days * DAY
        roller.roll(later)
        store.compact(later)
        again = sums_of(memory, name, zone, period, over)
        assert again == first
        parts_ = day_sums(Days(memory, zone).read([name], period, over)[name], period, born, over)
        told = account(TARGET, period, (p for _, p in parts_), born, over)
        assert told.budget.spent + told.budget.left == 1


@laws
@given(life=lives())
def test_months_add_up_to_their_quarter_and_days_to_their_month(memory: Engine, life) -> None:
    zone, change, parts = life
    name, now = f"s{next(fresh)}", change + 100 * DAY
    SliceStore(memory).book([Booking(name, at, part, at) for at, part in parts])
    quarter = Calendar(Unit.QUARTER, zone).at(change)
    calendar, months, period = Calendar(Unit.MONTH, zone), [], None
    while period is None or period.end < quarter.end:
        period = calendar.of(period.until if period else quarter.first)
        months.append(add_up(sums_of(memory, name, zone, period, now)))
    assert add_up(months) == add_up(sums_of(memory, name, zone, quarter, now))


@given(
    good=st.integers(0, 10**9),
    bad=st.integers(0, 10**9),
    period_s=st.integers(1, 100 * DAY),
    lived_s=st.integers(0, 100 * DAY),
)
def test_spent_and_left_are_the_whole_budget(good: int, bad: int, period_s: int, lived_s: int) -> None:
    found = budget(Slice(good, good + bad), Decimal("0.999"), period_s, lived_s)
    assert found.spent + found.left == 1
    if lived_s >= period_s and good + bad:
        assert (found.spent > 1) == (Fraction(good, good + bad) < Fraction("0.999"))


def test_late_data_changes_a_day_that_was_added_up(engine: Engine) -> None:
    clock = ManualClock(1_792_000_000)
    store = SliceStore(engine, clock)
    at = int(clock.now()) // DAY * DAY + 120
    store.book([Booking("a", at, Slice(0, 10, 10, 60), at)])
    roller = Roller(engine, {"a": TARGET}, "UTC")
    clock.advance(2 * DAY)
    assert roller.roll(clock.now()) == 2
    days, period = Days(engine, "UTC"), Calendar(Unit.DAY).at(at)
    assert [s.bad for s in days.bad(["a"], period, clock.now())["a"]] == [10]
    store.book([Booking("a", at, Slice(10, 10, 10, 60), at)])
    clock.advance(600)
    assert roller.roll(clock.now()) >= 1
    assert sums_of(engine, "a", "UTC", period, clock.now()) == [Slice(10, 10, 10, 60)]
    assert days.bad(["a"], period, clock.now())["a"] == []


def test_days_and_bad_minutes_outlive_minutes_and_slices(engine: Engine) -> None:
    clock = ManualClock(1_792_000_000 // DAY * DAY + 9 * HOUR)
    store, roller = SliceStore(engine, clock), Roller(engine, {"a": TARGET}, "Asia/Kathmandu")
    at = int(clock.now()) // 60 * 60
    store.book([Booking("a", at - 60 * n, Slice(7, 10, 10, 60), at - 60 * n) for n in range(3)])
    for _ in range(8):
        clock.advance(DAY)
        roller.roll(clock.now())
        store.compact(clock.now())
    with engine.begin() as conn:
        assert conn.execute(select(BOOKED)).all() == []
        conn.execute(delete(SLICES))
    days = Days(engine, "Asia/Kathmandu")
    period = Calendar(Unit.MONTH, "Asia/Kathmandu").at(at)
    assert add_up(sums_of(engine, "a", days.zone, period, clock.now())) == Slice(21, 30, 30, 180)
    assert [(s.at, s.step_s) for s in days.bad(["a"], period, clock.now())["a"]] == [
        (at - 60 * n, 60) for n in (2, 1, 0)
    ]


def test_what_was_never_added_up_is_found_again_from_what_is_left(engine: Engine) -> None:
    """A database from before there were days: hours are what is left of it."""
    now = 1_792_000_000 // DAY * DAY + 9 * HOUR
    store = SliceStore(engine, ManualClock(now))
    old = [now - 20 * DAY - n * HOUR for n in range(30)]
    store.book([Booking("a", at, Slice(9, 10, 10, 60), at) for at in old])
    store.compact(now)
    Roller(engine, {"a": TARGET}, "UTC").roll(now)
    period = around("UTC", now - 20 * DAY)
    before = sums_of(engine, "a", "UTC", period, now)
    assert add_up(before).total == 300
    with engine.begin() as conn:
        assert {row.step_s for row in conn.execute(select(BAD_STEPS.c.step_s))} == {3600}
        conn.execute(delete(SLICES))
    assert sums_of(engine, "a", "UTC", period, now) == before


def test_a_call_adds_up_no_more_than_it_may_and_the_next_goes_on(engine: Engine) -> None:
    now = 1_792_000_000 // DAY * DAY + HOUR
    store = SliceStore(engine, ManualClock(now - DAY))
    store.book([Booking("a", now - n * DAY, Slice(1, 1, 1, 60), now - n * DAY) for n in range(1, 5)])
    roller = Roller(engine, {"a": TARGET}, "UTC", most=3)
    assert (roller.roll(now), roller.pending) == (3, 1)
    assert (roller.roll(now), roller.pending) == (1, 0)
    assert roller.roll(now + 60) == 0
    with engine.connect() as conn:
        assert len(conn.execute(select(DAYS)).all()) == 4


def test_an_open_day_is_read_from_slices_and_ends_now(engine: Engine) -> None:
    now = 1_792_000_000 // DAY * DAY + 9 * HOUR
    SliceStore(engine).book([Booking("a", now + n * 60, Slice(1, 1, 1, 60), now + n * 60) for n in (-2, -1, 1)])
    today = Calendar(Unit.DAY).at(now)
    assert sums_of(engine, "a", "UTC", today, now) == [Slice(2, 2, 2, 120)]
    assert sums_of(engine, "b", "UTC", today, now) == [EMPTY]


def test_maintenance_is_left_out_to_the_minute_and_comes_back_when_it_is_called_off(engine: Engine) -> None:
    clock = ManualClock(1_792_000_000 // DAY * DAY)
    begin = int(clock.now()) + 2 * HOUR
    store = Adjustments(engine)
    store.announce(Adjustment("m", "", begin, begin + 600, "boss", "upgrade", int(clock.now() * 1000)))
    slices = SliceStore(engine, clock)
    slices.book([Booking("a", begin + 60 * n, Slice(0, 10, 10, 60), begin) for n in range(-1, 11)])
    day, days = Calendar(Unit.DAY).at(begin), Days(engine, "UTC")
    out = {"m": Slice(0, 100, 100, 600)}
    assert days.read(["a"], day, begin + HOUR)["a"][0].excluded == out
    roller = Roller(engine, {"a": TARGET}, "UTC")
    clock.advance(DAY + HOUR)
    for ahead in (0, LEDGER_S + LONGEST_DAY_S + DAY):
        clock.advance(ahead)
        roller.roll(clock.now())
        slices.compact(clock.now())
        (one,) = days.read(["a"], day, clock.now())["a"]
        assert (one.slice.total, one.excluded) == (120, out)
    store.cancel("m", int(clock.now() * 1000), "boss", "did not happen")
    assert days.read(["a"], day, clock.now())["a"][0].excluded == {}


def test_maintenance_that_is_told_afterwards_is_left_out_of_a_day_that_was_added_up(engine: Engine) -> None:
    clock = ManualClock(1_792_000_000 // DAY * DAY)
    at = int(clock.now()) + HOUR
    SliceStore(engine, clock).book([Booking("a", at, Slice(0, 10, 10, 60), at)])
    roller = Roller(engine, {"a": TARGET}, "UTC")
    clock.advance(2 * DAY)
    roller.roll(clock.now())
    Adjustments(engine).announce(Adjustment("m", "a", at, at + 60, "boss", "late note", int(clock.now() * 1000)))
    clock.advance(60)
    roller.roll(clock.now())
    (one,) = Days(engine, "UTC").read(["a"], Calendar(Unit.DAY).at(at), clock.now())["a"]
    assert one.excluded == {"m": Slice(0, 10, 10, 60)}


def test_the_last_days_are_whole_local_ones() -> None:
    now = datetime(2026, 10, 27, 15, 30, tzinfo=zone_of("Europe/Berlin")).timestamp()
    found = Days(None, "Europe/Berlin").last(28, now)
    assert (found.until - found.first, found.seconds) == (timedelta(days=28), 28 * DAY + HOUR)
    assert found.end <= now < found.end + DAY


def test_the_hour_of_the_first_minute_is_no_part_of_the_day_before(engine: Engine) -> None:
    """00:44 in Kathmandu lies in an hour of UTC that begins on the day before."""
    at, zone = 1_780_081_140, "Asia/Kathmandu"
    now = at + 10 * DAY
    store = SliceStore(engine, ManualClock(at))
    store.book([Booking("a", at, Slice(1, 1, 1, 60), at)])
    Roller(engine, {"a": TARGET}, zone).roll(at + 3 * DAY)
    store.compact(now)
    days = Days(engine, zone).read(["a"], around(zone, at), now)["a"]
    assert [d.day.first.isoformat() for d in days if d.slice.total] == ["2026-05-30"]


def test_a_day_of_which_some_minutes_are_forgotten_is_left_as_it_was_added_up(engine: Engine) -> None:
    at = 1_792_000_000 // DAY * DAY
    clock = ManualClock(at + 2 * DAY)
    store, roller = SliceStore(engine, clock), Roller(engine, {"a": TARGET}, "UTC")
    store.book([Booking("a", at + 60 * n, Slice(1, 1, 1, 60), at) for n in range(24 * 60)])
    roller.roll(clock.now())
    # so long after its morning that only the afternoon's minutes are still there; the journal tells of them all
    late = at + LEDGER_S + LONGEST_DAY_S + DAY // 2
    store.compact(late)
    with engine.connect() as conn:
        assert 0 < len(conn.execute(select(BOOKED.c.at)).all()) < 24 * 60
    again = Roller(engine, {"a": TARGET}, "UTC", _known={"a"}, _now=clock.now())
    again.roll(late)
    assert sums_of(engine, "a", "UTC", Calendar(Unit.DAY).at(at), late) == [Slice(1440, 1440, 1440, DAY)]
