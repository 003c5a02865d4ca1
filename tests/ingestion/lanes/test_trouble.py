"""Poisonous record, poisonous token, or a broken handler?"""

from ingestion.contracts.names import Lane
from ingestion.contracts.records import Record
from ingestion.lanes.breaker import GRACE, Breaker, Cause
from ingestion.lanes.trouble import Trouble
from slo.clock import ManualClock


def record(token: str) -> Record:
    return Record(Lane.GENERAL, "p.general", 0, 1, token, "d", "e", "click", 0, 0, "p.general/0/1", b"d", b"{}")


def test_a_few_failures_are_the_records_fault() -> None:
    breaker = Breaker()
    assert [breaker.failed(f"t{i}", 0.0) for i in range(GRACE)] == [Cause.RECORD] * GRACE


def test_failures_under_one_percent_are_the_records_fault() -> None:
    breaker = Breaker()
    breaker.handled(10_000, 0.0)
    assert {breaker.failed(f"t{i}", 1.0) for i in range(90)} == {Cause.RECORD}


def test_over_one_percent_from_one_token_is_the_tokens_fault() -> None:
    breaker = Breaker()
    breaker.handled(500, 0.0)
    assert [breaker.failed("bad", 1.0) for _ in range(GRACE + 2)][-1] is Cause.TOKEN


def test_over_one_percent_from_several_tokens_is_the_handlers_fault() -> None:
    breaker = Breaker()
    breaker.handled(500, 0.0)
    assert [breaker.failed(f"t{i}", 1.0) for i in range(GRACE + 2)][-1] is Cause.HANDLER


def test_what_is_a_minute_old_is_forgotten() -> None:
    breaker = Breaker()
    for i in range(GRACE):
        breaker.failed(f"t{i}", 0.0)
    assert breaker.failed("t", 61.0) is Cause.RECORD


def test_a_broken_handler_pauses_the_lane_longer_and_longer_until_it_works() -> None:
    clock = ManualClock()
    trouble = Trouble(Lane.GENERAL, clock)
    assert all(trouble.give_up(record(f"t{i}")) for i in range(GRACE))
    assert not trouble.paused
    assert not trouble.give_up(record("t98"))
    assert trouble.paused
    assert not trouble.may_take()
    clock.advance(2.1)
    assert trouble.may_take()
    assert not trouble.give_up(record("t99"))
    clock.advance(2.1)
    assert not trouble.may_take()
    clock.advance(2.0)
    trouble.settled(5, clean=True)
    assert not trouble.paused


def test_one_failing_token_is_wanted_in_quarantine_and_still_given_up() -> None:
    trouble = Trouble(Lane.GENERAL, ManualClock())
    assert all(trouble.give_up(record("bad")) for _ in range(GRACE + 5))
    assert trouble.banished == {b"bad": Lane.QUARANTINE}
    assert not trouble.paused


def test_a_slot_that_is_taken_again_and_again_has_two_workers() -> None:
    clock = ManualClock()
    trouble = Trouble(Lane.GENERAL, clock)
    assert [trouble.fenced() for _ in range(3)] == [False, False, True]
    clock.advance(61)
    assert not trouble.fenced()
