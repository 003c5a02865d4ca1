"""Poisonous record, poisonous token, or a broken handler?"""

from ingestion.contracts.names import Lane
from ingestion.contracts.records import Record
from ingestion.contracts.telemetry import Trouble as Report
from ingestion.contracts.telemetry import TroubleKind
from ingestion.lanes.breaker import GRACE, WINDOW_S, Breaker, Cause
from ingestion.lanes.trouble import BANISHED_S, Trouble
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


def fail(breaker: Breaker, *tokens: str, done: str = "", each: int = 0, now: float = 1.0) -> Cause:
    """These tokens' records fail, one after the other; behind each, `each` records of `done` are done. Returns the last cause."""
    cause = Cause.RECORD
    for token in tokens:
        cause = breaker.failed(token, now)
        breaker.done([done] * each, now)
    return cause


def test_over_one_percent_from_one_token_is_the_tokens_fault_when_others_records_are_done_meanwhile() -> None:
    breaker = Breaker()
    breaker.handled(500, 0.0)
    assert fail(breaker, *["bad"] * (GRACE + 2), done="good", each=1) is Cause.TOKEN


def test_what_was_done_before_the_first_failure_says_nothing_of_a_sink_that_broke_then() -> None:
    breaker = Breaker()
    breaker.done(["good"] * 500, 0.0)
    breaker.handled(500, 0.0)
    assert fail(breaker, *["bad"] * (GRACE + 2)) is Cause.HANDLER


def test_a_token_alone_in_its_lane_cannot_be_told_from_a_broken_sink() -> None:
    assert fail(Breaker(), *["lone"] * (GRACE + 2)) is Cause.HANDLER


def test_a_token_alone_in_its_lane_is_to_blame_when_most_of_its_own_records_are_done() -> None:
    assert fail(Breaker(), *["lone"] * (GRACE + 2), done="lone", each=3) is Cause.TOKEN


def test_a_whale_does_not_hide_that_the_few_others_fail_as_well() -> None:
    """A broken sink: nothing is done, and nineteen in twenty failures are the whale's because its records are."""
    breaker = Breaker()
    causes = [breaker.failed("other" if i % 20 == 19 else "whale", 1.0) for i in range(200)]
    assert set(causes[GRACE:]) == {Cause.HANDLER}


def test_a_sink_that_fails_for_everybody_now_and_then_is_not_the_whales_fault() -> None:
    breaker = Breaker()
    cause = Cause.RECORD
    for i in range(200):
        cause = fail(breaker, "other" if i % 20 == 19 else "whale", done="whale" if i % 20 else "other", each=2)
    assert cause is Cause.HANDLER


def test_over_one_percent_from_several_tokens_is_the_handlers_fault() -> None:
    breaker = Breaker()
    breaker.handled(500, 0.0)
    assert [breaker.failed(f"t{i}", 1.0) for i in range(GRACE + 2)][-1] is Cause.HANDLER


def test_what_is_a_minute_old_is_forgotten() -> None:
    breaker = Breaker()
    for i in range(GRACE):
        breaker.failed(f"t{i}", 0.0)
    assert breaker.failed("t", 61.0) is Cause.RECORD


def test_chunks_without_a_failure_are_not_remembered_for_ever() -> None:
    breaker = Breaker()
    for second in range(1_000):
        breaker.handled(10, float(second))
    assert len(breaker._handled) <= WINDOW_S + 1
    breaker.handled(500, 1_000.0)
    assert fail(breaker, *["bad"] * (GRACE + 2), done="good", each=1, now=1_000.0) is Cause.TOKEN


def test_what_is_done_is_noted_only_while_something_fails() -> None:
    breaker = Breaker()
    breaker.done(["good"], 0.0)
    assert not breaker._done
    fail(breaker, "bad", done="good", each=5)
    assert breaker._done
    breaker.handled(10, 62.0)
    assert not breaker.failing
    assert not breaker._done


def test_one_sick_token_does_not_make_another_tokens_stray_failure_the_handlers() -> None:
    breaker = Breaker()
    fail(breaker, *["bad"] * (GRACE + 10), done="good", each=1)
    assert breaker.failed("other", 1.0) is Cause.RECORD
    assert breaker.failed("bad", 1.0) is Cause.TOKEN


def test_a_broken_handler_pauses_the_lane_longer_and_longer_until_it_works() -> None:
    clock = ManualClock()
    trouble = Trouble(Lane.GENERAL, clock)
    assert all(trouble.give_up(record(f"t{i}")) for i in range(GRACE))
    assert not trouble.paused
    assert not trouble.give_up(record("t98"))
    trouble.settled(0)
    assert trouble.paused
    assert not trouble.may_take()
    clock.advance(2.1)
    assert trouble.may_take()
    assert not trouble.give_up(record("t99"))
    trouble.settled(3)  # some were done, but it failed again
    assert trouble.paused
    clock.advance(2.1)
    assert not trouble.may_take()
    clock.advance(2.0)
    trouble.settled(5)
    assert not trouble.paused


