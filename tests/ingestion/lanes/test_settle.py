"""What becomes of every record, whatever the handler does."""

import threading
import time
from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ingestion.contracts.names import Lane
from ingestion.contracts.records import Done, Invalid, Record, Retry
from ingestion.lanes.handler import PerRecord
from ingestion.lanes.settle import BEHIND_DEAD, NOT_REACHED, Failed, NotReached, Settler, check
from slo.clock import ManualClock, SystemClock
from slo.errors import HandlerError


def record(offset: int, key: str = "k", partition: int = 0) -> Record:
    return Record(
        Lane.GENERAL, "p.general", partition, offset, "acme", key, f"e{offset}", "click", 0, 0, f"p.general/{partition}/{offset}", key.encode(), b"{}"
    )  # fmt: skip


class Scripted:
    """Raises for batches that hold a poisonous offset, as a sink would; remembers what it applied."""

    def __init__(self, poison=(), retry=()) -> None:
        self.poison, self.retry = set(poison), set(retry)
        self.applied: list[int] = []
        self.calls = 0

    def handle(self, batch):
        self.calls += 1
        if any(r.offset in self.poison for r in batch):
            raise RuntimeError(f"cannot store {[r.offset for r in batch if r.offset in self.poison]}")
        outcomes, stopped = [], False
        for r in batch:
            stopped = stopped or r.offset in self.retry
            if stopped:
                outcomes.append(Retry(0.2))
            else:
                self.applied.append(r.offset)
                outcomes.append(Done())
        return outcomes


def settle(handler, batch, *, give_up=lambda _: True, clock=None):
    return Settler(handler, clock or ManualClock(), give_up, lambda _: None).settle(batch)


@given(st.sets(st.integers(0, 19)))
def test_exactly_the_poisonous_records_fail_and_the_others_are_done_in_order(poison) -> None:
    handler, left = Scripted(poison), list(range(20))
    failed = []
    while left:  # a turn each: behind a dead letter nothing is handled before it is committed
        settled = settle(handler, [record(i) for i in left])
        reached = [s for s in settled if s is not BEHIND_DEAD]
        assert settled == reached + [BEHIND_DEAD] * (len(left) - len(reached))
        assert [isinstance(s, Failed) for s in reached] == [i in poison for i in left[: len(reached)]]
        assert sum(isinstance(s, Failed) for s in reached) <= 1
        failed += [i for i, s in zip(left, reached, strict=False) if isinstance(s, Failed)]
        del left[: len(reached)]
    assert failed == sorted(poison)
    assert handler.applied == [i for i in range(20) if i not in poison]


def test_a_dead_letter_in_one_partition_does_not_stop_another() -> None:
    batch = [record(0), record(7, partition=1), record(1), record(8, partition=1)]
    settled = settle(Scripted({0}), batch)
    assert [type(s) for s in settled] == [Failed, Done, type(NOT_REACHED), Done]
    assert settled[2] == BEHIND_DEAD


