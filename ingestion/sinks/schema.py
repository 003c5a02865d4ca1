"""The sink's table and how it is opened: SQLite (WAL, several processes on one file) or PostgreSQL."""

from typing import Any, Final

from sqlalchemy import BigInteger, Column, Engine, Insert, Integer, MetaData, Table, Text, create_engine, event
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import ArgumentError, NoSuchModuleError
from sqlalchemy.schema import CreateTable

from slo.errors import ConfigError

BUSY_MS: Final = 5_000
"""How long a writer waits for another process's transaction on the same SQLite file."""
CONNECT_S: Final = 5

METADATA: Final = MetaData()
_BIG: Final = BigInteger().with_variant(Integer(), "sqlite")

EVENTS: Final = Table(
    "events",
    METADATA,
    Column("seq", _BIG, primary_key=True, autoincrement=True),
    Column("event_id", Text, nullable=False, unique=True),
    Column("token", Text, nullable=False),
    Column("distinct_id", Text, nullable=False),
    Column("event", Text, nullable=False),
    Column("lane", Text, nullable=False),
    Column("source_topic", Text, nullable=False),
    Column("source_partition", Integer, nullable=False),
    Column("source_offset", BigInteger, nullable=False),
    Column("captured_at", BigInteger, nullable=False),
    Column("appended_at", BigInteger, nullable=False),
    Column("visible_at", BigInteger, nullable=False),
    Column("properties", Text, nullable=False),
    sqlite_autoincrement=True,
)
"""One row per event; `seq` grows in the order in which rows became visible (on PostgreSQL with several writers: nearly)."""


def open_engine(url: str) -> Engine:
    """An engine for the sink; connects only when used.

    Raises ConfigError for a URL that SQLAlchemy cannot read, or of a database other than SQLite and PostgreSQL.
    """
    if not url:
        raise ConfigError("sink.url is empty: give the database of the sink, like sqlite:////var/lib/fairlane/sink.db")
    try:
        parsed = make_url(url)
    except ArgumentError as error:
        raise ConfigError("sink.url is not a SQLAlchemy URL like postgresql+psycopg://user@host/database") from error
    if parsed.drivername == "postgresql":
        parsed = parsed.set(drivername="postgresql+psycopg")
    backend = parsed.get_backend_name()
    if backend not in {"sqlite", "postgresql"}:
        raise ConfigError(
            f"sink.url names a {backend} database: the SQL sink writes to sqlite or postgresql; write your own handler for others"
        )
    try:
        return _open(parsed)
    except (NoSuchModuleError, ModuleNotFoundError) as error:
        raise ConfigError(f"sink.url needs a driver that is not installed: {error}") from error


def create(engine: Engine) -> None:
    """Make the table unless it is there. Raises SQLAlchemy's errors when the database cannot be used."""
    with engine.begin() as connection:
        if engine.dialect.name == "postgresql":
            # two workers that start together would both find no table: IF NOT EXISTS does not lock
            connection.exec_driver_sql("SELECT pg_advisory_xact_lock(4603412257)")
        connection.execute(CreateTable(EVENTS, if_not_exists=True))


def insert_or_ignore(engine: Engine) -> Insert:
    """The statement that stores rows and leaves those whose event_id is there already."""
    insert = postgresql.insert(EVENTS) if engine.dialect.name == "postgresql" else sqlite.insert(EVENTS)
    return insert.on_conflict_do_nothing(index_elements=[EVENTS.c.event_id])


def _open(url: URL) -> Engine:
    if url.get_backend_name() == "postgresql":
        return create_engine(url, pool_pre_ping=True, connect_args={"connect_timeout": CONNECT_S})
    engine = create_engine(url, connect_args={"timeout": BUSY_MS / 1000})
    event.listen(engine, "connect", _pragmas)
    return engine


def _pragmas(connection: Any, _record: Any) -> None:
    # WAL: readers and one writer at a time; FULL: offsets are committed to Kafka after this, so a power cut must not take the rows back
    for pragma in (f"busy_timeout={BUSY_MS}", "journal_mode=WAL", "synchronous=FULL"):
        connection.execute(f"PRAGMA {pragma}")
