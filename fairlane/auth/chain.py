"""The chain of the audit log: every entry's hash covers the entry and the hash before it, so nothing can be edited, removed or reordered unseen. Pure.

    hash(n) = SHA-256( "fairlane-audit-1" LF hash(n-1) LF canonical(n) )

`canonical` is JSON in UTF-8 with sorted keys, no white space and no escapes beyond JSON's own, of the eight members of `Entry`; the hash before the first is 64 zeros. Numbers start at 1
and have no gaps. The head (number and hash of the newest entry) is kept apart, so that a log whose end was cut off is seen too.
"""

import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, fields
from datetime import UTC, datetime
from typing import Any, Final

import orjson

GENESIS: Final = "0" * 64
DOMAIN: Final = b"fairlane-audit-1"
MOST_TEXT: Final = 1000
"""Characters of one text at most; longer ones are cut."""


@dataclass(frozen=True, slots=True)
class Entry:
    """Something that somebody did. `at_ms` is when it was done (Unix ms), `outcome` is `ok`, `refused` or `failed`."""

    seq: int
    at_ms: int
    actor: str
    via: str
    action: str
    target: str
    outcome: str
    details: Mapping[str, str]

    def text(self) -> str:
        """For people: what it is about."""
        about = f" {self.target}" if self.target else ""
        return f"{utc(self.at_ms)}, {self.action}{about} by {self.actor}"


@dataclass(frozen=True, slots=True)
class Link:
    """An entry in its place in the chain."""

    entry: Entry
    previous: str
    hash: str

    def line(self) -> bytes:
        """As one line of an export."""
        return orjson.dumps(
            {**asdict(self.entry), "previous": self.previous, "hash": self.hash}, option=orjson.OPT_SORT_KEYS
        )


@dataclass(frozen=True, slots=True)
class Head:
    """The newest entry's number and hash."""

    seq: int = 0
    hash: str = GENESIS

    def __str__(self) -> str:
        return f"{self.seq}:{self.hash}"


def canonical(entry: Entry) -> bytes:
    """The bytes that are hashed."""
    return orjson.dumps(asdict(entry), option=orjson.OPT_SORT_KEYS)


def hash_of(entry: Entry, previous: str) -> str:
    """The entry's hash after `previous`, in hex."""
    return hashlib.sha256(b"\n".join((DOMAIN, previous.encode(), canonical(entry)))).hexdigest()


def link(entry: Entry, head: Head) -> Link:
    """The entry as the one after `head`; its number is ignored."""
    placed = Entry(**{**asdict(entry), "seq": head.seq + 1})
    return Link(placed, head.hash, hash_of(placed, head.hash))


def clean(text: str) -> str:
    """A text that every database and every reader of JSON takes: no lone surrogates, no control characters, not too long.

    >>> clean("a" + chr(0) + "b" + chr(0xD800)), len(clean("x" * 2000))
    ('a�b?', 1000)
    """
    sound = text.encode("utf-8", "replace").decode()
    printed = "".join(c if c >= " " and c != "\x7f" else " " if c in "\t\r\n" else "�" for c in sound)
    return printed if len(printed) <= MOST_TEXT else printed[: MOST_TEXT - 1] + "…"


def read(line: bytes) -> Link:
    """A link from a line of an export. Raises ValueError when it is not one."""
    try:
        raw: dict[str, Any] = orjson.loads(line)
        previous, own = raw.pop("previous"), raw.pop("hash")
        numbers, details = {"seq", "at_ms"}, raw.get("details")
        sound = all(
            type(value) is (int if name in numbers else str) for name, value in raw.items() if name != "details"
        )
        if set(raw) != {f.name for f in fields(Entry)} or not sound or not isinstance(details, dict):
            raise ValueError("its members are not those of an entry")
        return Link(Entry(**raw), str(previous), str(own))
    except (KeyError, TypeError, AttributeError, orjson.JSONDecodeError) as error:
        raise ValueError(f"not an entry of the audit log ({error})") from error


def fault(links: Iterable[Link], head: Head | None, anchors: Mapping[int, str] | None = None) -> str:
    """What is wrong with a chain from its first entry, and where; "" when nothing is.

    `head` is what was kept of the newest entry (None: nothing was, so a cut end cannot be seen). `anchors` (number to hash) are heads that were written down elsewhere
    at some time: with them even a log that was rewritten as a whole is seen.
    """
    at = Head()
    owed = dict(anchors or {})
    for one in links:
        entry = one.entry
        here = f"entry {entry.seq} ({entry.text()})"
        if entry.seq != at.seq + 1:
            lost = f"entry {at.seq + 1} is missing" if entry.seq > at.seq + 1 else "it stands twice"
            return f"{here}: {lost}; entries were removed or reordered here"
        edited = hash_of(entry, one.previous) != one.hash
        if one.previous != at.hash:
            return f"{here}: it does not follow entry {at.seq}: one of the two was replaced, removed or reordered"
        if edited:
            return f"{here}: it was edited: its hash is not that of what it says"
        if owed.pop(entry.seq, one.hash) != one.hash:
            return f"{here}: its hash is not the one that was written down: the log was rewritten up to here or earlier"
        at = Head(entry.seq, one.hash)
    if head is not None and head.seq > at.seq:
        gone = head.seq - at.seq
        lost = "the newest entry is" if gone == 1 else f"the newest {gone} entries are"
        return f"after entry {at.seq}: {lost} missing: the kept head says {head.seq}"
    if head is not None and head != at:
        return f"entry {at.seq}: it is not what the kept head says ({head.seq}, {head.hash[:12]}…): entries were added or replaced at the end"
    if owed:
        return f"after entry {at.seq}: entry {min(owed)}, whose hash was written down, is missing"
    return ""


def utc(at_ms: int) -> str:
    """The moment as text; what is no moment stays a number."""
    try:
        return datetime.fromtimestamp(at_ms / 1000, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    except (OverflowError, ValueError, OSError):
        return str(at_ms)
