"""The projection port: verdicts into the database, written behind. Kafka alone carries decisions; a slow or dead database never delays a tick.

An adapter's `write` returns at once and never raises; what it could not keep it counts in `dropped`.
"""

import logging
import queue
import threading
from collections.abc import Sequence
from typing import Final, Protocol

import orjson
from sqlalchemy import BigInteger, Engine, Text, column, delete, insert, select, table
from sqlalchemy.exc import InterfaceError, OperationalError, SQLAlchemyError
from sqlalchemy.exc import TimeoutError as PoolTimeout

from isolator.verdict import Verdict

log = logging.getLogger(__name__)

QUEUE: Final = 1_000
RETRIES: Final = 3
"""Tries for what the database refuses; while it is away there is no limit to them."""
SLOWEST_S: Final = 30.0
PRUNED: Final = 5_000
"""Rows that one statement deletes, so that a pruning holds nobody up."""
_AWAY: Final = (OperationalError, InterfaceError, PoolTimeout)
VERDICTS: Final = table(
    "verdicts",
    column("id", Text),
    column("pipeline", Text),
    column("token", Text),
    column("kind", Text),
    column("at_ms", BigInteger),
    column("body", Text),
)


class Projection(Protocol):
    """Where verdicts go besides Kafka."""

    @property
    def dropped(self) -> int:
        """Verdicts that were not kept."""
        ...

    def write(self, verdicts: Sequence[Verdict]) -> None:
        """Keep them (a known id is replaced) some time soon."""
        ...

    def close(self) -> None:
        """Write what waits, for at most a few seconds, and stop."""
        ...


class NoProjection:
    """Keeps nothing."""

    dropped = 0

    def write(self, verdicts: Sequence[Verdict]) -> None:
        """Nothing to do."""

    def close(self) -> None:
        """Nothing to do."""


class MemoryProjection:
    """Keeps the verdicts by id."""

    def __init__(self) -> None:
        self.kept: dict[str, Verdict] = {}
        self.dropped = 0

    def write(self, verdicts: Sequence[Verdict]) -> None:
        """Keep them at once."""
        self.kept.update({v.id: v for v in verdicts})

    def close(self) -> None:
        """Nothing to do."""


class SqlProjection:
    """Writes to the table `verdicts(id PK, pipeline, token, kind, at_ms, body JSON)` from a thread of its own.

    While the database is away what was written waits, up to QUEUE batches.
    """

    def __init__(self, engine: Engine, retry_s: float = 1.0) -> None:
        self.dropped = 0
        self._engine = engine
        self._retry_s = retry_s
        self._queue: queue.Queue[tuple[Verdict, ...] | None] = queue.Queue(QUEUE)
        self._closing = threading.Event()
        self._thread = threading.Thread(target=self._run, name="projection", daemon=True)
        self._thread.start()

    def write(self, verdicts: Sequence[Verdict]) -> None:
        """Queue them; dropped and counted when the queue is full."""
        if not verdicts:
            return
        try:
            self._queue.put_nowait(tuple(verdicts))
        except queue.Full:
            self.dropped += len(verdicts)

    def close(self) -> None:
        """Write what waits, for at most 5 s."""
        self._closing.set()
        try:
            self._queue.put(None, timeout=1.0)
        except queue.Full:
            log.warning("the database does not keep up: %d verdict batches are left to Kafka", self._queue.qsize())
        self._thread.join(5.0)

    def _run(self) -> None:
        while (verdicts := self._queue.get()) is not None:
            self._keep(verdicts)

    def _keep(self, verdicts: tuple[Verdict, ...]) -> None:
        rows = {
            v.id: {
                "id": v.id,
                "pipeline": v.pipeline,
                "token": v.token,
                "kind": str(v.kind),
                "at_ms": v.at_ms,
                "body": orjson.dumps(v.as_dict()).decode(),
            }
            for v in verdicts
        }
        refused, wait_s = 0, self._retry_s
        while True:
            try:
                with self._engine.begin() as connection:
                    connection.execute(delete(VERDICTS).where(VERDICTS.c.id.in_(rows)))
                    connection.execute(insert(VERDICTS), list(rows.values()))
            except SQLAlchemyError as error:
                refused += not isinstance(error, _AWAY)
                log.warning("%d verdicts were not written to the database: %s", len(rows), error)
                if refused >= RETRIES or self._closing.wait(wait_s):
                    break
                wait_s = min(2 * wait_s, SLOWEST_S)
            else:
                return
        self.dropped += len(rows)


def prune(engine: Engine, before_ms: int) -> int:
    """Delete the verdicts made before `before_ms` (Unix ms); returns how many. Raises sqlalchemy.exc.SQLAlchemyError."""
    gone = 0
    old = select(VERDICTS.c.id).where(VERDICTS.c.at_ms < before_ms).limit(PRUNED)
    while True:
        with engine.begin() as connection:
            count = connection.execute(delete(VERDICTS).where(VERDICTS.c.id.in_(old))).rowcount
        gone += count
        if count < PRUNED:
            return gone
