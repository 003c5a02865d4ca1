"""The database away, locked, or never there: decisions come from Kafka alone, and at their time."""

import os
import signal
import sqlite3
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import pairwise
from pathlib import Path

import pytest
from prometheus_client import CollectorRegistry
from sqlalchemy import create_engine, text

from fairlane.roles import controller
from fairlane.roles.together import Together
from fairlane.settings import Settings, load
from fairlane.stack.kafka import LocalKafka
from ingestion.contracts.names import Lane
from ingestion.contracts.telemetry import Action
from isolator import commands
from isolator.state import StateReader
from slo.clock import SystemClock
from tests.support.control import POLICY, Feed, eventually
from tests.support.databases import postgres_server

pytestmark = pytest.mark.kafka
LATE_S = 1.0
"""A decision may come later than its tick by so much, on a machine that runs tests beside it."""


class Ticks(threading.Thread):
    """Notes when each decision was made, and its longest gap."""

    def __init__(self, kafka: LocalKafka, name: str) -> None:
        super().__init__(daemon=True)
        self._reader = StateReader(kafka.config().client(), [name])
        self._name = name
        self._done = threading.Event()
        self.at_ms: list[int] = []

    def run(self) -> None:
        """Until `end`."""
        while not self._done.is_set():
            self._reader.poll(0.05)
            status = self._reader.status(self._name)
            if status is not None and (not self.at_ms or status.last_tick_ms > self.at_ms[-1]):
                self.at_ms.append(status.last_tick_ms)
        self._reader.close()

    def longest_s(self, since_ms: int) -> float:
        """The longest time between two decisions since then."""
        some = [at for at in self.at_ms if at >= since_ms]
        assert len(some) >= 4, "too few decisions to say anything"
        return max(b - a for a, b in pairwise(some)) / 1000

    def end(self) -> None:
        """Stop."""
        self._done.set()
        self.join(5)


def settings(kafka: LocalKafka, name: str, home: Path, url: str = "") -> Settings:
    found = load(
        None,
        {
            "state_dir": str(home),
            "kafka.bootstrap": kafka.bootstrap,
            "pipeline.name": name,
            "pipeline.partitions": 4,
            "database.url": url,
            "policy.mode": "auto",
            "policy.warm_s": POLICY.warm_s,
            "policy.calm_s": POLICY.calm_s,
            "controller.tick_s": POLICY.tick_s,
        },
    )
    home.mkdir(parents=True, exist_ok=True)
    return found


@contextmanager
def controlling(settings: Settings) -> Iterator[Together]:
    """The whole role, as `fairlane serve controller` runs it, in a thread."""
    part, stop = controller.build(settings, SystemClock(), CollectorRegistry()), threading.Event()
    thread = threading.Thread(target=part.run, args=(stop,), daemon=True)
    thread.start()
    try:
        yield part
    finally:
        stop.set()
        thread.join(15)


@pytest.fixture
def ticks(kafka: LocalKafka, name: str) -> Iterator[Ticks]:
    one = Ticks(kafka, name)
    one.start()
    yield one
    one.end()


def test_a_postgresql_that_stops_delays_no_decision(
    kafka: LocalKafka, name: str, feed: Feed, reader: StateReader, ticks: Ticks, tmp_path: Path
) -> None:
    with postgres_server() as url, controlling(settings(kafka, name, tmp_path / "home", url)) as part:
        eventually(lambda: (reader.poll(0.05) or True) and (s := reader.status(name)) is not None and s.warm, 30)
        eventually(part.ready, 30)
        engine = create_engine(url)
        with engine.connect() as connection:
            data = connection.execute(text("SHOW data_directory")).scalar()
        engine.dispose()
        _stop_postgres(str(data))
        stopped_ms = int(time.time() * 1000)
        feed.flooding.set()
        flooded = time.monotonic()
        eventually(lambda: (reader.poll(0.05) or True) and reader.table(name).wanted("flood") is not Lane.GENERAL)
        print(f"moved {time.monotonic() - flooded:.1f} s after the flood began, without a database")
        asked = time.monotonic()
        commands.send(
            kafka.config().client(), commands.command(name, Action.MODE, SystemClock(), by="test", mode="off")
        )
        assert time.monotonic() - asked < 2.0
        time.sleep(2.0)
        longest = ticks.longest_s(stopped_ms)
        print(f"longest time between two decisions: {longest:.2f} s of {POLICY.tick_s} s")
        assert longest < POLICY.tick_s + LATE_S
        assert part.live()


def test_a_locked_sqlite_delays_no_decision_and_gets_its_verdicts_afterwards(
    kafka: LocalKafka, name: str, feed: Feed, reader: StateReader, ticks: Ticks, tmp_path: Path
) -> None:
    home = tmp_path / "home"
    with controlling(settings(kafka, name, home)) as part:
        eventually(lambda: (reader.poll(0.05) or True) and (s := reader.status(name)) is not None and s.warm, 30)
        eventually(part.ready, 30)
        locker = sqlite3.connect(home / "fairlane.db", isolation_level=None, timeout=30)
        try:
            locker.execute("BEGIN EXCLUSIVE")
            locked_ms = int(time.time() * 1000)
            feed.flooding.set()
            eventually(lambda: (reader.poll(0.05) or True) and reader.table(name).wanted("flood") is not Lane.GENERAL)
            time.sleep(2.0)
            assert ticks.longest_s(locked_ms) < POLICY.tick_s + LATE_S
            locker.execute("ROLLBACK")
            eventually(
                lambda: locker.execute("SELECT count(*) FROM verdicts WHERE token = 'flood'").fetchone()[0] > 0, 40
            )
        finally:
            locker.close()


def _stop_postgres(data: str) -> None:
    """As `pg_ctl stop -m immediate` does: SIGQUIT to the postmaster, whose pid is the first line of its file."""
    pid = int((Path(data) / "postmaster.pid").read_text().splitlines()[0])
    os.kill(pid, signal.SIGQUIT)
    eventually(lambda: not Path(f"/proc/{pid}").exists() or not (Path(data) / "postmaster.pid").exists())
