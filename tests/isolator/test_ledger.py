"""The state writer when the coordinator does not answer."""

import threading
import time

import pytest

from isolator import ledger
from isolator.ledger import Ledger, LostOwnership


class Stuck:
    """A producer whose send_offsets_to_transaction does not come back, as librdkafka's does not when its coordinator's connection was cut."""

    def __init__(self, _: object) -> None:
        self.until = threading.Event()

    def init_transactions(self, timeout_s: float) -> None: ...

    def begin_transaction(self) -> None: ...

    def produce(self, *args: object, **own: object) -> None: ...

    def send_offsets_to_transaction(self, *args: object) -> None:
        self.until.wait(30)

    def purge(self) -> None: ...


class Member:
    """A consumer that knows its group."""

    def consumer_group_metadata(self) -> object:
        return object()


def test_a_coordinator_that_never_answers_costs_ownership_and_not_the_loop(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ledger, "Producer", Stuck)
    monkeypatch.setattr(ledger, "_GRACE_S", 0.1)
    one = Ledger({}, "p", timeout_s=0.2)
    began = time.monotonic()
    with pytest.raises(LostOwnership, match="does not answer") as lost:
        one.write([(b"k", b"v")], 0, 5, Member())  # type: ignore[arg-type]
    assert time.monotonic() - began < 5
    assert not lost.value.fenced
    one._producer.until.set()  # type: ignore[attr-defined]
    one.close()
