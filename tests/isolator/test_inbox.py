"""Commands pass reports by, old reports are left out undecoded, and what waits is bounded."""

from typing import Any

import pytest

from ingestion.contracts.names import Lane
from ingestion.contracts.telemetry import Action, ArrivalReport, Command, SliCounts, WorkerReport, encode
from isolator import inbox
from isolator.inbox import Inbox

NOW = 1_700_000_000_000


class Read:
    """A message as the client gives it."""

    def __init__(self, value: bytes | None, offset: int, error: object = None) -> None:
        self._value, self._offset, self._error = value, offset, error

    def value(self) -> bytes | None:
        return self._value

    def partition(self) -> int:
        return 3

    def offset(self) -> int:
        return self._offset

    def error(self) -> Any:
        return self._error

    def timestamp(self) -> tuple[int, int]:
        return 2, NOW + self._offset


def arrivals(at_ms: int) -> bytes:
    return encode(ArrivalReport("p", at_ms, 1.0))


def command(token: str) -> bytes:
    return encode(Command("p", NOW, token, Action.MOVE, "me", token=token))


def filled(*values: bytes | None) -> tuple[Inbox, list[inbox.Item], dict[int, int]]:
    one = Inbox()
    asked, ends = one.put([Read(value, n) for n, value in enumerate(values)])  # type: ignore[misc]
    return one, asked, ends


def test_commands_come_out_at_once_in_their_order_and_reports_wait_in_theirs() -> None:
    one, asked, ends = filled(arrivals(NOW), command("a"), arrivals(NOW + 1), command("b"))
    assert [item.offset for item in asked] == [1, 3]
    assert ends == {3: 4}
    assert [item.offset for item in (one.take(NOW), one.take(NOW)) if item] == [0, 2]
    assert one.take(0) is None


def test_what_nobody_folds_only_moves_the_offset() -> None:
    one, asked, ends = filled(encode(SliCounts("p", NOW, Lane.GENERAL)), None, b"\xff", b"{}")
    assert (len(one), asked, ends) == (0, [], {3: 4})
    broken = Inbox()
    assert broken.put([Read(arrivals(NOW), 9, error="the broker is away")]) == ([], {})  # type: ignore[list-item]


def test_a_report_that_became_too_old_is_left_out_and_counted() -> None:
    one, _, _ = filled(
        arrivals(NOW - 1), encode(WorkerReport("p", NOW - 1, 1.0, Lane.GENERAL, "0", "b", 0.0)), arrivals(NOW)
    )
    item = one.take(NOW)
    assert item is not None
    assert (item.offset, item.appended_ms) == (2, NOW + 2)
    assert one.skipped == {"arrivals": 1, "worker": 1}


def test_a_report_without_a_time_in_its_head_is_left_to_decoding() -> None:
    one, _, _ = filled(b'{"v":1,"k":"worker"}')
    assert one.take(NOW) is not None


def test_what_waits_is_bounded_and_the_oldest_give_way(monkeypatch: pytest.MonkeyPatch) -> None:
    size = len(arrivals(NOW))
    monkeypatch.setattr(inbox, "MOST_BYTES", 3 * size)
    one, _, _ = filled(*(arrivals(NOW) for _ in range(5)))
    assert len(one) == 3
    assert one.skipped == {"arrivals": 2}
    first = one.take(NOW)
    assert first is not None
    assert first.offset == 2
    one.put([Read(arrivals(NOW), 5)])  # type: ignore[list-item]
    assert one.skipped == {"arrivals": 2}, "what was taken no longer counts"
