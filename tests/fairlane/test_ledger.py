"""Bookings in the database, on SQLite and PostgreSQL: exact, revisable, and each message once."""

from dataclasses import replace

import pytest
from sqlalchemy import Engine

from fairlane.ledger import Entry, Fenced, Ledger, Place, forget_minutes
from fairlane.tallies import Limits, Tallies
from ingestion.contracts.names import Lane
from ingestion.contracts.telemetry import Kind, Message, Population
from slo.burn import Severity, State
from slo.evaluate import evaluate
from slo.objective import Sli
from slo.presets import pipeline_objectives
from slo.series import Series
from slo.slices import Slice, add_up
from slo.store import LEDGER_S, SliceStore
from tests.support.telemetry import capture, outcomes, probe

MINUTE = 1_700_000_040 // 60
T0 = MINUTE * 60_000
MIN_MS = 60_000
CLOSED = T0 + MIN_MS + 90_000
"""The minute's slices of `all` and `protected` are closed."""


class Booker:
    """Enters messages one batch at a time."""

    def __init__(self, engine: Engine) -> None:
        self.ledger = Ledger(engine, "p", partitions=2, slo_s=30.0)
        self.store = SliceStore(engine)
        self.place = Place("c", {})
        self.last: dict[Sli, int] = {}

    def enter(self, *messages: tuple[Message, int]) -> Entry:
        tallies = Tallies(Limits(30.0, 10_000), self.last, self.ledger.watermark_ms())
        for message, at_ms in messages:
            tallies.add(message, at_ms)
        new = Place("c", {0: self.place.next.get(0, 0) + len(messages)})
        entry = self.ledger.enter(tallies, "t", self.place, new, {})
        self.place = new
        return entry

    def slice(self, name: str, at: int = MINUTE) -> Slice:
        return self.store.slices(f"p-{name}", at * 60, at * 60 + 60).get(at * 60, Slice())


@pytest.fixture
def booker(engine: Engine) -> Booker:
    return Booker(engine)


def test_outcomes_become_slices_and_the_deadline_closes_them(booker: Booker) -> None:
    booker.enter(
        (outcomes("p", MINUTE, {Kind.GOOD: 8}), T0 + 1000), (probe("p", T0, offsets={MINUTE: [6, 4]}), T0 + 62_000)
    )
    assert booker.slice("freshness-all") == Slice(8, 8, 10, 60)
    booker.enter((probe("p", T0), CLOSED - 1))
    assert booker.slice("freshness-protected").total == 8
    booker.enter((probe("p", T0), CLOSED))
    assert booker.slice("freshness-all") == booker.slice("freshness-protected") == Slice(8, 10, 10, 60)
    assert booker.slice("freshness-moved") == Slice(0, 0, 0, 60)


def test_late_data_revises_a_closed_minute(booker: Booker) -> None:
    booker.enter((outcomes("p", MINUTE, {Kind.GOOD: 8}), T0), (probe("p", T0, offsets={MINUTE: [6, 4]}), CLOSED))
    entry = booker.enter(
        (outcomes("p", MINUTE, {Kind.GOOD: 1, Kind.FORWARDED: 0}), CLOSED + 1),
        (outcomes("p", MINUTE, {Kind.FORWARDED: 1}, population=Population.MOVED), CLOSED + 2),
    )
    assert booker.slice("freshness-all") == Slice(9, 10, 10, 60)
    assert booker.slice("freshness-protected") == Slice(9, 9, 9, 60)
    assert booker.slice("freshness-moved") == Slice(0, 0, 1, 60)
    assert entry.revised == 2
    booker.enter(
        (outcomes("p", MINUTE, {Kind.SLOW: 1}, lane=Lane.OVERFLOW, population=Population.MOVED), CLOSED + 60_000)
    )
    assert booker.slice("freshness-moved") == Slice(1, 1, 1, 60)
    assert booker.slice("freshness-all") == Slice(9, 10, 10, 60)


def test_moved_events_have_fifteen_minutes(booker: Booker) -> None:
    booker.enter(
        (outcomes("p", MINUTE, {Kind.FORWARDED: 5}, population=Population.MOVED), T0),
        (probe("p", T0, offsets={MINUTE: [5, 0]}), CLOSED),
    )
    assert booker.slice("freshness-moved").total == 0
    assert booker.slice("freshness-all") == Slice(0, 5, 5, 60)
    booker.enter((probe("p", T0), T0 + MIN_MS + 960_000))
    assert booker.slice("freshness-moved") == Slice(0, 5, 5, 60)