def test_a_function_of_one_record_that_raises_costs_its_neighbours_nothing() -> None:
    calls: Counter[int] = Counter()

    def one(record: Record) -> None:
        calls[record.offset] += 1
        if record.offset in {3, 14} or (record.offset == 8 and calls[8] < 3):
            raise RuntimeError("cannot")

    batch = [record(i, partition=i // 10) for i in range(20)]
    settled = settle(PerRecord(one, "one"), batch)
    assert calls == {**dict.fromkeys([*range(3), *range(10, 14)], 1), 3: 3, 14: 3}
    kinds = [type(s) for s in settled]
    assert kinds == [Done] * 3 + [Failed] + [NotReached] * 6 + [Done] * 4 + [Failed] + [NotReached] * 5
    again = settle(PerRecord(one, "one"), batch[4:10])
    assert [type(s) for s in again] == [Done] * 6
    assert calls[8] == 3
    assert all(calls[i] == 1 for i in (4, 5, 6, 7, 9))


def test_a_failing_record_is_tried_three_times() -> None:
    handler = Scripted({0})
    assert settle(handler, [record(0)]) == [Failed("RuntimeError: cannot store [0]")]
    assert handler.calls == 3


def test_a_record_that_works_at_the_second_try_is_done() -> None:
    handler = Scripted({0})

    def heal(_: float) -> None:
        handler.poison.clear()

    assert Settler(handler, ManualClock(), lambda _: True, heal).settle([record(0)]) == [Done(0.0)]


@given(st.integers(0, 9), st.sets(st.integers(0, 9), max_size=3))
def test_nothing_of_a_partition_is_applied_behind_its_retry_even_while_bisecting(retry, poison) -> None:
    handler = Scripted(poison, {retry} - poison)
    batch = [record(i) for i in range(10)]
    settled = settle(handler, batch)
    if retry not in poison:
        assert all(i < min({retry, *poison}) for i in handler.applied)
        assert all(isinstance(s, Retry | NotReached) for s in settled[retry:])


def test_a_retry_in_one_partition_does_not_stop_another() -> None:
    class Half:
        def handle(self, batch):
            if len(batch) > 1:
                raise RuntimeError("one by one, please")
            return [Retry() if batch[0].offset == 0 and batch[0].partition == 0 else Done()]

    settled = settle(Half(), [record(0), record(0, partition=1), record(1), record(1, partition=1)])
    assert [type(s) for s in settled] == [Retry, Done, type(NOT_REACHED), Done]


def test_a_wrong_number_of_outcomes_is_an_error_of_the_batch_with_a_clear_message() -> None:
    class Short:
        def handle(self, batch):
            return [Done()] * (len(batch) - 1)

    settled = settle(Short(), [record(0), record(1, partition=1)])
    assert all(isinstance(s, Failed) and "0 outcomes for 1 records" in s.error for s in settled)


@pytest.mark.parametrize("answer", [None, 3, "done", [None, None], [Done, Done], [True, False]])
def test_an_answer_that_is_no_list_of_outcomes_is_refused(answer) -> None:
    with pytest.raises(HandlerError, match=r"return|use"):
        check(answer, 2)


def test_when_the_handler_is_at_fault_the_partition_waits_instead_of_emptying_into_the_dead_letters() -> None:
    settled = settle(Scripted({2, 3}), [record(i) for i in range(5)], give_up=lambda _: False)
    assert [type(s) for s in settled] == [Done, Done, Retry, type(NOT_REACHED), type(NOT_REACHED)]


def test_costs_add_up_to_the_handlers_seconds() -> None:
    clock = ManualClock()

    class Slow:
        def handle(self, batch):
            clock.advance(1.0)
            return [Done(0.6), Done(), Invalid("no")]

    settled = settle(Slow(), [record(i) for i in range(3)], clock=clock)
    assert settled[0].cost == pytest.approx(0.6 + 0.4 / 3)
    assert settled[1].cost == pytest.approx(0.4 / 3)


def test_an_exception_that_is_not_an_error_still_ends_the_chunk() -> None:
    from ingestion.lanes.handling import Handling

    class Leaves:
        def handle(self, batch):
            raise SystemExit(3)

    handling = Handling(Leaves(), 1, SystemClock(), lambda _: True, "t")
    job = handling.start([record(0)])
    assert job.wait(5.0)
    assert isinstance(job.crash, SystemExit)
    handling.close()


def test_parallel_threads_keep_every_keys_order() -> None:
    from ingestion.lanes.handling import Handling

    lock, seen = threading.Lock(), []

    class Notes:
        def handle(self, batch):
            with lock:
                seen.extend((r.key, r.offset) for r in batch)
            return [Done()] * len(batch)

    handling = Handling(Notes(), 4, SystemClock(), lambda _: True, "t")
    batch = [record(i, f"k{i % 13}") for i in range(500)]
    job = handling.start(batch)
    assert job.wait(5.0)
    handling.close()
    assert all(isinstance(s, Done) for s in job.settled)
    assert len(seen) == 500
    for key in {k for k, _ in seen}:
        offsets = [o for k, o in seen if k == key]
        assert offsets == sorted(offsets)


@pytest.mark.parametrize(
    "outcome", [Invalid(None), Invalid(ValueError("x")), Retry(None), Retry(float("nan")), Done(-1.0), Done("1")]
)
def test_an_outcome_of_the_wrong_make_is_the_handlers_error(outcome) -> None:
    with pytest.raises(HandlerError):
        check([outcome], 1)


def test_what_is_in_flight_is_one_call_not_the_whole_batch() -> None:
    from ingestion.lanes.handling import Flight, Handling

    clock, entered, release = ManualClock(), threading.Event(), threading.Event()

    class Poisoned:
        """Raises for batches; of single records it hangs on the last."""

        def handle(self, batch):
            if len(batch) > 1:
                clock.advance(50.0)
                raise RuntimeError("poison")
            if batch[0].offset == 3:
                entered.set()
                release.wait(10)
            return [Done()]

    handling = Handling(Poisoned(), 1, clock, lambda _: True, "t")
    job = handling.start([record(i) for i in range(4)])
    assert entered.wait(5.0)
    clock.advance(2.0)
    assert handling.flights(job) == [Flight(record(3), [record(3)], 2.0)]
    assert handling.waited(job) == 0.0
    queued = handling.start([record(9)])
    clock.advance(1.0)
    assert (handling.flights(queued), handling.waited(queued)) == ([], 1.0)
    release.set()
    assert queued.wait(5.0)
    assert (handling.flights(queued), handling.waited(queued)) == ([], 0.0)
    handling.close()


def test_many_stuck_threads_hold_nobody_up_when_leaving() -> None:
    from ingestion.lanes.handling import Handling

    release = threading.Event()

    class Stuck:
        def handle(self, batch):
            release.wait(30)
            return [Done()] * len(batch)

    handling = Handling(Stuck(), 8, SystemClock(), lambda _: True, "t")
    handling.start([record(i, f"k{i}") for i in range(100)])
    start = time.monotonic()
    handling.close()
    assert time.monotonic() - start < 3
    release.set()


@pytest.mark.parametrize("concurrency", [1, 4])
def test_a_chunk_of_forwards_alone_never_calls_the_handler(concurrency) -> None:
    from ingestion.lanes.handling import Handling

    class Never:
        def handle(self, batch):
            raise AssertionError("there is nothing to handle")

    handling = Handling(Never(), concurrency, SystemClock(), lambda _: True, "t")
    job = handling.start([])
    assert job.wait(1.0)
    handling.close()
    assert (job.crash, job.errors, job.settled) == (None, 0, [])
