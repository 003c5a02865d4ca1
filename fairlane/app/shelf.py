"""The database as pages and the HTTP API use it: opened when it is first needed; one that is away costs one try in five seconds, and is said."""

import logging
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Final

from sqlalchemy import Engine
from sqlalchemy.exc import SQLAlchemyError

from slo.clock import Clock
from slo.errors import FairlaneError, Unreachable

RETRY_S: Final = 5.0
log = logging.getLogger(__name__)


class Shelf:
    """A database for whoever answers requests. Thread-safe."""

    def __init__(self, open_engine: Callable[[], Engine], clock: Clock) -> None:
        self._open = open_engine
        self._clock = clock
        self._lock = threading.Lock()
        self._engine: Engine | None = None
        self._again_at = 0.0
        self._problem = ""

    @contextmanager
    def use(self) -> Iterator[Engine]:
        """The engine. Raises Unreachable when the database is away, also for what goes wrong with it inside the block."""
        try:
            yield self._connected()
        except SQLAlchemyError as error:
            raise self._failed(error) from error

    def close(self) -> None:
        """Leave the database."""
        with self._lock:
            if self._engine is not None:
                self._engine.dispose()
                self._engine = None

    def _connected(self) -> Engine:
        with self._lock:
            if self._clock.monotonic() < self._again_at:
                raise Unreachable(self._problem)
            if self._engine is not None:
                return self._engine
        # opened outside the lock: others must not wait for a database that does not answer
        try:
            engine = self._open()
        except (SQLAlchemyError, FairlaneError) as error:
            raise self._failed(error) from error
        with self._lock:
            if self._engine is None:
                self._engine = engine
            elif self._engine is not engine:
                engine.dispose()
            return self._engine

    def _failed(self, error: Exception) -> Unreachable:
        first = (str(getattr(error, "orig", None) or error).strip().splitlines() or [type(error).__name__])[0]
        with self._lock:
            if self._clock.monotonic() >= self._again_at:
                log.warning("the database cannot be used: %s", first)
            self._problem = f"The database cannot be read ({first.rstrip('.')}): check database.url."
            self._again_at = self._clock.monotonic() + RETRY_S
            return Unreachable(self._problem)