def test_arrival_order_changes_nothing(engine: Engine) -> None:
    messages = [
        outcomes("p", MINUTE, {Kind.GOOD: 5, Kind.GAP: 1, Kind.CANARY: 1}),
        outcomes("p", MINUTE, {Kind.FORWARDED: 2}, population=Population.MOVED),
        outcomes("p", MINUTE, {Kind.GOOD: 1, Kind.INVALID: 1}, lane=Lane.OVERFLOW, population=Population.MOVED),
        probe("p", T0, offsets={MINUTE: [6, 4]}),
    ]
    found = []
    for name, order in (("p", messages), ("q", messages[::-1])):
        ledger = Ledger(engine, name, 2, 30.0)
        for n, message in enumerate([*order, probe("p", T0)]):
            tallies = Tallies(Limits(30.0, 10_000))
            tallies.add(message, CLOSED if n == 4 else T0)
            ledger.enter(tallies, "t", Place("c", {0: n} if n else {}), Place("c", {0: n + 1}), {})
        found.append(
            [SliceStore(engine).slices(f"{name}-freshness-{who}", 0, T0) for who in ("all", "protected", "moved")]
        )
    assert found[0] == found[1]
    assert found[0][0] == {MINUTE * 60: Slice(6, 7, 7, 60)}


def test_a_stalled_pipeline_burns_and_pages(booker: Booker) -> None:
    """Expected grows, no outcome comes."""
    for n in range(30):
        booker.enter(
            (outcomes("p", MINUTE + n, {Kind.GOOD: 1000}), T0 + n * MIN_MS),
            (probe("p", T0, offsets={MINUTE + n: [500, 500]}), T0 + n * MIN_MS + 62_000),
        )
    stalled = T0 + 30 * MIN_MS
    severity = {}
    for s in range(0, 330, 15):
        at = stalled + s * 1000
        done = (at - 2_000) // MIN_MS - 1
        booker.enter((probe("p", at, offsets={done: [500, 500]} if done >= MINUTE + 30 else None), at))
        found = {e.slo: e for e in evaluate(pipeline_objectives("p"), booker.store, at / 1000)}
        severity[s] = found["p-freshness-protected"].severity
    assert severity[0] is Severity.NONE
    paged = min(s for s, found in severity.items() if found is Severity.PAGE)
    assert paged <= 300
    assert found["p-freshness-protected"].state is State.FIRING
    assert found["p-freshness-moved"].state is not State.FIRING


def test_a_telemetry_gap_freezes_and_nothing_is_booked_as_bad(booker: Booker) -> None:
    for n in range(90):
        booker.enter(
            (outcomes("p", MINUTE + n, {Kind.GOOD: 1000}), T0 + n * MIN_MS),
            (probe("p", T0, offsets={MINUTE + n: [500, 500]}), T0 + n * MIN_MS + 62_000),
        )
    late = (T0 + 90 * MIN_MS) / 1000 + 15 * 60
    found = {e.slo: e for e in evaluate(pipeline_objectives("p"), booker.store, late)}["p-freshness-protected"]
    assert (found.state, found.severity, found.total - found.good) == (State.FROZEN, Severity.NONE, 0)


def test_partitions_that_came_later_do_not_freeze_the_minutes_before_them(booker: Booker, engine: Engine) -> None:
    booker.enter((outcomes("p", MINUTE, {Kind.GOOD: 10}), T0), (probe("p", T0, offsets={MINUTE: [6, 4]}), T0 + 62_000))
    booker.ledger = Ledger(engine, "p", partitions=4, slo_s=30.0)
    # the restarted probe tells the past again, of the partitions that there were
    booker.enter((probe("p", T0, offsets={MINUTE: [6, 4], MINUTE + 1: [3, 3, 2, 2]}), T0 + 122_000))
    assert booker.slice("freshness-all") == Slice(10, 10, 10, 60)
    assert booker.slice("freshness-all", MINUTE + 1).observed == 60
    booker.enter((probe("p", T0, offsets={MINUTE + 2: [3, 3]}), T0 + 182_000))
    assert booker.slice("freshness-all", MINUTE + 2).observed == 30, "of those that there are two were not told"


