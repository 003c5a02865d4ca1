"""What the SQL sink does when its database is not there for it."""

import sqlite3
from dataclasses import dataclass
from pathlib import Path

import pytest
from sqlalchemy import create_engine, event, exc, text
from sqlalchemy.engine import Engine

from ingestion.config import SinkConfig
from ingestion.contracts.names import Lane
from ingestion.contracts.records import Done, Record, Retry
from ingestion.sinks import schema
from ingestion.sinks.sql import SqlHandler
from slo.errors import ConfigError


@dataclass(frozen=True)
class Context:
    lane: Lane
    sink: SinkConfig


def handler(url: str) -> SqlHandler:
    return SqlHandler(Context(Lane.GENERAL, SinkConfig(url=url)))


def batch(count: int, start: int = 0) -> list[Record]:
    return [
        Record(Lane.GENERAL, "p.general", 0, n, "t", "u", f"id-{n}", "e", 1, 2, f"p.general/0/{n}", b"u", b"{}")
        for n in range(start, start + count)
    ]


def test_a_locked_database_gives_retry_for_the_whole_batch_and_nothing_of_it_is_stored(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(schema, "BUSY_MS", 100)
    path = tmp_path / "sink.db"
    sink = handler(f"sqlite:///{path}")
    assert sink.handle(batch(1)) == [Done()]
    other = sqlite3.connect(path, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    assert sink.handle([*batch(3), *batch(1, 9)]) == [Retry()] * 4
    other.execute("ROLLBACK")
    assert other.execute("SELECT count(*) FROM events").fetchone() == (1,)
    other.close()
    assert sink.handle(batch(3)) == [Done()] * 3
    sink.close()


def test_a_database_that_cannot_be_reached_gives_retry_also_before_it_was_ever_seen(tmp_path: Path) -> None:
    assert handler(f"sqlite:///{tmp_path}/missing/sink.db").handle(batch(2)) == [Retry()] * 2
    assert handler("postgresql://nobody@127.0.0.1:1/none").handle(batch(2)) == [Retry()] * 2


def test_a_transaction_that_fails_at_its_commit_is_retried(tmp_path: Path) -> None:
    sink = handler(f"sqlite:///{tmp_path}/sink.db")
    assert sink.handle(batch(1)) == [Done()]
    failing = [True]

    def fail(_connection: object) -> None:
        if failing:
            failing.clear()
            raise exc.OperationalError("COMMIT", {}, sqlite3.OperationalError("disk I/O error"))

    event.listen(sink._engine, "commit", fail)
    assert sink.handle(batch(2, 5)) == [Retry()] * 2
    assert sink.handle(batch(2, 5)) == [Done()] * 2
    sink.close()


def test_a_table_that_was_dropped_is_made_again(tmp_path: Path) -> None:
    sink = handler(f"sqlite:///{tmp_path}/sink.db")
    sink.handle(batch(1))
    with sqlite3.connect(tmp_path / "sink.db") as other:
        other.execute("DROP TABLE events")
    other.close()
    with pytest.raises(exc.DBAPIError, match="no such table"):
        sink.handle(batch(1))  # the worker tries an unknown error three times
    assert sink.handle(batch(1)) == [Done()]
    sink.close()


def test_a_table_of_another_shape_is_an_error_and_no_endless_retry(tmp_path: Path) -> None:
    with sqlite3.connect(tmp_path / "sink.db") as other:
        other.execute("CREATE TABLE events(event_id TEXT UNIQUE, must TEXT NOT NULL CHECK (must = 'x'))")
    other.close()
    sink = handler(f"sqlite:///{tmp_path}/sink.db")
    with pytest.raises(exc.DBAPIError, match="no column"):
        sink.handle(batch(1))
    sink.close()


def test_sqlite_is_opened_for_several_writers(tmp_path: Path) -> None:
    engine: Engine = schema.open_engine(f"sqlite:///{tmp_path}/sink.db")
    with engine.connect() as connection:
        assert connection.execute(text("PRAGMA journal_mode")).scalar() == "wal"
        assert connection.execute(text("PRAGMA synchronous")).scalar() == 2
        assert connection.execute(text("PRAGMA busy_timeout")).scalar() == schema.BUSY_MS
    engine.dispose()


def test_a_reader_is_not_in_the_way(tmp_path: Path) -> None:
    sink = handler(f"sqlite:///{tmp_path}/sink.db")
    sink.handle(batch(1))
    engine = create_engine(f"sqlite:///{tmp_path}/sink.db")
    with engine.connect() as reader:
        assert reader.execute(text("SELECT count(*) FROM events")).scalar() == 1
        assert sink.handle(batch(5, 1)) == [Done()] * 5
    engine.dispose()
    sink.close()


@pytest.mark.parametrize(
    ("url", "words"),
    [
        ("", "is empty"),
        ("nonsense", "not a SQLAlchemy URL"),
        ("mysql://u@h/d", "names a mysql database"),
        ("sqlite+nosuch:///x", "driver"),
    ],
)
def test_a_url_that_cannot_work_is_refused_at_once(url: str, words: str) -> None:
    with pytest.raises(ConfigError, match=words):
        handler(url)
