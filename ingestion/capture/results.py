"""What capture answers: accepted bodies and RFC 9457 problems, always JSON, whatever the Accept header says. Pure."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Any, Final

import orjson

from slo.errors import FairlaneError

JSON: Final = b"application/json"
PROBLEM_JSON: Final = b"application/problem+json"
PROBLEM_BASE: Final = "urn:fairlane:problem:"

RETRY_AFTER: Final = {"Retry-After": "1"}

ACCEPTED: Final = "accepted"
INVALID: Final = "invalid"
UNCONFIRMED: Final = "unconfirmed"
"""Kafka did not confirm it in time: it may or may not be there, so send it again with the same event_id."""
NOT_SENT: Final = "not_sent"
"""It was not given to Kafka: send it again."""
LIMITED: Final = "limited"
"""Its token is over its limit: send it again later, more slowly."""


@dataclass(frozen=True, slots=True)
class FieldError:
    """One thing that is wrong with an event: `path` like `events[3].distinct_id` (a single object is `events[0]`)."""

    path: str
    message: str


@dataclass(frozen=True, slots=True)
class Reply:
    """An HTTP answer."""

    status: int
    body: bytes
    content_type: bytes = JSON
    headers: tuple[tuple[bytes, bytes], ...] = ()


@dataclass(slots=True)
class Outcomes:
    """What became of each event of one request, in the request's order."""

    ids: list[str | None]
    errors: dict[int, list[FieldError]] = field(default_factory=dict)
    unconfirmed: dict[int, str] = field(default_factory=dict)
    not_sent: frozenset[int] = frozenset()
    limited: frozenset[int] = frozenset()

    def rows(self) -> list[dict[str, Any]]:
        """The `results` array: `event_id`, `status`, and `errors` or `reason` where there are any."""
        rows: list[dict[str, Any]] = []
        for index, event_id in enumerate(self.ids):
            row: dict[str, Any] = {"event_id": event_id, "status": ACCEPTED}
            if index in self.errors:
                row |= {"status": INVALID, "errors": self.errors[index]}
            elif index in self.unconfirmed:
                row |= {"status": UNCONFIRMED, "reason": self.unconfirmed[index]}
            elif index in self.not_sent:
                row["status"] = NOT_SENT
            elif index in self.limited:
                row["status"] = LIMITED
            rows.append(row)
        return rows


def accepted(outcomes: Outcomes) -> Reply:
    """202 with a result per event; the ids are UUIDs or None when any event is invalid."""
    if outcomes.errors:
        return Reply(202, orjson.dumps({"results": outcomes.rows()}))
    # ids of accepted events are UUIDs, so they need no escaping: three times faster than building rows
    middle = '","status":"accepted"},{"event_id":"'.join(outcomes.ids)  # type: ignore[arg-type]
    return Reply(202, f'{{"results":[{{"event_id":"{middle}","status":"accepted"}}]}}'.encode())


def problem(
    status: int, kind: str, title: str, detail: str, headers: Mapping[str, str] | None = None, **members: Any
) -> Reply:
    """An RFC 9457 problem: `kind` ends its type; `members` are extension members."""
    body = {"type": PROBLEM_BASE + kind, "title": title, "status": status, "detail": detail, **members}
    pairs = tuple((name.lower().encode(), value.encode()) for name, value in (headers or {}).items())
    return Reply(status, orjson.dumps(body, option=orjson.OPT_NON_STR_KEYS), PROBLEM_JSON, pairs)


def ready(topic: str, partitions: int) -> Reply:
    """200: the general lane can be written."""
    return Reply(200, orjson.dumps({"status": "ready", "topic": topic, "partitions": partitions}))


def from_error(error: FairlaneError, headers: Mapping[str, str] | None = None, **members: Any) -> Reply:
    """The problem that tells of `error`."""
    return problem(error.status, error.problem, error.title, str(error), headers, **members)


def from_status(status: int, detail: str, headers: Mapping[str, str] | None = None) -> Reply:
    """The problem for an answer that the router gives by itself (404, 405, 500)."""
    phrase = HTTPStatus(status).phrase
    return problem(status, phrase.lower().replace(" ", "-"), phrase, detail, headers)


def all_errors(errors: Mapping[int, Sequence[FieldError]]) -> list[FieldError]:
    """Every event's errors as one list, in the events' order."""
    return [error for index in sorted(errors) for error in errors[index]]
