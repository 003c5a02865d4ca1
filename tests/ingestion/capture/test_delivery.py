"""The countdown of delivery reports."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from random import Random

from confluent_kafka import KafkaError, Message
from hypothesis import given
from hypothesis import strategies as st

from ingestion.capture.delivery import Delivery


@dataclass
class Books:
    in_flight: int = 0
    broken: bool = False
    lates: int = 0

    def late(self) -> None:
        self.lates += 1


def report_of(value: bytes) -> Message:
    return Message(topic="t", value=value)


def on_loop(body: Callable[[asyncio.AbstractEventLoop], None]) -> None:
    async def run() -> None:
        body(asyncio.get_running_loop())

    asyncio.run(run())


@given(
    st.lists(
        st.tuples(st.sampled_from([b"a", b"b", b"c"]), st.sampled_from(["ok", "failed", "silent"])),
        min_size=1,
        max_size=12,
    ),
    st.randoms(use_true_random=False),
)
def test_exactly_what_was_not_confirmed_is_named_whatever_the_order_of_reports(
    fates: list[tuple[bytes, str]], random: Random
) -> None:
    def body(loop: asyncio.AbstractEventLoop) -> None:
        books = Books()
        delivery = Delivery(books, [value for value, _ in fates], loop.create_future())
        delivery.begin(len(fates))
        assert books.in_flight == len(fates)
        shuffled = random.sample(fates, len(fates))
        for value, fate in shuffled:
            if fate != "silent":
                delivery.report(KafkaError(KafkaError._MSG_TIMED_OUT) if fate == "failed" else None, report_of(value))
        silent = sum(fate == "silent" for _, fate in fates)
        assert delivery.done.done() is (silent == 0)
        delivery.expire()
        missing = delivery.unconfirmed()
        # equal payloads are the same event: how many of each are missing is what counts
        lost = sorted(value for value, fate in fates if fate != "ok")
        assert sorted(fates[number][0] for number in missing) == lost
        assert delivery.complete is (not lost)
        assert books.in_flight == (len(fates) if silent else 0)

    on_loop(body)


def test_a_confirmation_after_the_answer_is_counted_and_frees_its_place() -> None:
    def body(loop: asyncio.AbstractEventLoop) -> None:
        books = Books()
        delivery = Delivery(books, [b"a", b"b"], loop.create_future())
        delivery.begin(2)
        delivery.report(None, report_of(b"a"))
        delivery.expire()
        assert delivery.unconfirmed() == {1: "no answer in time"}
        delivery.report(None, report_of(b"b"))
        assert (books.lates, books.in_flight) == (1, 0)

    on_loop(body)


def test_records_that_were_not_taken_are_not_waited_for() -> None:
    def body(loop: asyncio.AbstractEventLoop) -> None:
        books = Books()
        delivery = Delivery(books, [b"a", b"b"], loop.create_future())
        delivery.begin(0)
        assert delivery.done.done()
        assert books.in_flight == 0
        assert delivery.unconfirmed() == {}

    on_loop(body)


def test_a_fatal_error_asks_for_a_new_producer() -> None:
    def body(loop: asyncio.AbstractEventLoop) -> None:
        books = Books()
        delivery = Delivery(books, [b"a"], loop.create_future())
        delivery.begin(1)
        delivery.report(KafkaError(KafkaError._FATAL), report_of(b"a"))
        assert books.broken

    on_loop(body)
