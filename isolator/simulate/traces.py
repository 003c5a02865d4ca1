"""Real load from a file: columns `t,dur,token,records,bytes,work_ms`, and optionally `keys`.

A row says that in [t, t + dur) seconds a token sent `records` records that took `work_ms` milliseconds of work together. `keys` is how many distinct_ids the token
has; without it the token is spread over all partitions.
"""

import csv
import gzip
import math
from array import array
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final, TextIO

import numpy as np

from isolator.interner import Floats, Interner, Ints
from isolator.simulate.sums import summed
from slo.errors import ConfigError

COLUMNS: Final = ("t", "dur", "token", "records", "bytes", "work_ms")
NUMBERS: Final = ("t", "dur", "records", "bytes", "work_ms")
MOST_ROWS: Final = 10_000_000
MOST_TOKENS: Final = 2_000_000
MOST: Final = 1e15
"""A larger number is a mistake; so is a row that lasts shorter than LEAST_S: what happens in a second of it must be a number."""
LEAST_S: Final = 1e-6
WIDE: Final = 1_000_000
"""distinct_ids of a token of which nothing is told: enough for all partitions."""


@dataclass(frozen=True, slots=True)
class Trace:
    """Rows (rows,) in order of time, seconds from the first one's and seconds of work; tokens (tokens,)."""

    name: str
    names: list[str]
    begin_s: Floats
    span_s: Floats
    token: Ints
    records: Floats
    work_s: Floats
    keys: Ints
    """(tokens,)"""

    @property
    def length_s(self) -> float:
        """Until the last row ends."""
        return float((self.begin_s + self.span_s).max())

    def faster(self, speedup: float) -> "Trace":
        """The same records in a `speedup`th of the time."""
        return Trace(
            self.name, self.names, self.begin_s / speedup, self.span_s / speedup, self.token, self.records, self.work_s,
            self.keys,
        )  # fmt: skip

    def totals(self) -> tuple[Floats, Floats]:
        """Records and work (s) of each token, (tokens,) both."""
        count = len(self.names)
        return summed(self.token, self.records, count), summed(self.token, self.work_s, count)


def read(path: Path) -> Trace:
    """The trace in a CSV file, plain or .gz.

    Raises ConfigError that names the file, the line, the column and what is wrong: no file, a missing column, a number that is none, negative, not finite or
    too large, a span of 0, time that goes back, no rows, too many rows or tokens.
    """
    try:
        # spreadsheets begin a file with a byte order mark
        code = "utf-8-sig"
        with (
            gzip.open(path, "rt", encoding=code, newline="")
            if path.suffix == ".gz"
            else path.open(encoding=code, newline="") as file
        ):
            return _read(path.name, file)
    except (OSError, EOFError, UnicodeDecodeError, csv.Error) as error:
        raise ConfigError(
            f"trace {path}: cannot be read ({error}); give the path of a CSV file, plain or .gz"
        ) from error


def _read(name: str, file: TextIO) -> Trace:
    reader = csv.reader(file)
    header = [column.strip() for column in next(reader, [])]
    if not header:
        raise ConfigError(f"trace {name}: is empty; a trace has the columns {','.join(COLUMNS)}")
    missing = [column for column in COLUMNS if column not in header]
    if missing:
        raise ConfigError(
            f"trace {name}, line 1: column{'s' if len(missing) > 1 else ''} {', '.join(missing)} missing; a trace has {','.join(COLUMNS)}"
        )
    place = {column: header.index(column) for column in (*COLUMNS, *(("keys",) if "keys" in header else ()))}
    tokens = Interner()
    ids, values = array("q"), {column: array("d") for column in NUMBERS}
    keys: dict[int, int] = {}
    last = -1.0
    for line, row in _rows(name, reader, len(header)):
        numbers = {column: _number(name, line, column, row[place[column]]) for column in NUMBERS}
        if numbers["t"] < last:
            raise ConfigError(
                f"trace {name}, line {line}, column t: {numbers['t']:g} is before {last:g} of an earlier line; sort the rows by time"
            )
        if numbers["dur"] < LEAST_S:
            raise ConfigError(f"trace {name}, line {line}, column dur: a row must last longer than 0 s")
        last = numbers["t"]
        token = row[place["token"]].strip()
        if not token:
            raise ConfigError(f"trace {name}, line {line}, column token: is empty")
        ids.append(tokens.id(token))
        for column, value in numbers.items():
            values[column].append(value)
        if "keys" in place:
            keys[ids[-1]] = max(1, round(_number(name, line, "keys", row[place["keys"]])))
        if len(ids) > MOST_ROWS or len(tokens) > MOST_TOKENS:
            raise ConfigError(
                f"trace {name}, line {line}: has more than {MOST_ROWS:,} rows or {MOST_TOKENS:,} tokens; simulate a part of it"
            )
    if not ids:
        raise ConfigError(f"trace {name}: has no rows below its header")
    wide = np.full(len(tokens), WIDE)
    wide[list(keys)] = list(keys.values())
    begin, span, records, work = (np.array(values[column]) for column in ("t", "dur", "records", "work_ms"))
    # a trace may count from midnight, or from 1970
    begin -= np.floor(begin[0])
    return Trace(name, tokens.names, begin, span, np.array(ids, dtype=np.int64), records, work / 1000, wide)


def _rows(name: str, reader: "Iterator[list[str]]", width: int) -> Iterator[tuple[int, list[str]]]:
    for line, row in enumerate(reader, start=2):
        if not row:
            continue
        if len(row) < width:
            raise ConfigError(f"trace {name}, line {line}: has {len(row)} columns, its header has {width}")
        yield line, row


def _number(name: str, line: int, column: str, text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        raise ConfigError(f"trace {name}, line {line}, column {column}: {text!r} is not a number") from None
    if not math.isfinite(value):
        raise ConfigError(f"trace {name}, line {line}, column {column}: {text} is not a finite number")
    if value < 0:
        raise ConfigError(f"trace {name}, line {line}, column {column}: {text} is negative")
    if value > MOST:
        raise ConfigError(f"trace {name}, line {line}, column {column}: {text} is more than {MOST:g}")
    return value
