"""What is decided about a request before its events are looked at: size, media type, token, trace. Pure."""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from ingestion.config import CaptureConfig
from ingestion.contracts.telemetry import OTHER
from slo.errors import BodyTooLarge, UnknownToken, UnsupportedMedia, UsageError

RawHeaders = Iterable[tuple[bytes, bytes]]

TOKEN_PATTERN: Final = re.compile(r"[\x21-\x7e]{1,200}")
RESERVED_TOKENS: Final = frozenset({OTHER})
"""Names that telemetry uses for its own rows."""

_TRACEPARENT: Final = re.compile(r"[0-9a-f]{2}-[0-9a-f]{32}-[0-9a-f]{16}-[0-9a-f]{2}")
_JSON_TYPE: Final = re.compile(r"application/(?:json|[\w.!#$&^+-]+\+json)")


@dataclass(frozen=True, slots=True)
class Head:
    """What a request's headers say. `token` is None when the body has to name it."""

    token: str | None
    traceparent: str | None
    length: int | None


def read_head(headers: RawHeaders, config: CaptureConfig) -> Head:
    """The request's head (names in lower case, as ASGI gives them).

    Raises BodyTooLarge (413) by Content-Length, UnsupportedMedia (415), UnknownToken (401), and UsageError (400) for a Content-Length that is no number.
    A missing Content-Type is taken as JSON; whatever is not JSON is then malformed.
    """
    bearer: bytes | None = None
    api_key: bytes | None = None
    traceparent: str | None = None
    length: int | None = None
    for name, value in headers:
        if name == b"content-length":
            length = _length(value, config.max_body_bytes)
        elif name == b"content-type":
            if value != b"application/json":
                _check_type(value)
        elif name == b"authorization":
            bearer = value
        elif name == b"x-api-key":
            api_key = value
        elif name == b"traceparent":
            text = value.decode("latin-1").strip()
            # a malformed traceparent is ignored, as W3C Trace Context asks
            traceparent = text if _TRACEPARENT.fullmatch(text) else None
        elif name == b"content-encoding" and value.strip().lower() not in {b"", b"identity"}:
            raise UnsupportedMedia(
                f"Content-Encoding {value.decode('latin-1')!r} is not supported: send the body uncompressed"
            )
    return Head(_header_token(bearer, api_key, config.tokens), traceparent, length)


def token_refused(token: str, known: tuple[str, ...] | frozenset[str]) -> str | None:
    """Why `token` cannot be used, or None. An empty `known` takes any well-formed token."""
    if TOKEN_PATTERN.fullmatch(token) is None:
        return "must be 1 to 200 printable ASCII characters without spaces"
    if token in RESERVED_TOKENS:
        return "is a reserved name"
    if known and token not in known:
        return "is not a known project key"
    return None


def too_large(limit: int) -> BodyTooLarge:
    """The refusal of a body over `limit` bytes."""
    return BodyTooLarge(f"the body is larger than {limit:,} bytes: send the events in smaller batches")


def _length(value: bytes, limit: int) -> int:
    # isdigit of bytes is ASCII only; int() alone would take "+5", "5_0" and spaces
    if not value.isdigit():
        raise UsageError(f"Content-Length {value.decode('latin-1')!r} is not a number")
    if len(value) > 18 or int(value) > limit:
        raise too_large(limit)
    return int(value)


def _check_type(value: bytes) -> None:
    media, _, parameters = value.decode("latin-1").partition(";")
    charset = re.search(r"charset\s*=\s*\"?([^\s\";]+)", parameters, re.IGNORECASE)
    if _JSON_TYPE.fullmatch(media.strip().lower()) is None:
        raise UnsupportedMedia(f"Content-Type {media.strip()!r} is not JSON: send application/json")
    if charset and charset[1].lower() not in {"utf-8", "utf8", "us-ascii"}:
        raise UnsupportedMedia(f"charset {charset[1]!r} is not supported: JSON travels as UTF-8")


def _header_token(bearer: bytes | None, api_key: bytes | None, known: tuple[str, ...]) -> str | None:
    named: str | None = None
    if bearer is not None:
        scheme, _, rest = bearer.decode("latin-1").strip().partition(" ")
        if scheme.lower() != "bearer":
            raise UnknownToken("Authorization must be `Bearer PROJECT_KEY`")
        named = rest.strip()
    if api_key is not None:
        key = api_key.decode("latin-1").strip()
        if named is not None and named != key:
            raise UnknownToken("Authorization and X-API-Key name different project keys: send one")
        named = key
    if named is not None and (reason := token_refused(named, known)) is not None:
        raise UnknownToken(f"the project key in the header {reason}")
    return named
