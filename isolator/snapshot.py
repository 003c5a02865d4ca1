"""Baselines as state records under `snapshot/PIPELINE/N`: compressed chunks, each well under a broker's 1 MB, written in one transaction.

Chunks from 0 on hold the tokens with the most work; they are all written at each snapshot. Chunk HOURS + h holds hour h of the week, written once it was learned.
"""

import base64
import zlib
from collections.abc import Iterable, Mapping, Sequence
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


def taken_ms(chunks: Iterable[bytes]) -> int:
    """When the newest readable snapshot was taken (Unix ms), 0 without one."""
    return max((int(body["at_ms"]) for body in _bodies(chunks) if "hour" not in body), default=0)


def _bodies(chunks: Iterable[bytes]) -> list[dict[str, Any]]:
    bodies: list[dict[str, Any]] = []
    for chunk in chunks:
        try:
            body = orjson.loads(zlib.decompress(chunk))
            if body["v"] in {1, VERSION}:
                bodies.append(body)
        except (zlib.error, ValueError, KeyError, TypeError):
            continue
    return bodies


def decode(chunks: Iterable[bytes]) -> tuple[list[str], Sums, BuildBook] | None:
    """Tokens, what was learned of them, in one order, and of builds; None when there is no readable chunk.

    Chunks of an older snapshot than the newest are left out.
    """
    bodies = [body for body in _bodies(chunks) if "hour" not in body]
    if not bodies:
        return None
    newest = max(body["at_ms"] for body in bodies)
    current = [body for body in bodies if body["at_ms"] == newest]
    head, names = current[0], list[str]()
    parts: list[Floats] = []
    for body in current:
        if body["v"] == 1:
            rows = body["rows"]
            names += [row[0] for row in rows]
            parts.append(np.array([row[1:5] for row in rows], dtype=np.float64).reshape(len(rows), 4))
        else:
            names += body["names"]
            parts.append(_numbers(body["numbers"], len(body["names"])))
    events, squares, handled, work = np.concatenate(parts).T
    since = (head["learned_s"], head["ticks"], head["all_events"], head["active_s"])
    sums = Sums(events, squares, handled, work, *since, warm=head["warm"])
    return names, sums, BuildBook({name: (total, s) for name, (total, s) in head.get("builds", {}).items()})


def decode_hours(chunks: Iterable[bytes]) -> list[Bucket]:
    """The hours that can be read."""
    found: list[Bucket] = []
    for body in _bodies(chunks):
        if "hour" in body and 0 <= body["hour"] < BUCKETS:
            names = tuple(body["names"])
            seconds, events, handled, work = _numbers(body["numbers"], len(names)).T
            all_seconds, all_events = float(body["all_seconds"]), float(body["all_events"])
            found.append(Bucket(body["hour"], all_seconds, all_events, names, seconds, events, handled, work))
    return found
