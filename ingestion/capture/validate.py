"""From a parsed body to records for Kafka: every event checked, every error with its exact path. Pure.

An event is an object with `event` and `distinct_id` (1 to 200 characters each), and optionally `properties` (object), `event_id` (UUID; made here when absent),
`timestamp` (ISO 8601) and `token`. Other fields travel unchanged in the payload. As JSON leaves it open: of duplicate keys the last one wins, and integers beyond 64 bits become floating-point numbers.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Final

import orjson

from ingestion.capture.limits import token_refused
from ingestion.capture.results import FieldError
from ingestion.contracts import headers as names
from ingestion.contracts.names import CONTRACT_VERSION
from slo.errors import BodyTooLarge, InvalidEvent, UsageError

TEXT_LIMIT: Final = 200
"""Characters of `event` and `distinct_id`."""
HISTORICAL_AFTER_MS: Final = 24 * 3600 * 1000
"""An event whose own `timestamp` is older than this is a backfill: counted apart from the SLO."""
PATHS_SHOWN: Final = 10
"""NUL characters that are reported per event."""

_UUID: Final = re.compile(r"[0-9a-fA-F]{8}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{12}").fullmatch
_CONTRACT_HEADER: Final = (names.CONTRACT, str(CONTRACT_VERSION))
_HISTORICAL_HEADER: Final = (names.HISTORICAL, "1")
_NOTHING: Final[dict[str, Any]] = {}
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)

Headers = list[tuple[str, str | bytes | None]]


@dataclass(frozen=True, slots=True)
class Rules:
    """What events are held against."""

    max_event_bytes: int
    max_batch: int
    tokens: frozenset[str]
    new_id: Callable[[], str]
    """Makes an event_id (UUIDv7)."""


@dataclass(slots=True)
class Batch:
    """One request's events. The lists `positions`, `keys`, `values`, `headers` run in step, one entry per valid event; `ids` has one per event of the request."""

    ids: list[str | None]
    positions: list[int] = field(default_factory=list)
    keys: list[str] = field(default_factory=list)
    values: list[bytes] = field(default_factory=list)
    headers: list[Headers] = field(default_factory=list)
    errors: dict[int, list[FieldError]] = field(default_factory=dict)
    without_token: int = 0
    """Events that name no project key that is known."""


def parse(body: bytes | bytearray, max_batch: int) -> list[Any]:
    """The events in `body`: a JSON array of them, or a single object.

    Raises UsageError (400) for malformed JSON, with the place; InvalidEvent (422) when it is neither object nor array, or empty; BodyTooLarge (413) for more than `max_batch` events.
    """
    try:
        parsed = orjson.loads(body)
    except orjson.JSONDecodeError as error:
        raise UsageError(f"the body is not valid JSON: {error}") from None
    if type(parsed) is dict:
        return [parsed]
    if type(parsed) is not list:
        raise InvalidEvent(f"events: must be an object or an array of objects, not {_kind(parsed)}")
    if not parsed:
        raise InvalidEvent("events: the array is empty; send at least one event")
    if len(parsed) > max_batch:
        raise BodyTooLarge(f"the array holds {len(parsed):,} events, the limit is {max_batch:,}: send smaller batches")
    return parsed


def check(
    events: list[Any], rules: Rules, *, token: str | None, traceparent: str | None, now_ms: int, nul: bool
) -> Batch:
    """Check every event and build the records of the valid ones; `events` are changed in place.

    `token` is the request's own (already accepted) or None. `nul` tells that the body holds an escaped NUL somewhere: only then are all strings searched for it.
    """
    batch = Batch(ids=[None] * len(events))
    captured = (names.CAPTURED_AT, str(now_ms))
    tail: Headers = [(names.TRACEPARENT, traceparent)] if traceparent else []
    usable = set() if token is None else {token}
    dumps, is_uuid, new_id, historical_before = orjson.dumps, _UUID, rules.new_id, now_ms - HISTORICAL_AFTER_MS
    for index, event in enumerate(events):
        if type(event) is not dict:
            batch.errors[index] = [FieldError(f"events[{index}]", f"must be an object, not {_kind(event)}")]
            continue
        get = event.get
        # the hot path: everything is as it should be, told in one expression; _diagnose says the same in words
        name: Any = get("event")
        who: Any = get("distinct_id")
        event_id: Any = get("event_id")
        own: Any = get("token", token)
        stamp = get("timestamp")
        if not (
            type(name) is str
            and 0 < len(name) <= TEXT_LIMIT
            and type(who) is str
            and 0 < len(who) <= TEXT_LIMIT
            and (event_id is None or (type(event_id) is str and is_uuid(event_id)))
            and type(get("properties", _NOTHING)) is dict
            and type(own) is str
            and own in usable
            and stamp is None
            and not nul
        ):
            errors = _diagnose(event, f"events[{index}]", token, rules.tokens, nul=nul)
            if errors:
                batch.errors[index] = errors
                batch.without_token += _without_token(event, token, rules.tokens)
                batch.ids[index] = event_id.lower() if _is_event_id(event_id) else None
                continue
            own = token if token is not None else own
            usable.add(own)
        event["token"] = own
        event["event_id"] = event_id = new_id() if event_id is None else event_id.lower()
        try:
            value = dumps(event)
        except TypeError:
            # parsing allows 1,024 levels, writing 254
            batch.errors[index] = [FieldError(f"events[{index}]", "is nested too deeply: 250 levels at most")]
            continue
        if len(value) > rules.max_event_bytes:
            text = f"takes {len(value):,} bytes, the limit is {rules.max_event_bytes:,}"
            batch.errors[index] = [FieldError(f"events[{index}]", text)]
            continue
        batch.ids[index] = event_id
        batch.positions.append(index)
        batch.keys.append(who)
        batch.values.append(value)
        row: Headers = [
            (names.TOKEN, own),
            (names.DISTINCT_ID, who),
            (names.EVENT_ID, event_id),
            (names.EVENT, name),
            captured,
            _CONTRACT_HEADER,
            *tail,
        ]
        if stamp is not None and (_stamp_ms(stamp) or 0) < historical_before:
            row.append(_HISTORICAL_HEADER)
        batch.headers.append(row)
    return batch