def test_a_chunk_in_which_nothing_was_done_does_not_end_the_pause() -> None:
    clock = ManualClock()
    trouble = Trouble(Lane.GENERAL, clock)
    for i in range(GRACE + 1):
        trouble.give_up(record(f"t{i}"))
    trouble.settled(0)
    clock.advance(2.1)
    trouble.settled(0)  # all asked for a retry
    assert trouble.paused


def test_a_stray_failure_after_the_cure_does_not_keep_the_lane_paused() -> None:
    clock = ManualClock()
    trouble = Trouble(Lane.GENERAL, clock)
    for i in range(GRACE + 1):
        trouble.give_up(record(f"t{i}"))
    trouble.settled(0)
    clock.advance(61)
    trouble.done([record("good")])
    assert trouble.give_up(record("stray"))
    trouble.settled(100)
    assert not trouble.paused


def test_a_paused_lane_gives_nothing_up_until_something_was_done_again() -> None:
    """However few failures are left in the window: a sink that is away for hours, tried every thirty seconds."""
    clock = ManualClock()
    trouble = Trouble(Lane.GENERAL, clock)
    for i in range(GRACE + 1):
        trouble.give_up(record(f"t{i}"))
    trouble.settled(0)
    for _ in range(100):
        clock.advance(31)
        assert trouble.may_take()
        assert not trouble.give_up(record("t0"))
        trouble.settled(0)
        assert trouble.paused
        trouble.done([record("late")])  # from before the pause: says nothing
    clock.advance(31)
    trouble.done([record("t1")])
    assert trouble.give_up(record("t0")), "it works again, so this one is at fault"


def sicken(trouble: Trouble, token: str = "bad") -> list[bool]:
    """The token's records fail until it is found sick, and three more in the same chunk; others' are done all the while."""
    given_up = []
    for _ in range(GRACE + 4):
        given_up.append(trouble.give_up(record(token)))
        trouble.done([record("good")])
    return given_up


def test_one_failing_token_is_wanted_in_quarantine_and_its_records_wait_for_that() -> None:
    trouble = Trouble(Lane.GENERAL, ManualClock())
    assert sicken(trouble) == [True] * GRACE + [False] * 4
    assert trouble.obey({b"x": Lane.OVERFLOW}) == {b"x": Lane.OVERFLOW, b"bad": Lane.QUARANTINE}
    assert not trouble.paused


def test_a_failing_token_that_cannot_be_moved_is_given_up_from_the_next_chunk_on() -> None:
    trouble = Trouble(Lane.GENERAL, ManualClock())
    sicken(trouble)
    trouble.settled(0)
    assert trouble.give_up(record("bad"))


def test_a_failing_token_is_given_up_also_when_its_route_was_refused_before() -> None:
    trouble = Trouble(Lane.GENERAL, ManualClock())
    sicken(trouble)
    trouble.settled(0)
    trouble.obey(
        {b"bad": Lane.QUARANTINE}
    )  # the controller wants it there too, but F is full: it comes here all the same
    assert trouble.give_up(record("bad"))


def test_in_a_side_lane_a_failing_tokens_records_are_dead_letters_and_it_is_reported() -> None:
    trouble = Trouble(Lane.QUARANTINE, ManualClock())
    assert all(sicken(trouble))
    assert trouble.banished == {}
    assert trouble.reports() == (Report("bad", 0, TroubleKind.FAILING),)


def test_in_a_side_lane_a_token_alone_is_no_reason_for_dead_letters() -> None:
    trouble = Trouble(Lane.OVERFLOW, ManualClock())
    given_up = [trouble.give_up(record("alone")) for _ in range(GRACE + 20)]
    assert given_up == [True] * GRACE + [False] * 20
    assert trouble.paused


def test_once_the_controller_has_written_a_route_routes_rule_again() -> None:
    clock = ManualClock()
    trouble = Trouble(Lane.GENERAL, clock)
    sicken(trouble)
    assert trouble.reports() == (Report("bad", 0, TroubleKind.FAILING),)
    assert trouble.obey({b"bad": Lane.QUARANTINE}) == {b"bad": Lane.QUARANTINE}
    assert trouble.obey({}) == {}  # restored
    clock.advance(61)
    assert trouble.reports() == ()


def test_without_a_controller_the_banishment_ends_after_ten_minutes_and_can_begin_anew() -> None:
    clock = ManualClock()
    trouble = Trouble(Lane.GENERAL, clock)
    sicken(trouble)
    clock.advance(BANISHED_S - 1)
    assert trouble.obey({}) == {b"bad": Lane.QUARANTINE}
    assert trouble.reports()
    clock.advance(2)
    assert trouble.obey({}) == {}
    trouble.settled(0)
    assert sicken(trouble)[-1] is False
    assert trouble.obey({}) == {b"bad": Lane.QUARANTINE}


def test_a_slot_that_is_taken_again_and_again_has_two_workers() -> None:
    clock = ManualClock()
    trouble = Trouble(Lane.GENERAL, clock)
    assert [trouble.fenced() for _ in range(3)] == [False, False, True]
    clock.advance(61)
    assert not trouble.fenced()
