"""What the moves pages read from the database, when somebody asks: recorded series and old verdicts."""

import logging
from collections.abc import Callable

from sqlalchemy import Engine, select

from fairlane.app.docket import Points, Trace
from fairlane.app.shelf import Shelf
from fairlane.schema import VERDICTS
from isolator.verdict import Verdict
from slo.clock import Clock
from slo.errors import Unreachable
from slo.series import Point, Series

log = logging.getLogger(__name__)


class Archive:
    """Opens the database when it is first needed. Thread-safe."""

    def __init__(self, open_engine: Callable[[], Engine], clock: Clock) -> None:
        self._shelf = Shelf(open_engine, clock)

    def trace(self, pipeline: str, token: str, partitions: tuple[int, ...], since_ms: int, until_ms: int) -> Trace:
        """The series from `since_ms` to `until_ms`; a problem instead when they cannot be read."""
        names = [f"work/{token}", f"usual/{token}"]
        names += [f"{kind}/{p}" for p in partitions for kind in ("delay", "rho_with")]
        try:
            with self._shelf.use() as engine:
                found = Series(engine).read(pipeline, names, since_ms)
        except Unreachable as error:
            return Trace(problem=str(error))
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
            with self._shelf.use() as engine, engine.connect() as connection:
                body = connection.execute(select(VERDICTS.c.body).where(*where)).scalar()
            return None if body is None else Verdict.decode(body.encode())
        except Unreachable:
            return None
        except (ValueError, KeyError, TypeError) as error:
            log.warning("verdict %s in the database cannot be read: %s", verdict_id, error)
        return None

    def close(self) -> None:
        """Leave the database."""
        self._shelf.close()


def _until(points: list[Point], until_ms: int) -> Points:
    return tuple((point.at_ms, point.value) for point in points if point.at_ms <= until_ms)
