"""Record headers: nobody parses a payload to route it. Values are UTF-8 text.

A record of any lane carries TOKEN, DISTINCT_ID, EVENT_ID, EVENT, CAPTURED_AT and CONTRACT. A forward adds LANE_SOURCE and APPENDED_AT; a dead letter
adds the DEAD_* ones. The Kafka message key is the distinct_id (capture hashes nothing: the partitioner does).
"""

from collections.abc import Iterable, Sequence
from operator import methodcaller
from typing import Any, Final

TOKEN: Final = "token"
DISTINCT_ID: Final = "distinct_id"
EVENT_ID: Final = "event_id"
EVENT: Final = "event"
CAPTURED_AT: Final = "captured_at"
"""Milliseconds since the Unix epoch at which capture took the event."""
CONTRACT: Final = "contract"
TRACEPARENT: Final = "traceparent"

LANE_SOURCE: Final = "lane-source"
"""`topic/partition/offset` of the record in the general topic that this forward is."""
APPENDED_AT: Final = "appended_at"
"""Milliseconds: the broker's append time in the general topic, kept through a forward."""

CANARY: Final = "canary"
"""Present on the probe's own records: handled by nobody, counted apart."""
REPLAY: Final = "replay"
"""Present on records replayed from the dead letters."""
HISTORICAL: Final = "historical"
"""Present on records that the client declared as a backfill: counted apart."""

DEAD_REASON: Final = "dead-reason"
DEAD_DETAIL: Final = "dead-detail"
DEAD_LANE: Final = "dead-lane"
DEAD_SOURCE: Final = "dead-source"
"""`topic/partition/offset` of the record that was given up."""

Headers = list[tuple[str, bytes]]


_READ: Final = methodcaller("headers")


def of_all(messages: Sequence[Any]) -> list[Any]:
    """The headers of consumed messages (a list, or None); none for a message whose header names are not UTF-8.

    Reading such a message sets an exception, and afterwards gives a list that crashes the interpreter: its headers are replaced, so that nobody meets
    them again. Read by `map`, in C: bytecode that Python has specialised does not notice the exception until somewhere later.
    """
    found: list[Any] = []
    while True:
        try:
            found.extend(map(_READ, messages[len(found) :] if found else messages))
        except (UnicodeDecodeError, SystemError):
            messages[len(found)].set_headers([])
            found.append([])
        else:
            return found


def of(message: Any) -> Any:
    """The headers of one."""
    return of_all((message,))[0]


def get(headers: Iterable[tuple[str, bytes | str | None]] | None, name: str) -> str | None:
    """The first header called `name` as text, or None when it is absent, null or not UTF-8."""
    for key, value in headers or ():
        if key == name:
            if value is None or isinstance(value, str):
                return value
            try:
                return value.decode()
            except UnicodeDecodeError:
                return None
    return None
