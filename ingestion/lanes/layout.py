"""Reading headers once and by position: ours come in a fixed order; others' are searched by name."""

from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

from ingestion.contracts import headers as h
from ingestion.contracts.names import CANARY_TOKEN

Headers = list[tuple[str, bytes]]
Ints = npt.NDArray[np.int64]

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
_DIGITS: Final = 13
_POWERS: Final = 10 ** np.arange(_DIGITS - 1, -1, -1, dtype=np.int64)


def captured_texts(headers: list[Headers]) -> list[bytes]:
    """captured_at of records that have just our six headers in our order, as it stands there; empty for those that do not (use `traits`)."""
    name = h.CAPTURED_AT
    return [own[4][1] if own and len(own) == _OURS and own[4][0] == name else b"" for own in headers]


def milliseconds(texts: list[bytes]) -> Ints:
    """Decimal numbers as integers, -1 for what is none. Times of 13 digits (until the year 2286) are read all at once."""
    try:
        joined = b"".join(texts)
    except TypeError:  # a null among them
        joined = b""
    if len(joined) == _DIGITS * len(texts) and joined.isdigit() and set(map(len, texts)) == {_DIGITS}:
        return (np.frombuffer(joined, dtype=np.uint8).reshape(-1, _DIGITS).astype(np.int64) - 48) @ _POWERS
    found = [number(text) for text in texts]
    return np.array([-1 if one is None else one for one in found], dtype=np.int64)


def captured_forwards(headers: list[Headers]) -> tuple[Ints, Ints]:
    """captured_at and appended_at of forwards that have just our headers in our order; -1 for those that do not."""
    captured, appended = h.CAPTURED_AT, h.APPENDED_AT
    fit = [own and len(own) == _FORWARDED and own[4][0] == captured and own[7][0] == appended for own in headers]
    return (
        milliseconds([own[4][1] if ok else b"" for own, ok in zip(headers, fit, strict=True)]),
        milliseconds([own[7][1] if ok else b"" for own, ok in zip(headers, fit, strict=True)]),
    )
