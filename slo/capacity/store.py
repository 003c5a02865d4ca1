"""Samples of limits and budgets, an hour each: the highest value of the hour."""

from typing import Final

from sqlalchemy import Engine, delete, func, select

from slo.schema import CAPACITY
from slo.sql import upsert, writer

HOUR: Final = 3_600
KEEP_S: Final = 800 * 86_400


class Samples:
    """Samples in the database."""

    def __init__(self, engine: Engine) -> None:
        self._read = engine
        self._write = writer(engine)

    def put(self, values: dict[tuple[str, int], float]) -> None:
        """Keep values by (name, Unix second); of several in an hour the highest stays. Raises sqlalchemy.exc.SQLAlchemyError."""
        hours: dict[tuple[str, int], float] = {}
        for (name, at), value in values.items():
            key = name, at // HOUR * HOUR
            hours[key] = max(value, hours.get(key, value))
        with self._write.begin() as conn:
            names = {name for name, _ in hours}
            first = min((at for _, at in hours), default=0)
            where = (CAPACITY.c.name.in_(names), CAPACITY.c.at >= first)
            there = {(row.name, row.at): row.value for row in conn.execute(select(CAPACITY).where(*where))}
            rows = [
                {"name": name, "at": at, "value": max(value, there.get((name, at), value))}
                for (name, at), value in hours.items()
            ]
            upsert(conn, CAPACITY, rows)

    def read(self, name: str, since_s: float = 0) -> dict[int, float]:
        """The hours of one limit or budget since then, by their first second."""
        query = select(CAPACITY).where(CAPACITY.c.name == name, CAPACITY.c.at >= int(since_s))
        with self._read.connect() as conn:
            return {row.at: row.value for row in conn.execute(query)}

    def newest(self) -> dict[str, int]:
        """The newest hour of each name."""
        query = select(CAPACITY.c.name, func.max(CAPACITY.c.at).label("at")).group_by(CAPACITY.c.name)
        with self._read.connect() as conn:
            return {row.name: row.at for row in conn.execute(query)}

    def forget(self, now_s: float) -> int:
        """Drop what is older than KEEP_S; returns how many."""
        with self._write.begin() as conn:
            return conn.execute(delete(CAPACITY).where(CAPACITY.c.at < int(now_s) - KEEP_S)).rowcount
