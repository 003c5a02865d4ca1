"""What came from `fairlane.telemetry`, sorted: commands apart, so that nobody's order waits behind reports, which queue up to be folded.

Reports that have become too old in the queue are left out, undecoded: with them a controller that fell behind would stay behind.
"""

import re
from collections import Counter, deque
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from confluent_kafka import TIMESTAMP_NOT_AVAILABLE, Message

from ingestion.contracts.telemetry import kind_of

REPORTS: Final = frozenset({"worker", "arrivals", "probe"})
COMMAND: Final = "command"
MOST_BYTES: Final = 96_000_000
"""Reports that wait at most; the oldest give way. More than ten seconds of a very large pipeline."""
_HEAD: Final = 300
_AT_MS: Final = re.compile(rb'"at_ms":(\d{1,15})')


@dataclass(frozen=True, slots=True)
class Item:
    """One message. `at_ms` is the reporter's time, `appended_ms` the broker's, 0 when it told none."""

    partition: int
    offset: int
    kind: str
    value: bytes
    at_ms: int
    appended_ms: int


class Inbox:
    """The reports that wait, in the order of their offsets. `skipped` counts those that were left out, by kind."""

    def __init__(self) -> None:
        self._reports: deque[Item] = deque()
        self._bytes = 0
        self.skipped: Counter[str] = Counter()

    def __len__(self) -> int:
        return len(self._reports)

    def put(self, messages: Sequence[Message]) -> tuple[list[Item], dict[int, int]]:
        """Take what was read. Returns the commands in it, and the offset behind the last message of each partition; the client's errors are no messages."""
        commands: list[Item] = []
        ends: dict[int, int] = {}
        for message in messages:
            partition, offset = message.partition(), message.offset()
            if message.error() is not None or partition is None or offset is None:
                continue
            ends[partition] = offset + 1
            value = message.value() or b""
            kind = kind_of(value)
            if kind not in REPORTS and kind != COMMAND:
                continue
            stamp, appended_ms = message.timestamp()
            appended_ms = 0 if stamp == TIMESTAMP_NOT_AVAILABLE else appended_ms
            item = Item(partition, offset, kind, value, _at_ms(value), appended_ms)
            if kind == COMMAND:
                commands.append(item)
            else:
                self._reports.append(item)
                self._bytes += len(value)
        while self._bytes > MOST_BYTES:
            self._leave_out()
        return commands, ends

    def take(self, oldest_ms: int) -> Item | None:
        """The next report whose own time is not before `oldest_ms`; None when there is none."""
        while self._reports and self._reports[0].at_ms < oldest_ms:
            self._leave_out()
        if not self._reports:
            return None
        item = self._reports.popleft()
        self._bytes -= len(item.value)
        return item

    def _leave_out(self) -> None:
        item = self._reports.popleft()
        self._bytes -= len(item.value)
        self.skipped[item.kind] += 1


def _at_ms(value: bytes) -> int:
    """The report's own time without decoding it; far in the future when it does not stand in the head, so that decoding decides."""
    found = _AT_MS.search(value, 0, _HEAD)
    return int(found[1]) if found else 1 << 62