def test_time_slices(booker: Booker) -> None:
    booker.enter(*((probe("p", T0, ages=[31.0 if s < 10 else 0.0], lags=[5]), T0 + s * 1000) for s in range(60)))
    assert booker.slice("oldest-age") == Slice(50, 60, 60, 60)
    assert booker.slice("lag") == Slice(60, 60, 60, 60)
    booker.enter((replace(capture("p", T0, 99, 1), invalid=25, requests=40, slow=3, throttled=7), T0 + 60_000))
    assert booker.slice("capture-availability", MINUTE + 1) == Slice(99, 100, 100, 1)
    assert booker.slice("capture-latency", MINUTE + 1) == Slice(37, 40, 40, 1)
    assert booker.slice("valid", MINUTE + 1) == Slice(100, 125, 125, 1)
    assert booker.ledger.last_seconds() == {
        Sli.OLDEST_AGE: T0 // 1000 + 59,
        Sli.LAG: T0 // 1000 + 59,
        Sli.CAPTURE_AVAILABILITY: T0 // 1000 + 60,
    }


def test_whoever_comes_second_is_fenced_and_books_nothing(engine: Engine) -> None:
    first, second = Booker(engine), Booker(engine)
    first.enter((outcomes("p", MINUTE, {Kind.GOOD: 1}), T0))
    with pytest.raises(Fenced):
        second.enter((outcomes("p", MINUTE, {Kind.GOOD: 1}), T0))
    second.place = second.ledger.place("t", "c")
    assert second.place == first.place
    second.enter((outcomes("p", MINUTE, {Kind.GOOD: 1}), T0))
    with pytest.raises(Fenced):
        first.enter((outcomes("p", MINUTE, {Kind.GOOD: 1}), T0))
    assert add_up(first.store.slices("p-freshness-all", 0, T0).values()).good == 2


def test_another_cluster_begins_at_the_beginning(booker: Booker) -> None:
    booker.enter((outcomes("p", MINUTE, {Kind.GOOD: 1}), T0))
    assert booker.ledger.place("t", "other").next == {}
    booker.ledger.enter(Tallies(Limits(30.0, 1)), "t", Place("other", {}), Place("other", {0: 1}), {})
    assert booker.ledger.place("t", "other").next == {0: 1}


def test_charts_and_reports_are_stored_with_the_batch(booker: Booker, engine: Engine) -> None:
    tallies = Tallies(Limits(30.0, 10_000))
    tallies.add(probe("p", T0, ages=[1.5], lags=[7]), T0)
    booker.ledger.enter(
        tallies, "t", booker.place, Place("c", {0: 1}), {("lag.general", T0): 7.0, ("lag.general", T0 + 5000): 8.0}
    )
    series = Series(engine)
    assert [(p.at_ms, p.value) for p in series.read("p", ["lag.general"], T0 + 1)["lag.general"]] == [(T0 + 5000, 8.0)]
    assert series.read("p", ["nothing"], 0) == {"nothing": []}
    assert series.live("p", "lanes") == (T0, [["general", 0, 7, 1.5, "exact"]])
    assert series.live("p", "nothing") is None
    assert series.forget(T0 + 24 * 3_600_000 + 1) == 1


def test_raw_counts_are_forgotten_when_they_cannot_be_revised(booker: Booker, engine: Engine) -> None:
    booker.enter(
        (outcomes("p", MINUTE, {Kind.GOOD: 1}), T0), (probe("p", T0, ages=[1.0], offsets={MINUTE: [1, 0]}), T0)
    )
    assert forget_minutes(engine, T0 / 1000 + LEDGER_S) == 0
    assert forget_minutes(engine, T0 / 1000 + LEDGER_S + 60) == 5


def test_a_watermark_in_the_future_goes_back_to_what_can_be(booker: Booker) -> None:
    day_ms = 86_400_000
    booker.enter((probe("p", T0), T0 + day_ms))
    assert booker.ledger.watermark_ms() == T0 + day_ms
    tallies = Tallies(Limits(30.0, 10_000), {}, booker.ledger.watermark_ms(), limit_ms=T0 + 120_000)
    tallies.add(outcomes("p", MINUTE, {Kind.GOOD: 8}), T0 + 1000)
    tallies.add(probe("p", T0, offsets={MINUTE: [6, 4]}), T0 + 62_000)
    booker.ledger.enter(tallies, "t", booker.place, Place("c", {0: 9}), {})
    assert booker.ledger.watermark_ms() == T0 + 120_000
    assert booker.slice("freshness-all") == Slice(8, 8, 10, 60), "the minute is open again: nothing in it is bad yet"
