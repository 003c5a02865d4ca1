"""Short series and newest reports for the page: the last 24 hours at five seconds, set and never added."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import orjson
from sqlalchemy import Connection, Engine, delete, select

from slo.schema import LIVE, SERIES
from slo.sql import upsert, writer

STEP_MS: Final = 5_000
KEEP_MS: Final = 24 * 3_600_000


@dataclass(frozen=True, slots=True)
class Point:
    """A value at a time, a multiple of STEP_MS."""

    at_ms: int
    value: float


class Series:
    """Named series of a pipeline, such as `oldest_age.general`, and the newest report of a kind, such as `lanes`."""

    def __init__(self, engine: Engine) -> None:
        self._read = engine
        self._write = writer(engine)

    def read(self, pipeline: str, names: Sequence[str], since_ms: int) -> dict[str, list[Point]]:
        """The points of each name since `since_ms`, oldest first; an empty list for a name without any."""
        where = (SERIES.c.pipeline == pipeline, SERIES.c.name.in_(list(names)), SERIES.c.at_ms >= since_ms)
        found: dict[str, list[Point]] = {name: [] for name in names}
        with self._read.connect() as conn:
            for row in conn.execute(select(SERIES).where(*where).order_by(SERIES.c.at_ms)):
                found[row.name].append(Point(row.at_ms, row.value))
        return found

    def live(self, pipeline: str, name: str) -> tuple[int, Any] | None:
        """When the newest report of a kind was made (ms) and what it says, or None."""
        with self._read.connect() as conn:
            row = conn.execute(select(LIVE).where(LIVE.c.pipeline == pipeline, LIVE.c.name == name)).first()
        return (row.at_ms, orjson.loads(row.body)) if row else None

    def forget(self, now_ms: int) -> int:
        """Drop points older than KEEP_MS; returns how many."""
        with self._write.begin() as conn:
            return conn.execute(delete(SERIES).where(SERIES.c.at_ms < now_ms - KEEP_MS)).rowcount


def put_points(conn: Connection, pipeline: str, points: Mapping[tuple[str, int], float]) -> None:
    """Set values by (name, at_ms) in the caller's transaction."""
    upsert(
        conn,
        SERIES,
        [{"pipeline": pipeline, "name": name, "at_ms": at, "value": value} for (name, at), value in points.items()],
    )


def put_live(conn: Connection, pipeline: str, reports: Mapping[str, tuple[int, Any]]) -> None:
    """Set the newest report of each kind, (at_ms, JSON-able), in the caller's transaction."""
    upsert(
        conn,
        LIVE,
        [
            {"pipeline": pipeline, "name": name, "at_ms": at, "body": orjson.dumps(body).decode()}
            for name, (at, body) in reports.items()
        ],
    )
