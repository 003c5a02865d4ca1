"""F (and a suspect) as offset-commit metadata: it commits atomically with the position.

Base64 of: one byte (low nibble the version, high nibble the suspect's attempts), the suspect's offset (i64) if there are attempts, then 17 bytes an
entry: token hash (u64), lane code (u8), L (i64), all big-endian. 180 entries and a suspect make 4,092 characters; the broker takes 4,095.
"""

import base64
import binascii
import struct
from dataclasses import dataclass
from typing import Final

from ingestion.contracts.names import Lane
from ingestion.lanes.fence import CAPACITY, Fence

VERSION: Final = 1
LIMIT: Final = 4_095
CAREFUL: Final = 15
"""Attempts of a mark that names no record: a batch hung, and everything up to its offset is tried record by record."""
_ENTRY: Final = struct.Struct(">QBq")
_OFFSET: Final = struct.Struct(">q")
_LANES: Final = {lane.code: lane for lane in Lane}


class UnreadableMetadata(ValueError):
    """The metadata was not written by a worker of this version: what is in flight is not known."""


@dataclass(frozen=True, slots=True)
class Suspect:
    """The record on which a handler hung, and how often."""

    offset: int
    attempts: int


def encode(fence: Fence, suspect: Suspect | None = None) -> str:
    """The metadata of one partition's commit; raises ValueError when F does not fit (callers refuse moves long before)."""
    if len(fence) > CAPACITY:
        raise ValueError(f"F has {len(fence)} entries, at most {CAPACITY} fit into the offset metadata")
    attempts = min(suspect.attempts, CAREFUL) if suspect else 0
    raw = bytes((VERSION | attempts << 4,)) + (_OFFSET.pack(suspect.offset) if suspect and attempts else b"")
    raw += b"".join(_ENTRY.pack(token, lane.code, last) for (token, lane), last in sorted(fence.entries.items()))
    return base64.b64encode(raw).decode()


def decode(metadata: str | None) -> tuple[Fence, Suspect | None]:
    """F and the suspect in a commit's metadata; raises UnreadableMetadata for anything else, empty included."""
    try:
        raw = base64.b64decode(metadata or "", validate=True)
    except (binascii.Error, ValueError) as error:
        raise UnreadableMetadata("offset metadata is not base64") from error
    if not raw or raw[0] & 0x0F != VERSION:
        raise UnreadableMetadata("offset metadata is missing or of another version")
    attempts, body, suspect = raw[0] >> 4, raw[1:], None
    if attempts:
        if len(body) < _OFFSET.size:
            raise UnreadableMetadata("offset metadata is cut short")
        suspect = Suspect(_OFFSET.unpack_from(body)[0], attempts)
        body = body[_OFFSET.size :]
    if len(body) % _ENTRY.size:
        raise UnreadableMetadata("offset metadata is cut short")
    fence = Fence()
    for token, code, last in _ENTRY.iter_unpack(body):
        lane = _LANES.get(code)
        if lane is None or lane is Lane.GENERAL or last < 0:
            raise UnreadableMetadata("offset metadata names an unknown lane or offset")
        fence.entries[token, lane] = last
    return fence, suspect
