"""Baselines as state records under `snapshot/PIPELINE/N`: compressed chunks, each well under a broker's 1 MB, written in one transaction.

Chunks from 0 on hold the tokens with the most work; they are all written at each snapshot. Chunk HOURS + h holds hour h of the week, written once it was learned.
"""

import base64
import math
import zlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import orjson

from isolator.builds import BuildBook
from isolator.hours import BUCKETS, Bucket
from isolator.interner import Floats
from isolator.sums import Sums

VERSION: Final = 2
"""1 held numbers as JSON rows, and neither hours nor builds; it is still read."""
LIMIT: Final = 900_000
"""Bytes of one record's value at most."""
ROWS: Final = 10_000
KEEP: Final = 50_000
"""Tokens with the most work that are kept; the rest start again from the population's mean."""
LEAST_EVENTS: Final = 0.5
HOURS: Final = 1000
"""Number of the first hour's chunk."""


def encode(sums: Sums, names: Sequence[str], at_ms: int, builds: BuildBook | None = None) -> list[bytes]:
    """The chunks of the tokens, in order. Nothing learned gives one chunk without rows."""
    size = min(len(names), len(sums))
    rows = np.flatnonzero(sums.events[:size] + sums.handled[:size] > LEAST_EVENTS)
    if len(rows) > KEEP:
        rows = np.sort(rows[np.argpartition(-sums.work[rows], KEEP)[:KEEP]])
    numbers = sums.of(rows).T
    head = {
        "v": VERSION,
        "at_ms": at_ms,
        "learned_s": sums.learned_s,
        "ticks": sums.ticks,
        "all_events": sums.all_events,
        "active_s": sums.active_s,
        "warm": sums.warm,
        "builds": (builds or BuildBook()).as_dict(),
    }
    chunks: list[bytes] = []
    for start in range(0, max(len(rows), 1), ROWS):
        part = slice(start, start + ROWS)
        chunks += _pack(head, [names[i] for i in rows[part].tolist()], numbers[part])
    return chunks


def _pack(head: Mapping[str, Any], names: list[str], numbers: Floats) -> list[bytes]:
    packed = zlib.compress(orjson.dumps({**head, "names": names, "numbers": _text(numbers)}), 1)
    if len(packed) <= LIMIT or len(names) <= 1:
        return [packed]
    half = len(names) // 2
    return _pack(head, names[:half], numbers[:half]) + _pack(head, names[half:], numbers[half:])


def encode_hour(bucket: Bucket, at_ms: int) -> bytes:
    """An hour's chunk: a thousand tokens at most, some 20 kB."""
    numbers = np.column_stack((bucket.seconds, bucket.events, bucket.handled, bucket.work))
    body = {
        "v": VERSION,
        "at_ms": at_ms,
        "hour": bucket.number,
        "all_seconds": bucket.all_seconds,
        "all_events": bucket.all_events,
        "names": bucket.tokens,
        "numbers": _text(numbers),
    }
    return zlib.compress(orjson.dumps(body), 1)


def _text(numbers: Floats) -> str:
    return base64.b64encode(np.ascontiguousarray(numbers, dtype="<f4").tobytes()).decode()


def _numbers(text: str, rows: int) -> Floats:
    return np.frombuffer(base64.b64decode(text, validate=True), dtype="<f4").astype(np.float64).reshape(rows, 4)


@dataclass(frozen=True, slots=True)
class _Tokens:
    """One chunk of tokens: `numbers` (names, 4), and what it says of the whole."""

    at_ms: int
    names: list[str]
    numbers: Floats
    since: tuple[float, float, float, float]
    warm: bool
    builds: dict[str, tuple[float, float]]


def taken_ms(chunks: Iterable[bytes]) -> int:
    """When the newest readable snapshot was taken (Unix ms), 0 without one."""
    return max((one.at_ms for one in map(_read, chunks) if isinstance(one, _Tokens)), default=0)


def unreadable(chunks: Iterable[bytes]) -> int:
    """How many chunks hold nothing that can be used: damaged, or of a version that is not known."""
    return sum(_read(chunk) is None for chunk in chunks)


def decode(chunks: Iterable[bytes]) -> tuple[list[str], Sums, BuildBook] | None:
    """Tokens, what was learned of them, in one order, and of builds; None when there is no readable chunk.

    Chunks of an older snapshot than the newest are left out, and so are damaged ones: their tokens start from the population's mean.
    """
    found = [one for one in map(_read, chunks) if isinstance(one, _Tokens)]
    if not found:
        return None
    newest = max(one.at_ms for one in found)
    current = [one for one in found if one.at_ms == newest]
    head, names = current[0], [name for one in current for name in one.names]
    events, squares, handled, work = np.concatenate([one.numbers for one in current]).T
    return names, Sums(events, squares, handled, work, *head.since, warm=head.warm), BuildBook(head.builds)


def decode_hours(chunks: Iterable[bytes]) -> list[Bucket]:
    """The hours that can be read."""
    return [one for one in map(_read, chunks) if isinstance(one, Bucket)]


def _read(chunk: bytes) -> _Tokens | Bucket | None:
    """What the chunk holds, None when that cannot be used."""
    try:
        body = orjson.loads(zlib.decompress(chunk))
        if body["v"] not in {1, VERSION}:
            return None
        return _hour(body) if "hour" in body else _tokens(body)
    except (zlib.error, ValueError, KeyError, TypeError, AttributeError, IndexError, OverflowError):
        return None


def _tokens(body: Mapping[str, Any]) -> _Tokens:
    if body["v"] == 1:
        names = [row[0] for row in body["rows"]]
        numbers = np.array([row[1:5] for row in body["rows"]], dtype=np.float64).reshape(len(names), 4)
    else:
        names = body["names"]
        numbers = _numbers(body["numbers"], len(names))
    learned_s, ticks, all_events, active_s = (
        _amount(body[key]) for key in ("learned_s", "ticks", "all_events", "active_s")
    )
    builds = {str(name): (float(total), _amount(s)) for name, (total, s) in body.get("builds", {}).items()}
    since = (learned_s, ticks, all_events, active_s)
    return _Tokens(int(body["at_ms"]), _words(names), _sound(numbers), since, bool(body["warm"]), builds)


def _hour(body: Mapping[str, Any]) -> Bucket:
    number, names = int(body["hour"]), tuple(_words(body["names"]))
    if not 0 <= number < BUCKETS:
        raise ValueError(f"there is no hour {number}")
    seconds, events, handled, work = _sound(_numbers(body["numbers"], len(names))).T
    return Bucket(
        number, _amount(body["all_seconds"]), _amount(body["all_events"]), names, seconds, events, handled, work
    )


def _words(names: Sequence[Any]) -> list[str]:
    if not all(isinstance(name, str) for name in names):
        raise TypeError("a token is text")
    return list(names)


def _amount(value: Any) -> float:
    found = float(value)
    if not 0 <= found < math.inf:
        raise ValueError(f"{found} is no amount")
    return found


def _sound(numbers: Floats) -> Floats:
    if not (np.isfinite(numbers) & (numbers >= 0)).all():
        raise ValueError("sums are finite and not negative")
    return numbers
