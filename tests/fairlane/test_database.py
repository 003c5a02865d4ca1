"""The database is made, migrated and explained."""

import threading
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import Engine, MetaData, create_engine, text

from fairlane.database import open_database
from fairlane.schema import METADATA as SHELL
from slo.errors import ConfigError, StateDirectoryError, Unreachable
from slo.schema import METADATA as SLO


def test_migrations_make_what_the_code_expects(engine: Engine) -> None:
    together = MetaData()
    for metadata in (SLO, SHELL):
        for table in metadata.tables.values():
            table.to_metadata(together)
    with engine.connect() as connection:
        assert compare_metadata(MigrationContext.configure(connection), together) == []


def test_several_processes_may_open_it_at_once(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'deep' / 'er' / 'a.db'}"
    engines: list[Engine] = []
    threads = [threading.Thread(target=lambda: engines.append(open_database(url))) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert len(engines) == 6
    for engine in engines:
        engine.dispose()


def test_sqlite_writers_wait_for_each_other(tmp_path: Path) -> None:
    engine = open_database(f"sqlite:///{tmp_path / 'a.db'}")
    failed: list[Exception] = []

    def write(name: str) -> None:
        try:
            for n in range(20):
                with engine.execution_options(write=True).begin() as connection:
                    connection.execute(text("SELECT count(*) FROM live"))
                    connection.execute(text(f"INSERT INTO live VALUES ('{name}', '{n}', 0, '')"))
        except Exception as error:
            failed.append(error)

    threads = [threading.Thread(target=write, args=(f"t{n}",)) for n in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    with engine.connect() as connection:
        assert connection.execute(text("SELECT count(*) FROM live")).scalar() == 80
    assert failed == []
    engine.dispose()


@pytest.mark.parametrize(
    ("url", "error", "says"),
    [
        ("mysql://host/x", ConfigError, "'mysql' is not supported"),
        ("nonsense", ConfigError, "this is no SQLAlchemy URL"),
        ("sqlite:////proc/no/a.db", StateDirectoryError, "cannot make the directory /proc/no"),
        ("postgresql://u:secret@127.0.0.1:1/x", Unreachable, r"does not answer.*Check database\.url"),
    ],
)
def test_what_cannot_be_opened_says_why(url: str, error: type[Exception], says: str) -> None:
    with pytest.raises(error, match=says) as caught:
        open_database(url)
    assert "secret" not in str(caught.value)


def test_a_file_that_is_no_database(tmp_path: Path) -> None:
    (tmp_path / "a.db").write_text("this is not a database, but it is long enough to look like a file" * 20)
    with pytest.raises(StateDirectoryError, match=r"cannot use the database .*a\.db: file is not a database"):
        open_database(f"sqlite:///{tmp_path / 'a.db'}")
    with pytest.raises(StateDirectoryError, match="is a directory"):
        open_database(f"sqlite:///{tmp_path}")


def test_a_database_of_a_newer_build(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'a.db'}"
    open_database(url).dispose()
    engine = create_engine(url)
    with engine.begin() as connection:
        connection.execute(text("UPDATE alembic_version SET version_num = '9999'"))
    engine.dispose()
    with pytest.raises(ConfigError, match="has a shape that this build does not know"):
        open_database(url)
