"""What is known about the oldest record, and how its capture time is read."""

import pytest
from confluent_kafka import Message

from ingestion.contracts.names import Lane
from ingestion.probe.age import AgeBook, AgeKind, born_ms
from ingestion.probe.lag import Offsets

PLACE = (Lane.GENERAL, 0)


def test_a_caught_up_partition_has_age_zero_and_nothing_to_read() -> None:
    book, at = AgeBook(), {PLACE: Offsets(10, 0, 10)}
    assert book.to_read(at) == {}
    assert book.age(PLACE, at[PLACE], 5_000) == (0.0, AgeKind.EXACT)


def test_an_age_that_was_never_read_is_unknown() -> None:
    assert AgeBook().age(PLACE, Offsets(1, 0, 10), 5_000) == (0.0, AgeKind.UNKNOWN)


def test_a_head_is_read_once_and_then_ages_until_the_commit_moves() -> None:
    book, at = AgeBook(), {PLACE: Offsets(4, 0, 10)}
    assert book.to_read(at) == {PLACE: 4}
    book.learn(at, {PLACE: 1_000})
    assert book.age(PLACE, at[PLACE], 5_000) == (4.0, AgeKind.EXACT)
    later = {PLACE: Offsets(4, 0, 99)}
    assert book.to_read(later) == {}
    assert book.age(PLACE, later[PLACE], 7_000) == (6.0, AgeKind.EXACT)
    assert book.to_read({PLACE: Offsets(5, 0, 99)}) == {PLACE: 5}


def test_a_head_that_could_not_be_read_in_time_is_interpolated_from_the_last_one() -> None:
    book, at = AgeBook(), {PLACE: Offsets(100, 0, 200)}
    book.learn(at, {PLACE: 10_000})
    age, kind = book.age(PLACE, Offsets(150, 0, 200), 30_000)
    assert (age, kind) == (10.0, AgeKind.INTERPOLATED)


def test_lag_of_markers_only_is_no_age_until_the_lane_grows() -> None:
    book, at = AgeBook(), {PLACE: Offsets(4, 0, 5)}
    book.learn(at, {PLACE: None})
    assert book.age(PLACE, at[PLACE], 9_000) == (0.0, AgeKind.EXACT)
    grown = {PLACE: Offsets(4, 0, 6)}
    assert book.to_read(grown) == {PLACE: 4}
    assert book.age(PLACE, grown[PLACE], 9_000) == (0.0, AgeKind.UNKNOWN)


def test_a_log_start_past_the_commit_is_read_from_the_log_start() -> None:
    assert AgeBook().to_read({PLACE: Offsets(4, 6, 10)}) == {PLACE: 6}


@pytest.mark.parametrize(
    ("what", "headers", "born"),
    [
        ("captured_at counts", [("captured_at", b"700")], 700),
        ("without it, append time", [("token", b"t")], 900),
        ("without any header, append time", None, 900),
        ("one in the future, append time", [("captured_at", b"1001")], 900),
        ("not a number, append time", [("captured_at", b"soon")], 900),
        ("a forward without it, append time in general", [("appended_at", b"300")], 300),
        ("a forward with both, captured_at", [("captured_at", b"200"), ("appended_at", b"300")], 200),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_when_a_record_was_born(what: str, headers: list[tuple[str, bytes]] | None, born: int) -> None:
    message = Message(topic="t", partition=0, offset=0, value=b"", headers=headers, timestamp=(2, 900))
    assert born_ms(message, 1_000) == born


def test_a_capture_time_of_thousands_of_digits_is_none() -> None:
    message = Message(topic="t", partition=0, offset=0, headers=[("captured_at", b"9" * 5_000)], timestamp=(2, 4_000))
    assert born_ms(message, 5_000) == 4_000