def _diagnose(
    event: dict[str, Any], path: str, token: str | None, known: frozenset[str], *, nul: bool
) -> list[FieldError]:
    """Everything that is wrong with an event; empty when nothing is."""
    errors: list[FieldError] = []
    own = event.get("token")
    if own is None:
        if token is None:
            errors.append(
                FieldError(f"{path}.token", "is missing: name the project key here or in the Authorization header")
            )
    elif type(own) is not str:
        errors.append(FieldError(f"{path}.token", f"must be a string, not {_kind(own)}"))
    elif token is not None:
        if own != token:
            errors.append(FieldError(f"{path}.token", "differs from the project key in the request's header"))
    elif (reason := token_refused(own, known)) is not None:
        errors.append(FieldError(f"{path}.token", reason))
    errors += [error for name in ("event", "distinct_id") if (error := _text_error(path, name, event)) is not None]
    event_id = event.get("event_id")
    if event_id is not None and not _is_event_id(event_id):
        errors.append(FieldError(f"{path}.event_id", "must be a UUID like 01890a5d-ac96-774b-bcce-b302099a8057"))
    properties = event.get("properties")
    if properties is not None and type(properties) is not dict:
        errors.append(FieldError(f"{path}.properties", f"must be an object, not {_kind(properties)}"))
    stamp = event.get("timestamp")
    if stamp is not None and _stamp_ms(stamp) is None:
        errors.append(FieldError(f"{path}.timestamp", "must be an ISO 8601 time like 2026-01-31T12:00:00Z"))
    if nul:
        errors += [FieldError(at, "holds a NUL character (U+0000)") for at in _nul_paths(event, path)]
    return errors


def _without_token(event: dict[str, Any], token: str | None, known: frozenset[str]) -> bool:
    """Does the event name no project key that can be used? (A token of the wrong type is a wrong event instead.)"""
    own = event.get("token")
    return token is None and (own is None or (type(own) is str and token_refused(own, known) is not None))


def _is_event_id(value: object) -> bool:
    return type(value) is str and _UUID(value) is not None


def _text_error(path: str, name: str, event: dict[str, Any]) -> FieldError | None:
    value = event.get(name)
    if type(value) is str:
        if 0 < len(value) <= TEXT_LIMIT:
            return None
        return FieldError(
            f"{path}.{name}", f"has {len(value):,} characters, the limit is {TEXT_LIMIT}" if value else "is empty"
        )
    return FieldError(f"{path}.{name}", f"must be a string, not {_kind(value)}" if name in event else "is missing")


def _stamp_ms(stamp: object) -> int | None:
    if type(stamp) is not str:
        return None
    try:
        at = datetime.fromisoformat(stamp)
        at = at if at.tzinfo else at.replace(tzinfo=UTC)
        return int((at - _EPOCH).total_seconds() * 1000)
    except (ValueError, OverflowError):
        return None


_Link = tuple["_Link | None", str]
"""A path as a chain to its parent: text is built only for what is reported, so that hostile nesting costs no memory."""


def _nul_paths(value: object, root: str) -> list[str]:
    """Paths of the strings (values and keys) under `value` that hold U+0000, at most PATHS_SHOWN; iterative, as input may nest 1,024 deep."""
    found: list[str] = []
    stack: list[tuple[object, _Link]] = [(value, (None, root))]
    while stack and len(found) < PATHS_SHOWN:
        node, at = stack.pop()
        if type(node) is str:
            if "\0" in node:
                found.append(_text(at))
        elif type(node) is dict:
            if any("\0" in key for key in node):
                found.append(f"{_text(at)} (a key)")
            stack.extend((child, (at, f".{key}")) for key, child in node.items() if "\0" not in key)
        elif type(node) is list:
            stack.extend((child, (at, f"[{i}]")) for i, child in enumerate(node))
    return sorted(found)


def _text(link: _Link | None) -> str:
    parts: list[str] = []
    while link is not None:
        link, part = link
        parts.append(part)
    text = "".join(reversed(parts))
    return text if len(text) <= 300 else f"{text[:200]}...{text[-90:]}"


def _kind(value: object) -> str:
    """The JSON name of a value's type."""
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "a boolean"
    if isinstance(value, int | float):
        return "a number"
    return "a string" if isinstance(value, str) else "an array" if isinstance(value, list) else "an object"
