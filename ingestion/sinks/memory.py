"""A sink in memory: for trying things out and for tests. Forgets everything with the process."""

import threading
from collections.abc import Sequence

from ingestion.contracts.records import Done, Invalid, Outcome, Record
from ingestion.sinks.context import SinkContext
from ingestion.sinks.row import Row, row_of
from slo.clock import Clock, SystemClock


class MemoryHandler:
    """Keeps rows by event_id; the first one wins, as in the SQL sink."""

    def __init__(self, context: SinkContext, clock: Clock | None = None) -> None:
        self._lane = context.lane
        self._clock = clock or SystemClock()
        self._lock = threading.Lock()
        self._rows: dict[str, Row] = {}

    def handle(self, batch: Sequence[Record], /) -> list[Outcome]:
        """Store the batch; one outcome per record."""
        now_ms = int(self._clock.now() * 1000)
        built = [row_of(record, now_ms) for record in batch]
        with self._lock:
            for row in built:
                if isinstance(row, Row):
                    self._rows.setdefault(row.event_id, row)
        return [row if isinstance(row, Invalid) else Done() for row in built]

    def rows(self) -> list[Row]:
        """What is stored, in the order in which it became visible."""
        with self._lock:
            return list(self._rows.values())
