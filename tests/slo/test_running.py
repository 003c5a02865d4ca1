"""Running sums equal what the database adds up anew, whatever happened in between."""

from hypothesis import given, settings
from hypothesis import strategies as st
from sqlalchemy import Engine

from fairlane.database import open_database
from slo.clock import ManualClock
from slo.running import OVERLAP_S, RunningSums
from slo.schema import JOURNAL
from slo.slices import Slice
from slo.store import JOURNAL_S, Booking, SliceStore
from slo.windows import DAY, HOUR

T0 = 1_700_000_000 // 3600 * 3600
WINDOWS = (300, 1800, HOUR, 2 * HOUR, 6 * HOUR, DAY, 3 * DAY, 30 * DAY)

counts = st.integers(0, 50)
booked = st.tuples(
    st.sampled_from(["a", "b", "c"]),
    st.one_of(st.integers(-3, 6), st.integers(-400, 6)),
    counts,
    counts,
    st.integers(0, 60),
)
step = st.one_of(
    st.tuples(st.just("book"), st.lists(booked, min_size=1, max_size=4, unique_by=lambda b: (b[0], b[1]))),
    st.tuples(st.just("pass"), st.sampled_from([1, 15, 61, 300, 3_000, 4 * HOUR, 2 * DAY])),
    st.tuples(st.just("compact"), st.none()),
    st.tuples(st.just("look"), st.none()),
)


class Bench:
    """A store, running sums that follow it, and a clock."""

    def __init__(self, engine: Engine) -> None:
        self.clock = ManualClock(T0)
        self.store = SliceStore(engine, self.clock)
        self.running = RunningSums(engine, WINDOWS, self.clock)

    def book(self, slo: str, minute: int, good: int, bad: int, observed: int) -> None:
        at = (int(self.clock.now()) // 60 + minute) * 60
        self.store.book([Booking(slo, at, Slice(good, good + bad, good + bad, observed), at)])

    def agree(self) -> None:
        now = self.clock.now()
        assert self.running.rolling(WINDOWS, now) == self.store.rolling(WINDOWS, now)


@settings(max_examples=60, deadline=None)
@given(steps=st.lists(step, min_size=2, max_size=25))
def test_running_sums_are_what_adding_up_anew_gives(steps: list[tuple[str, object]]) -> None:
    engine = open_database("sqlite://")
    bench = Bench(engine)
    try:
        bench.agree()
        for kind, what in steps:
            if kind == "book":
                for row in what:
                    bench.book(*row)
            elif kind == "pass":
                bench.clock.advance(what)
            elif kind == "compact":
                bench.store.compact(bench.clock.now())
            else:
                bench.agree()
        bench.agree()
    finally:
        engine.dispose()


def test_a_revision_of_a_minute_that_has_been_merged_is_followed(engine: Engine) -> None:
    bench = Bench(engine)
    bench.book("a", 0, 5, 5, 60)
    bench.agree()
    at = int(bench.clock.now())
    bench.clock.advance(9 * HOUR)
    bench.store.compact(bench.clock.now())
    bench.agree()
    bench.store.book([Booking("a", at, Slice(10, 10, 10, 60), at)])
    bench.agree()
    assert bench.running.refresh(bench.clock.now()).rolling(0).windows[DAY].slice == Slice(10, 10, 10, 60)


def test_merging_while_nobody_looked_leaves_what_is_needed(engine: Engine) -> None:
    bench = Bench(engine)
    for minute in range(-370, 1):
        bench.book("a", minute, 1, 1, 60)
    bench.agree()
    for seconds in (130, 1_000, 3_000):
        bench.clock.advance(seconds)
        bench.store.compact(bench.clock.now())
        bench.agree()


def test_a_row_that_is_committed_behind_a_newer_one_is_not_missed(engine: Engine) -> None:
    bench = Bench(engine)
    bench.book("a", 0, 1, 0, 60)
    bench.book("b", 0, 1, 0, 60)
    with engine.begin() as conn:
        late = conn.execute(JOURNAL.select().where(JOURNAL.c.slo == "a")).mappings().one()
        conn.execute(JOURNAL.delete().where(JOURNAL.c.seq == late["seq"]))
    assert bench.running.refresh(bench.clock.now()).windows[HOUR][0].sum() == 2  # read from the slices themselves
    bench.book("c", 0, 1, 0, 60)
    bench.running.refresh(bench.clock.now())
    bench.clock.advance(OVERLAP_S / 2)
    with engine.begin() as conn:
        conn.execute(JOURNAL.insert(), [{**late, "seq": late["seq"] + 100, "good": 7, "total": 7}])
    assert bench.running.refresh(bench.clock.now()).windows[HOUR][0].sum() == 10


def test_sums_that_were_not_asked_for_as_long_as_the_journal_lasts_are_read_anew(engine: Engine) -> None:
    bench = Bench(engine)
    bench.book("a", 0, 1, 0, 60)
    bench.agree()
    bench.book("a", 0, 3, 0, 60)
    bench.clock.advance(JOURNAL_S + 1)
    with engine.begin() as conn:
        conn.execute(JOURNAL.delete())
    bench.agree()


def test_a_clock_that_goes_back_reads_the_sums_anew(engine: Engine) -> None:
    bench = Bench(engine)
    for minute in range(-5, 1):
        bench.book("a", minute, 1, 1, 60)
    bench.agree()
    before = ManualClock(T0 - 180)
    assert bench.running.rolling(WINDOWS, before.now()) == bench.store.rolling(WINDOWS, before.now())
    bench.agree()
