"""`mode off` end to end: from the command to what the workers follow, while the controller is busy."""

import time

import pytest

from fairlane.stack.kafka import LocalKafka
from ingestion.contracts.names import Lane
from ingestion.contracts.routes import Mode
from ingestion.contracts.telemetry import Action
from ingestion.lanes.routes import RouteFollower
from isolator import commands
from isolator.state import StateReader
from slo.clock import SystemClock
from tests.support.control import Feed, Governors, eventually, history

pytestmark = pytest.mark.kafka
ACTS_S = 2.0


def test_the_kill_switch_reaches_the_workers_within_two_seconds_and_stops_a_move_that_is_due(
    kafka: LocalKafka, name: str, feed: Feed, reader: StateReader, governors: Governors
) -> None:
    """The flood has begun, and would be moved within a second or two."""
    governors.start(name)
    eventually(lambda: (reader.poll(0.05) or True) and (s := reader.status(name)) is not None and s.warm)
    worker = RouteFollower(kafka.config(), name)
    try:
        worker.catch_up(5)
        assert worker.table.mode is Mode.AUTO
        feed.flooding.set()
        time.sleep(0.3)
        began = time.monotonic()
        off = commands.command(name, Action.MODE, SystemClock(), by="test", mode="off")
        answer = commands.send(kafka.config().client(), off)
        eventually(lambda: (worker.poll(0.02) or True) and worker.table.mode is Mode.OFF)
        took = time.monotonic() - began
        print(f"mode off: {took:.2f} s from the command to the worker's table")
        assert answer.ok
        assert took < ACTS_S
        told = [key for key, _ in history(kafka)]
        off_at = max(n for n, key in enumerate(told) if key == f"mode/{name}")
        time.sleep(3.0)
        assert f"route/{name}/flood" not in [key for key, _ in history(kafka)][off_at:]
        assert worker.table.wanted("flood") is Lane.GENERAL or f"route/{name}/flood" in told[:off_at]
        reader.poll(0.05)
        assert reader.status(name).mode == "off"  # type: ignore[union-attr]
    finally:
        worker.close()
