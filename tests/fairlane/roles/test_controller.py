"""The decision does not wait for the database."""

import threading
from dataclasses import replace
from pathlib import Path

import orjson
import pytest
from prometheus_client import CollectorRegistry
from sqlalchemy import Engine, select

from fairlane.database import open_database
from fairlane.roles import controller
from fairlane.schema import VERDICTS
from fairlane.settings import load
from isolator.verdict import Reason, Verdict, VerdictKind
from slo.clock import SystemClock
from slo.errors import ConfigError, Unreachable
from tests.support.waiting import until


def test_history_waits_for_a_database_that_is_away(state_dir: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(controller, "RETRY_S", 0.05)
    state_dir.mkdir()
    tried: list[str] = []

    def opening(url: str) -> Engine:
        tried.append(url)
        if len(tried) < 3:
            raise Unreachable("the database is away")
        return open_database(url)

    settings = load(None, {"state_dir": str(state_dir), "kafka.bootstrap": "127.0.0.1:9", "kafka.log_level": "0"})
    projection = controller.LateProjection()
    history = controller.History(settings, SystemClock(), CollectorRegistry(), projection, opening)
    assert not history.ready()
    stop = threading.Event()
    thread = threading.Thread(target=history.run, args=(stop,))
    thread.start()
    try:
        until(lambda: (state_dir / "fairlane.db").exists() and history._parts is not None, 20)
        assert len(tried) == 3
        assert not history.ready(), "there is no Kafka to book from"
    finally:
        stop.set()
        thread.join(20)
        projection.close()
    assert not thread.is_alive()


def test_a_database_that_can_never_be_had_is_fatal(state_dir: Path) -> None:
    settings = load(None, {"state_dir": str(state_dir), "database.url": "oracle://x", "kafka.bootstrap": "127.0.0.1:9"})
    history = controller.History(settings, SystemClock(), CollectorRegistry(), controller.LateProjection())
    with pytest.raises(ConfigError):
        history.run(threading.Event())


def test_verdicts_before_the_database_wait_for_it(tmp_path: Path) -> None:
    projection = controller.LateProjection()
    one = Verdict("v1", "p", "t", VerdictKind.MOVE, Reason.NOISY_TENANT, 1_000)
    projection.write([one, replace(one, id="v2")])
    projection.write([replace(one, ratio=9.0)])
    assert projection.dropped == 0
    engine = open_database(f"sqlite:///{tmp_path / 'late.db'}")
    projection.open(engine)
    projection.close()
    with engine.connect() as connection:
        rows = dict(connection.execute(select(VERDICTS.c.id, VERDICTS.c.body)).all())  # type: ignore[arg-type]
    engine.dispose()
    assert {key: orjson.loads(body)["ratio"] for key, body in rows.items()} == {"v1": 9.0, "v2": 0.0}


def test_verdicts_that_are_too_many_to_wait_are_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(controller, "WAITING", 2)
    projection = controller.LateProjection()
    one = Verdict("v1", "p", "t", VerdictKind.MOVE, Reason.NOISY_TENANT, 1_000)
    projection.write([replace(one, id=str(n)) for n in range(5)])
    projection.write([replace(one, id="0")])
    assert projection.dropped == 3
    projection.close()
    assert projection.dropped == 5
