"""What SQLite and PostgreSQL say differently: upserts, and who may write."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from sqlalchemy import Connection, Engine, Table
from sqlalchemy.dialects import postgresql, sqlite

Row = Mapping[str, Any]
Beside = Callable[[Connection], object]
"""Writes what belongs to a change within the change's own transaction: both are there, or neither. What it raises undoes both."""

_CHUNK = 500


def alone(_: Connection, /) -> None:
    """Nothing is written beside a change."""


def writer(engine: Engine) -> Engine:
    """The engine for transactions that write: on SQLite they take the write lock at once and wait for it, instead of failing half way."""
    return engine.execution_options(write=True)


def upsert(
    conn: Connection, table: Table, rows: Sequence[Row], *, add: Sequence[str] = (), keep: Sequence[str] = ()
) -> None:
    """Insert `rows`; where the key exists, `add` columns grow by the new value, `keep` columns stay, all others are set.

    All rows have the same columns and different keys.
    """
    if not rows:
        return
    insert = postgresql.insert(table) if conn.dialect.name == "postgresql" else sqlite.insert(table)
    keys = [column.name for column in table.primary_key]
    fresh = insert.excluded
    changes: dict[str, Any] = {
        name: table.c[name] + fresh[name] if name in add else fresh[name]
        for name in rows[0]
        if name not in keys and name not in keep
    }
    statement = (
        insert.on_conflict_do_update(index_elements=keys, set_=changes)
        if changes
        else insert.on_conflict_do_nothing(index_elements=keys)
    )
    for start in range(0, len(rows), _CHUNK):
        conn.execute(statement, [dict(row) for row in rows[start : start + _CHUNK]])
