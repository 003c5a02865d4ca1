"""Telemetry by columns: what the observer folds. The telemetry's rows are turned into it once; the simulator and the benchmark make it directly.

Token ids are those of the observer's interner.
"""

from dataclasses import dataclass

from ingestion.contracts.names import Lane
from ingestion.contracts.telemetry import Trouble
from isolator.interner import Floats, Ints


@dataclass(frozen=True, slots=True)
class ArrivalColumns:
    """What was appended to the general lane in one interval that ended at `at_ms`. Rows (rows,), `other` (partitions,)."""

    at_ms: int
    interval_s: float
    token: Ints
    partition: Ints
    records: Floats
    top_key: Floats
    """Records of the row's busiest key."""
    other: Floats
    """Records of tokens that are not told apart."""
    active_sketch: str = ""


@dataclass(frozen=True, slots=True)
class WorkerColumns:
    """What one worker slot did in one interval. Partition columns (partitions of the slot,), rows (rows,)."""

    at_ms: int
    interval_s: float
    lane: Lane
    slot: str
    build: str
    overhead_s: float
    """Seconds of the interval that were spent on neither handler nor waiting."""
    partitions: Ints
    busy_s: Floats
    position: Floats
    end: Floats
    assigned_s: Floats
    token: Ints
    partition: Ints
    records: Floats
    """Records taken: handled and forwarded."""
    forwarded: Floats
    work_s: Floats
    other_records: Floats
    """Records handled of tokens that are not told apart, by `partitions`."""
    other_work_s: Floats
    in_flight: tuple[tuple[int, int, float], ...] = ()
    """(token id, partition, seconds that its record has been running)"""
    moves_refused: bool = False
    concurrency: int = 1
    top_key: Floats | None = None
    """Records of each row's busiest key, for when there is no scout; None when it is not known."""
    troubles: tuple[Trouble, ...] = ()
    """Tokens that hang or fail their handler."""
