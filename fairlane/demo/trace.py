"""Real load from a file: columns `t,dur,token,records,bytes,work_ms`, sped up to the demo's length."""

import csv
import gzip
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from fairlane.demo.load import Event, event
from slo.errors import ConfigError

COLUMNS = ("t", "dur", "token", "records", "bytes", "work_ms")
DEFAULT_WORK_MS = 1.0


@dataclass(frozen=True, slots=True)
class Row:
    """`records` requests of one token in [t, t + dur) seconds, `work_ms` handler milliseconds each (the file tells those of the whole row)."""

    t: float
    dur: float
    token: str
    records: float
    work_ms: float


def read(path: Path) -> list[Row]:
    """The rows of a trace (plain or .gz).

    Raises ConfigError that names the file, the line and what is wrong: no file, a missing column, a number that is none or negative, no rows.
    """
    try:
        with gzip.open(path, "rt", newline="") if path.suffix == ".gz" else path.open(newline="") as file:
            reader = csv.DictReader(file)
            missing = [name for name in COLUMNS if name not in (reader.fieldnames or ())]
            if missing:
                raise ConfigError(
                    f"trace {path.name}: columns {', '.join(missing)} are missing; a trace has {','.join(COLUMNS)}"
                )
            rows = [_row(path, line, raw) for line, raw in enumerate(reader, start=2)]
    except (OSError, EOFError, UnicodeDecodeError, csv.Error) as error:
        raise ConfigError(
            f"trace {path}: cannot be read ({error}); give the path of a CSV file, plain or .gz"
        ) from error
    if not rows:
        raise ConfigError(f"trace {path.name}: has no rows")
    return rows


def _row(path: Path, line: int, raw: dict[str, str]) -> Row:
    try:
        numbers = [float(raw[name]) for name in ("t", "dur", "records", "work_ms")]
    except (TypeError, ValueError) as error:
        raise ConfigError(
            f"trace {path.name}, line {line}: {error}; t, dur, records and work_ms are numbers"
        ) from error
    if not all(np.isfinite(n) and n >= 0 for n in numbers):
        raise ConfigError(
            f"trace {path.name}, line {line}: t, dur, records and work_ms are finite and at least 0, got {numbers}"
        )
    if not raw["token"]:
        raise ConfigError(f"trace {path.name}, line {line}: the token is empty")
    t, dur, records, work_ms = numbers
    return Row(t, dur, raw["token"], records, work_ms / records if records else 0.0)


@dataclass(frozen=True, slots=True)
class Replay:
    """A trace fitted to the demo: how much it was sped up and thinned, so that the report can say so."""

    slices: tuple[tuple[Event, ...], ...]
    slice_s: float
    speedup: float
    thinned: float
    """Share of the trace's records that is sent."""
    work_scale: float
    """Factor on work_ms, so that the mean load is `mean_rho` of one worker."""

    def __iter__(self) -> Iterator[list[Event]]:
        return (list(part) for part in self.slices)


def fit(
    rows: list[Row], *, seconds: float, max_events: int, mean_rho: float, seed: int, slice_s: float = 0.1
) -> Replay:
    """Squeeze the trace into `seconds`: times divided by one factor, records thinned evenly to `max_events`, work scaled to a mean of `mean_rho`."""
    rng = np.random.default_rng((seed, 2))
    start = min(row.t for row in rows)
    span = max(max(row.t + row.dur for row in rows) - start, 1e-9)
    total = sum(row.records for row in rows)
    thinned = min(1.0, max_events / total) if total else 1.0
    speedup = span / seconds
    work = [row.work_ms or DEFAULT_WORK_MS for row in rows]
    mean_ms = sum(w * row.records for w, row in zip(work, rows, strict=True)) / total if total else DEFAULT_WORK_MS
    scale = mean_rho * 1_000 * seconds / (total * thinned * mean_ms) if total else 1.0
    slices: list[list[Event]] = [[] for _ in range(int(seconds / slice_s) + 1)]
    for row, ms in zip(rows, work, strict=True):
        whole, rest = divmod(row.records * thinned, 1)
        count = int(whole) + int(rng.random() < rest)
        times = (row.t - start + rng.random(count) * row.dur) / speedup
        for at in sorted(times):
            slot = min(int(at / slice_s), len(slices) - 1)
            slices[slot].append(event(row.token, f"client-{rng.integers(0, 50)}", round(ms * scale, 3)))
    return Replay(tuple(tuple(part) for part in slices), slice_s, speedup, thinned, scale)
