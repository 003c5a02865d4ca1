"""One request's records on their way to Kafka: the countdown of delivery reports, and who is missing when it ends early."""

import asyncio
from collections import Counter
from collections.abc import Sequence
from typing import Protocol

from confluent_kafka import KafkaError, Message


class Account(Protocol):
    """Where a delivery settles: its sender."""

    in_flight: int
    broken: bool

    def late(self) -> None:
        """A record was confirmed after its request had been answered."""
        ...


class Delivery:
    """`done` resolves once: when every record has a definite outcome, or when the wait is over.

    A report names its record by the payload, which holds the event_id: equal payloads are the same event. That spares an object per record.
    """

    __slots__ = ("_account", "_confirmed", "_failed", "_left", "_values", "done", "given_up")

    def __init__(self, account: Account, values: Sequence[bytes], done: asyncio.Future[None]) -> None:
        self._account = account
        self._values = values
        self._confirmed: list[Message] = []
        self._failed: dict[bytes | None, str] = {}
        self._left = 0
        self.done = done
        self.given_up = False
        """The request was answered, or its client left, before all outcomes came."""

    def begin(self, taken: int) -> None:
        """The first `taken` records are on their way, the others were not sent."""
        self._values = self._values[:taken]
        self._left = taken
        self._account.in_flight += taken
        if not taken:
            self.done.set_result(None)

    def report(self, error: KafkaError | None, message: Message) -> None:
        """librdkafka's delivery report of one record: must stay cheap."""
        if error is not None:
            self._failed[message.value()] = error.str()
            if error.code() == KafkaError._FATAL:  # noqa: SLF001 - the client's own constant
                self._account.broken = True
        else:
            self._confirmed.append(message)
            if self.given_up:
                self._account.late()
        self._left -= 1
        if not self._left:
            self._account.in_flight -= len(self._values)
            if not self.done.done():
                self.done.set_result(None)

    @property
    def complete(self) -> bool:
        """Kafka has confirmed every record that was taken."""
        return not self._left and not self._failed

    def unconfirmed(self) -> dict[int, str]:
        """Number and reason of each record that was taken and is not known to be on the broker."""
        known = Counter(message.value() for message in self._confirmed)
        missing: dict[int, str] = {}
        for number, value in enumerate(self._values):
            if known[value]:
                known[value] -= 1
            else:
                missing[number] = self._failed.get(value, "no answer in time")
        return missing

    def expire(self) -> None:
        """Stop waiting: whatever has no outcome is unconfirmed."""
        self.given_up = True
        if not self.done.done():
            self.done.set_result(None)
