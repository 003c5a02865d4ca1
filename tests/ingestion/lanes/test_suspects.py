"""Whom to suspect when a handler hangs."""

import pytest

from ingestion.contracts.names import Lane
from ingestion.contracts.records import Record
from ingestion.contracts.telemetry import Trouble, TroubleKind
from ingestion.lanes.handling import Flight
from ingestion.lanes.metadata import CAREFUL, Suspect
from ingestion.lanes.owned import Owned
from ingestion.lanes.suspects import accuse, doomed, hanging, in_flight, one_by_one, sent_away, troubles
from tests.support.lane_messages import buffer, message


def record(offset: int, partition: int = 0, token: str = "t") -> Record:
    return Record(Lane.GENERAL, "p.general", partition, offset, token, "d", "e", "x", 0, 0, "s", b"d", b"{}")


def flight(*records: Record, seconds: float = 61.0) -> Flight:
    return Flight(records[0] if len(records) == 1 else None, records, seconds)


def owned(partition: int, suspect: Suspect | None, *tokens: str) -> Owned:
    messages = [message(i, token, partition=partition) for i, token in enumerate(tokens)]
    return Owned(partition, buffer(*messages, partition=partition), 0, 0.0, suspect=suspect)


def test_a_call_of_one_record_names_the_suspect_and_counts_its_attempts() -> None:
    first = accuse([flight(record(7))], {})
    assert first == {0: Suspect(7, 1)}
    assert accuse([flight(record(7))], first) == {0: Suspect(7, 2)}
    assert accuse([flight(record(8))], first) == {0: Suspect(8, 1)}
    assert accuse([flight(record(7))], {0: Suspect(7, CAREFUL)}) == {0: Suspect(7, 1)}


def test_attempts_never_become_the_mark_that_names_nobody() -> None:
    assert accuse([flight(record(7))], {0: Suspect(7, CAREFUL - 1)}) == {0: Suspect(7, CAREFUL - 1)}


def test_a_batch_that_hangs_marks_its_partitions_up_to_its_last_record() -> None:
    found = accuse([flight(record(3), record(9), record(4, partition=2))], {})
    assert found == {0: Suspect(9, CAREFUL), 2: Suspect(4, CAREFUL)}


def test_of_several_calls_that_hang_each_partition_gets_the_longest() -> None:
    found = accuse([flight(record(3), seconds=70), flight(record(9), seconds=65), flight(record(1, 2), seconds=61)], {})
    assert found == {0: Suspect(3, 1), 2: Suspect(1, 1)}


@pytest.mark.parametrize(
    ("lane", "attempts", "given_up"),
    [
        (Lane.GENERAL, 1, False),
        (Lane.GENERAL, 2, True),
        (Lane.OVERFLOW, 1, True),
        (Lane.QUARANTINE, 1, True),
        (Lane.GENERAL, CAREFUL, False),
        (Lane.QUARANTINE, CAREFUL, False),
    ],
)
def test_the_third_attempt_in_general_and_the_second_elsewhere_is_a_dead_letter(lane, attempts, given_up) -> None:
    assert doomed(Suspect(5, attempts), lane) is given_up
    assert not doomed(None, lane)


def test_on_the_second_attempt_the_whole_token_is_wanted_in_quarantine() -> None:
    ready = [owned(0, Suspect(1, 1), "calm", "bad"), owned(1, None, "bad"), owned(2, Suspect(0, CAREFUL), "other")]
    assert sent_away(ready, Lane.GENERAL) == {b"bad": Lane.QUARANTINE}
    assert sent_away(ready, Lane.OVERFLOW) == {}


def test_on_the_third_attempt_and_before_the_record_is_there_nobody_is_sent_away() -> None:
    assert sent_away([owned(0, Suspect(1, 2), "calm", "bad"), owned(1, Suspect(9, 1), "calm")], Lane.GENERAL) == {}


def test_telemetry_names_the_suspects_tokens() -> None:
    mine = [owned(0, Suspect(1, 1), "calm", "bad"), owned(2, Suspect(0, CAREFUL), "other")]
    assert troubles(mine) == (Trouble("bad", 0, TroubleKind.HUNG, 1),)


def test_a_worker_that_leaves_names_every_token_that_it_can() -> None:
    flights = [
        flight(record(1, token="bad")),
        flight(record(2, 1), record(3, 1)),
        flight(record(4, 2), record(5, 3, "u")),
    ]
    suspects = accuse(flights, {0: Suspect(1, 1)})
    assert hanging(flights, suspects) == (
        Trouble("bad", 0, TroubleKind.HUNG, 2),
        Trouble("t", 1, TroubleKind.HUNG, 1),  # a batch, but all of one token
    )


def test_in_flight_is_the_longest_call_of_each_partition() -> None:
    flights = [flight(record(1, token="slow"), seconds=20), flight(record(2), record(3, 1, "u"), seconds=5)]
    assert in_flight(flights) == {0: ("slow", 20), 1: ("", 5)}


def test_partitions_in_which_a_batch_hung_are_handled_one_by_one() -> None:
    assert one_by_one([owned(0, Suspect(1, 1)), owned(1, Suspect(4, CAREFUL)), owned(2, None)]) == {1}
