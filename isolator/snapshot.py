"""Baselines as state records: compressed chunks under `snapshot/PIPELINE/N`, each well under a broker's 1 MB, written in one transaction."""

import zlib
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final

import numpy as np
import orjson

from isolator.baseline import Sums

VERSION: Final = 1
LIMIT: Final = 900_000
"""Bytes of one record's value at most."""
ROWS: Final = 10_000
KEEP: Final = 50_000
"""Tokens with the most work that are kept; the rest start again from the population's mean."""
LEAST_EVENTS: Final = 0.5


def encode(sums: Sums, names: Sequence[str], at_ms: int) -> list[bytes]:
    """The chunks, in order. Nothing learned gives one chunk without rows."""
    size = min(len(names), len(sums.events))
    rows = np.flatnonzero(sums.events[:size] + sums.handled[:size] > LEAST_EVENTS)
    if len(rows) > KEEP:
        rows = np.sort(rows[np.argsort(-sums.work[rows], kind="stable")[:KEEP]])
    chosen = rows.tolist()
    head = {
        "v": VERSION,
        "at_ms": at_ms,
        "learned_s": sums.learned_s,
        "ticks": sums.ticks,
        "all_events": sums.all_events,
        "active_s": sums.active_s,
        "warm": sums.warm,
    }
    parts = [chosen[i : i + ROWS] for i in range(0, len(chosen), ROWS)] or [[]]
    chunks: list[bytes] = []
    for part in parts:
        chunks += _pack(head, sums, names, part)
    return chunks


def _pack(head: Mapping[str, Any], sums: Sums, names: Sequence[str], rows: list[int]) -> list[bytes]:
    body = {
        **head,
        "rows": [
            [names[i], _short(sums.events[i]), _short(sums.squares[i]), _short(sums.handled[i]), _short(sums.work[i])]
            for i in rows
        ],
    }
    packed = zlib.compress(orjson.dumps(body), 1)
    if len(packed) <= LIMIT or len(rows) <= 1:
        return [packed]
    half = len(rows) // 2
    return _pack(head, sums, names, rows[:half]) + _pack(head, sums, names, rows[half:])


def _short(value: float) -> float:
    return float(f"{value:.5g}")


def taken_ms(chunks: Iterable[bytes]) -> int:
    """When the newest readable snapshot was taken (Unix ms), 0 without one."""
    return max((int(body["at_ms"]) for body in _bodies(chunks)), default=0)


def _bodies(chunks: Iterable[bytes]) -> list[dict[str, Any]]:
    bodies: list[dict[str, Any]] = []
    for chunk in chunks:
        try:
            body = orjson.loads(zlib.decompress(chunk))
            if body["v"] == VERSION:
                bodies.append(body)
        except (zlib.error, ValueError, KeyError, TypeError):
            continue
    return bodies


def decode(chunks: Iterable[bytes]) -> tuple[list[str], Sums] | None:
    """Tokens and what was learned of them, in one order; None when there is no readable chunk. Chunks of an older snapshot than the newest are left out."""
    bodies = _bodies(chunks)
    if not bodies:
        return None
    newest = max(body["at_ms"] for body in bodies)
    current = [body for body in bodies if body["at_ms"] == newest]
    rows = [row for body in current for row in body["rows"]]
    values = np.array([row[1:5] for row in rows], dtype=np.float64).reshape(len(rows), 4)
    head = current[0]
    sums = Sums(
        values[:, 0].copy(),
        values[:, 1].copy(),
        values[:, 2].copy(),
        values[:, 3].copy(),
        head["learned_s"],
        head["ticks"],
        head["all_events"],
        head["active_s"],
        head["warm"],
    )
    return [row[0] for row in rows], sums
