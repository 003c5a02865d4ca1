"""What the moves pages read from the database, when somebody asks: recorded series and old verdicts. A database that is away costs one try in five seconds."""

import logging
import threading
from collections.abc import Callable
from typing import Final

from sqlalchemy import Engine, select
from sqlalchemy.exc import SQLAlchemyError

from fairlane.app.docket import Points, Trace
from fairlane.schema import VERDICTS
from isolator.verdict import Verdict
from slo.clock import Clock
from slo.errors import FairlaneError
from slo.series import Point, Series

RETRY_S: Final = 5.0
log = logging.getLogger(__name__)


class Archive:
    """Opens the database when it is first needed. Thread-safe."""

    def __init__(self, open_engine: Callable[[], Engine], clock: Clock) -> None:
        self._open = open_engine
        self._clock = clock
        self._lock = threading.Lock()
        self._engine: Engine | None = None
        self._again_at = 0.0
        self._problem = ""

    def trace(self, pipeline: str, token: str, partitions: tuple[int, ...], since_ms: int, until_ms: int) -> Trace:
        """The series from `since_ms` to `until_ms`; a problem instead when they cannot be read."""
        names = [f"work/{token}", f"usual/{token}"]
        names += [f"{kind}/{p}" for p in partitions for kind in ("delay", "rho_with")]
        try:
            found = Series(self._connected()).read(pipeline, names, since_ms)
        except (SQLAlchemyError, FairlaneError) as error:
            return Trace(problem=self._failed(error))
        return Trace(
            _until(found[names[0]], until_ms),
            _until(found[names[1]], until_ms),
            {p: _until(found[f"delay/{p}"], until_ms) for p in partitions},
            {p: _until(found[f"rho_with/{p}"], until_ms) for p in partitions},
        )

    def verdict(self, pipeline: str, verdict_id: str) -> Verdict | None:
        """A verdict that the projection kept."""
        if "\0" in verdict_id:
            return None  # PostgreSQL has no such text and would raise
        where = (VERDICTS.c.pipeline == pipeline, VERDICTS.c.id == verdict_id)
        try:
            with self._connected().connect() as connection:
                body = connection.execute(select(VERDICTS.c.body).where(*where)).scalar()
            return None if body is None else Verdict.decode(body.encode())
        except (SQLAlchemyError, FairlaneError) as error:
            self._failed(error)
        except (ValueError, KeyError, TypeError) as error:
            log.warning("verdict %s in the database cannot be read: %s", verdict_id, error)
        return None

    def close(self) -> None:
        """Leave the database."""
        with self._lock:
            if self._engine is not None:
                self._engine.dispose()
                self._engine = None

    def _connected(self) -> Engine:
        with self._lock:
            if self._clock.monotonic() < self._again_at:
                raise FairlaneError(self._problem)
            if self._engine is None:
                self._engine = self._open()
            return self._engine

    def _failed(self, error: Exception) -> str:
        first = (str(getattr(error, "orig", None) or error).strip().splitlines() or [type(error).__name__])[0]
        with self._lock:
            if self._clock.monotonic() >= self._again_at:
                log.warning("histories cannot be read: %s", first)
                self._again_at, self._problem = self._clock.monotonic() + RETRY_S, first
        return f"The database cannot be read ({first.rstrip('.')}): check database.url."


def _until(points: list[Point], until_ms: int) -> Points:
    return tuple((point.at_ms, point.value) for point in points if point.at_ms <= until_ms)
