"""The default sink: SQLite or PostgreSQL through SQLAlchemy, idempotent on event_id."""

import logging
import sqlite3
from collections.abc import Sequence
from dataclasses import asdict

from sqlalchemy.exc import DBAPIError, InterfaceError, InternalError, OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeout

from ingestion.contracts.records import Done, Invalid, Outcome, Record, Retry
from ingestion.sinks.context import SinkContext
from ingestion.sinks.row import Row, row_of
from ingestion.sinks.schema import create, insert_or_ignore, open_engine
from slo.clock import Clock, SystemClock

log = logging.getLogger(__name__)


class SqlHandler:
    """Stores each batch in one database transaction; a row that is there already stays as it is.

    A database that is locked or away gives Retry for the whole batch (nothing of it was applied), never a dead letter. Thread-safe.
    """

    def __init__(self, context: SinkContext, clock: Clock | None = None) -> None:
        self._clock = clock or SystemClock()
        self._engine = open_engine(context.sink.url)
        self._insert = insert_or_ignore(self._engine)
        self._prepared = False

    def handle(self, batch: Sequence[Record], /) -> list[Outcome]:
        """Apply the batch; one outcome per record. Raises SQLAlchemy's errors that a retry cannot cure (a table of another shape, missing rights)."""
        now_ms = int(self._clock.now() * 1000)
        built = [row_of(record, now_ms) for record in batch]
        rows = [asdict(row) for row in built if isinstance(row, Row)]
        try:
            if rows:
                self._store(rows)
        except (DBAPIError, PoolTimeout) as error:
            # the table may have gone with the database: look again next time
            self._prepared = False
            if not _passing(error):
                raise
            reason = error.orig if isinstance(error, DBAPIError) else error
            log.warning(
                "the sink's database cannot take %d events now, they are kept and tried again: %s", len(batch), reason
            )
            return [Retry() for _ in batch]
        return [row if isinstance(row, Invalid) else Done() for row in built]

    def close(self) -> None:
        """Give the connections back."""
        self._engine.dispose()

    def _store(self, rows: list[dict[str, object]]) -> None:
        if not self._prepared:
            create(self._engine)
            self._prepared = True
        with self._engine.begin() as connection:
            connection.execute(self._insert, rows)


def _passing(error: DBAPIError | PoolTimeout) -> bool:
    """Can waiting cure it: locked, full, away, starting up, read-only for a while?"""
    if isinstance(error, PoolTimeout) or error.connection_invalidated:
        return True
    # SQLite calls mistakes in a statement operational as well; their code tells them apart
    if getattr(error.orig, "sqlite_errorcode", None) == sqlite3.SQLITE_ERROR:
        return False
    return isinstance(error, OperationalError | InterfaceError | InternalError)
