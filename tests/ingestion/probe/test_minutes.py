"""Closed minutes and what they took."""

from hypothesis import given
from hypothesis import strategies as st

from ingestion.contracts.telemetry import Expected
from ingestion.probe import minutes
from ingestion.probe.minutes import BACKFILL, MINUTE_MS, PER_ROUND, MinuteBook, boundaries, last_closed

NOW = 1_000 * MINUTE_MS + 30_000


def all_due(book: MinuteBook, now_ms: int) -> list[int]:
    told: list[int] = []
    while due := book.due(now_ms):
        told += due
        book.expected(due, {at: {0: 10} for at in boundaries(due)}, {0: 0})
    return told


def test_a_minute_is_closed_after_its_grace() -> None:
    assert last_closed(1_000 * MINUTE_MS + 1_999) == 998
    assert last_closed(1_000 * MINUTE_MS + 2_000) == 999


def test_a_fresh_probe_tells_the_last_six_hours_newest_first() -> None:
    told = all_due(MinuteBook(NOW), NOW)
    assert told == list(range(999, 999 - BACKFILL, -1))


def test_a_running_probe_tells_each_closed_minute_and_repeats_the_one_before() -> None:
    book = MinuteBook(NOW)
    all_due(book, NOW)
    assert book.due(NOW + 10_000) == []
    assert book.due(NOW + MINUTE_MS) == [1_000, 999]


def test_minutes_missed_by_a_hanging_probe_are_told_but_not_more_than_six_hours() -> None:
    book = MinuteBook(NOW)
    all_due(book, NOW)
    assert len(all_due(book, NOW + 5 * MINUTE_MS)) == 6
    assert len(all_due(book, NOW + 3_000 * MINUTE_MS)) == BACKFILL


def test_a_minute_whose_boundary_is_unknown_stays_due() -> None:
    book = MinuteBook(NOW)
    due = book.due(NOW)
    assert len(due) == PER_ROUND
    known = {at: {0: 1} for at in boundaries(due) if at > due[-1] * MINUTE_MS}
    book.expected(due, known, {0: 0})
    assert due[-1] in book.due(NOW)
    assert due[0] not in book.due(NOW)


def test_the_time_before_the_first_record_is_not_told_as_quiet() -> None:
    book = MinuteBook(NOW)
    at = {998 * MINUTE_MS: {0: 0}, 999 * MINUTE_MS: {0: 0}, 1_000 * MINUTE_MS: {0: 7}}
    assert book.expected([999, 998], at, {0: 0}) == [Expected(999, 0, 7)]
    assert book.due(NOW) == [], "nothing older can hold a record"


def test_a_minute_that_the_log_has_partly_lost_is_not_told() -> None:
    book = MinuteBook(NOW)
    at = {997 * MINUTE_MS: {0: 50}, 998 * MINUTE_MS: {0: 50}, 999 * MINUTE_MS: {0: 60}, 1_000 * MINUTE_MS: {0: 65}}
    assert book.expected([999, 998, 997], at, {0: 50}) == [Expected(999, 0, 5)]


def test_a_quiet_minute_while_the_probe_runs_is_told_as_empty() -> None:
    book = MinuteBook(NOW)
    at = {1_000 * MINUTE_MS: {0: 0}, 1_001 * MINUTE_MS: {0: 0}}
    assert book.expected([1_000], at, {0: 0}) == [Expected(1_000, 0, 0)]


@given(st.lists(st.integers(0, 1_000), min_size=2, max_size=30))
def test_the_minutes_add_up_to_the_offsets_of_their_span(steps: list[int]) -> None:
    first = NOW // MINUTE_MS
    book = MinuteBook(first * MINUTE_MS)
    offset, at = 0, {}
    for index, step in enumerate([0, *steps]):
        offset += step
        at[(first + index) * MINUTE_MS] = {0: offset}
    told = book.expected([first + index for index in range(len(steps))], at, {0: 0})
    assert sum(expected.offsets for expected in told) == sum(steps)
    assert minutes.GRACE_MS < MINUTE_MS
