"""Reading headers once and by position: ours come in a fixed order; others' are searched by name."""

from dataclasses import dataclass
from typing import Final

from ingestion.contracts import headers as h
from ingestion.contracts.names import CANARY_TOKEN

Headers = list[tuple[str, bytes]]

NO_TOKEN: Final = b""
"""Stands for a record that has no usable token header: it is dead-lettered."""
_CANARY_TOKEN: Final = CANARY_TOKEN.encode()
"""Stands for a canary without a token header."""


def token_of(headers: Headers | None) -> bytes:
    """The token's bytes: valid UTF-8 and not empty, else NO_TOKEN."""
    if not headers:
        return NO_TOKEN
    name, value = headers[0]
    if name != h.TOKEN:
        value = next((v for k, v in headers if k == h.TOKEN), NO_TOKEN)
        if not value and any(k == h.CANARY for k, _ in headers):
            return _CANARY_TOKEN
    return value or NO_TOKEN


def number(value: bytes | None) -> int | None:
    """A header's whole number >= 0, None when it is not one."""
    try:
        return int(value) if value is not None and len(value) <= 18 and value.isdigit() else None
    except (ValueError, AttributeError):
        return None


@dataclass(frozen=True, slots=True)
class Traits:
    """What a record's headers say beside its token. Times in Unix milliseconds."""

    captured_at: int | None = None
    appended_at: int | None = None
    source: str | None = None
    canary: bool = False
    replay: bool = False
    historical: bool = False

    @property
    def plain(self) -> bool:
        """An ordinary tenant's record, live."""
        return not (self.canary or self.replay or self.historical)


def traits(headers: Headers | None) -> Traits:
    """The slow and complete reading."""
    found: dict[str, bytes] = {}
    for name, value in headers or ():
        found.setdefault(name, value)
    source = found.get(h.LANE_SOURCE)
    return Traits(
        number(found.get(h.CAPTURED_AT)),
        number(found.get(h.APPENDED_AT)),
        source.decode(errors="replace") if source else None,
        h.CANARY in found,
        h.REPLAY in found,
        h.HISTORICAL in found,
    )


_OURS: Final = 6
_FORWARDED: Final = 8


def captured_all(headers: list[Headers]) -> list[int]:
    """captured_at of records that have just our six headers in our order; negative for those that do not (use `traits`)."""
    name = h.CAPTURED_AT
    try:
        return [int(own[4][1]) if own and len(own) == _OURS and own[4][0] == name else -1 for own in headers]
    except (ValueError, TypeError):  # somebody's value is no number: find out whose, slowly
        return [-1] * len(headers)


def captured_forwards(headers: list[Headers]) -> tuple[list[int], list[int]]:
    """captured_at and appended_at of forwards that have just our headers in our order; negative for those that do not."""
    captured_at, appended_at = h.CAPTURED_AT, h.APPENDED_AT
    try:
        fit = [
            own and len(own) == _FORWARDED and own[4][0] == captured_at and own[7][0] == appended_at for own in headers
        ]
        captured = [int(own[4][1]) if ok else -1 for own, ok in zip(headers, fit, strict=True)]
        appended = [int(own[7][1]) if ok else -1 for own, ok in zip(headers, fit, strict=True)]
    except (ValueError, TypeError):
        return [-1] * len(headers), [-1] * len(headers)
    return captured, appended
