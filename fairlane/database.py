"""The database: SQLite or PostgreSQL by URL, migrated to this build's shape when it is opened."""

import sqlite3
from pathlib import Path
from typing import Any, Final

from alembic import command
from alembic.config import Config
from alembic.util import CommandError
from sqlalchemy import Connection, Engine, create_engine, event, make_url, text
from sqlalchemy.engine import URL
from sqlalchemy.exc import ArgumentError, DatabaseError, NoSuchModuleError, OperationalError
from sqlalchemy.pool import StaticPool

from slo.errors import ConfigError, FairlaneError, StateDirectoryError, Unreachable

BUSY_S: Final = 10
"""How long a writer waits for another on SQLite."""
CONNECT_S: Final = 5
"""How long PostgreSQL may take to answer."""
_LOCK: Final = 0x_FA1E_1A9E
"""PostgreSQL advisory lock that a migration holds: one process migrates, the others wait."""


def open_database(url: str) -> Engine:
    """An engine on a database in this build's shape. `sqlite:///PATH`, `sqlite://` (in memory) or `postgresql://...`.

    SQLite runs in WAL mode and waits BUSY_S for other writers; its directory is made. Raises ConfigError for a URL that is none or a database of a newer
    build, StateDirectoryError for a file that cannot be written or is no database, Unreachable for a server that does not answer.
    """
    where = _parse(url)
    sqlite = where.get_backend_name() == "sqlite"
    if sqlite:
        _make_room(where)
    engine = _sqlite(where) if sqlite else _postgresql(where)
    try:
        _migrate(engine)
    except CommandError as error:
        engine.dispose()
        raise ConfigError(
            f"database.url: {_show(where)} has a shape that this build does not know ({error}); run the newer fairlane that wrote it, or give another database"
        ) from error
    except (DatabaseError, OSError) as error:
        engine.dispose()
        raise _explain(where, error) from error
    except BaseException:
        engine.dispose()
        raise
    return engine


def _parse(url: str) -> URL:
    try:
        where = make_url(url)
        if where.get_backend_name() in {"postgresql", "postgres"}:
            where = where.set(drivername="postgresql+psycopg")
        if where.get_backend_name() in {"sqlite", "postgresql"}:
            where.get_dialect()
            return where
    except (ArgumentError, NoSuchModuleError, ValueError) as error:
        raise ConfigError(
            f"database.url: this is no SQLAlchemy URL; write sqlite:///path/to/file.db or postgresql://user@host/name ({error})"
        ) from None
    raise ConfigError(
        f"database.url: '{where.get_backend_name()}' is not supported; use sqlite:///path/to/file.db or postgresql://user@host/name"
    )


def _make_room(where: URL) -> None:
    if where.database in {None, "", ":memory:"}:
        return
    path = Path(str(where.database))
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise StateDirectoryError(
            f"cannot make the directory {path.parent} for the database: {error.strerror}. {_HINT}"
        ) from error
    if path.is_dir():
        raise StateDirectoryError(f"{path} is a directory, not a database file. {_HINT}")


def _sqlite(where: URL) -> Engine:
    memory = where.database in {None, "", ":memory:"}
    # One connection is the whole of a database in memory.
    pool: dict[str, Any] = {"poolclass": StaticPool} if memory else {}
    engine = create_engine(where, connect_args={"timeout": BUSY_S, "check_same_thread": False}, **pool)

    @event.listens_for(engine, "connect")
    def prepare(connection: sqlite3.Connection, _: Any) -> None:
        # The driver's own BEGIN leaves DDL and reads outside of transactions: we begin ourselves, below.
        connection.isolation_level = None
        connection.execute(f"PRAGMA busy_timeout = {BUSY_S * 1000}")
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("PRAGMA synchronous = NORMAL")

    @event.listens_for(engine, "begin")
    def begin(connection: Connection) -> None:
        # A writer takes the lock at once: a transaction that reads first and then writes fails at once when another has written meanwhile.
        write = connection.get_execution_options().get("write", False)
        connection.exec_driver_sql("BEGIN IMMEDIATE" if write else "BEGIN")

    return engine


def _postgresql(where: URL) -> Engine:
    timeout = {} if "connect_timeout" in where.query else {"connect_timeout": CONNECT_S}
    return create_engine(where, connect_args=timeout, pool_pre_ping=True)


def _migrate(engine: Engine) -> None:
    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent / "migrations").replace("%", "%%"))
    with engine.execution_options(write=True).begin() as connection:
        if connection.dialect.name == "postgresql":
            connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": _LOCK})
        config.attributes["connection"] = connection
        command.upgrade(config, "head")


def _explain(where: URL, error: Exception) -> FairlaneError:
    reason = str(getattr(error, "orig", None) or error).strip().splitlines()
    first = reason[0] if reason else type(error).__name__
    if where.get_backend_name() == "sqlite":
        return StateDirectoryError(f"cannot use the database {where.database}: {first}. {_HINT}")
    if isinstance(error, OperationalError):
        return Unreachable(
            f"the database {_show(where)} does not answer: {first}. Check database.url, that the server runs, and that it lets this user in."
        )
    return ConfigError(
        f"database.url: {_show(where)} cannot be prepared: {first}. The user must own its schema or may create tables there."
    )


def _show(where: URL) -> str:
    return where.render_as_string(hide_password=True)


_HINT: Final = (
    "Give a file in a directory that you may write to with database.url, or another state directory with --state-dir."
)
