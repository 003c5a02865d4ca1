"""The jobs run by the clock, survive their errors and stop."""

import threading
import time
from collections.abc import Iterator

import pytest
from prometheus_client import CollectorRegistry
from sqlalchemy import Engine, text

from fairlane.scheduler import Scheduler
from ingestion.config import KafkaConfig, PipelineConfig
from slo.clock import ManualClock, SystemClock
from slo.history import History
from slo.slices import Slice
from slo.store import Booking, SliceStore

PIPELINE = PipelineConfig(name="p", replication=1)


@pytest.fixture
def registry() -> CollectorRegistry:
    return CollectorRegistry()


@pytest.fixture
def running(engine: Engine, registry: CollectorRegistry) -> Iterator[Scheduler]:
    scheduler = Scheduler(engine, PIPELINE, 0.2, SystemClock(), registry)
    stop, codes = threading.Event(), list[int]()
    thread = threading.Thread(target=lambda: codes.append(scheduler.run(stop)), daemon=True)
    thread.start()
    yield scheduler
    begin = time.monotonic()
    stop.set()
    thread.join(10)
    assert codes == [0]
    assert time.monotonic() - begin < 6


def wait(scheduler: Scheduler) -> None:
    until = time.monotonic() + 15
    while not scheduler.ready():
        assert time.monotonic() < until, "no evaluation within 15 s"
        time.sleep(0.05)


def test_the_first_evaluation_comes_at_once_and_more_follow(
    running: Scheduler, engine: Engine, registry: CollectorRegistry
) -> None:
    wait(running)
    assert len(History(engine).newest("p")) == 6
    first = registry.get_sample_value("fairlane_slo_last_evaluation_timestamp_seconds")
    time.sleep(1.0)
    assert registry.get_sample_value("fairlane_slo_last_evaluation_timestamp_seconds") > (first or 0)
    assert registry.get_sample_value("fairlane_slo_job_errors_total", {"job": "evaluate"}) == 0
    assert running.live()


def test_a_job_that_fails_is_counted_and_runs_again(engine: Engine, registry: CollectorRegistry) -> None:
    with engine.begin() as connection:
        connection.execute(text("ALTER TABLE evaluations RENAME TO gone"))
    scheduler = Scheduler(engine, PIPELINE, 0.2, SystemClock(), registry)
    try:
        scheduler.start()
        until = time.monotonic() + 15
        while (registry.get_sample_value("fairlane_slo_job_errors_total", {"job": "evaluate"}) or 0) < 2:
            assert time.monotonic() < until
            time.sleep(0.05)
    finally:
        with engine.begin() as connection:
            connection.execute(text("ALTER TABLE gone RENAME TO evaluations"))
    wait(scheduler)
    assert scheduler.stop()


def test_tidying_merges_and_forgets(engine: Engine, registry: CollectorRegistry) -> None:
    clock = ManualClock(1_700_000_000.0)
    scheduler = Scheduler(engine, PIPELINE, 15, clock, registry)
    at = 1_700_000_000 // 60 * 60 - 8 * 3600
    SliceStore(engine).book([Booking("p-lag", at + 60 * n, Slice(1, 1, 1, 60), at) for n in range(20)])
    assert scheduler.tidy() == 20
    assert sum(part.total for part in SliceStore(engine).slices("p-lag", 0, 2**40).values()) == 20
    assert not scheduler.ready()
    assert scheduler.live()


def test_side_lanes_are_trimmed_where_there_is_a_kafka_and_its_absence_is_counted(
    engine: Engine, registry: CollectorRegistry, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("ingestion.lanes.trim.REQUEST_S", 0.3)
    scheduler = Scheduler(engine, PIPELINE, 15, SystemClock(), registry, kafka=KafkaConfig(bootstrap="127.0.0.1:9"))
    scheduler.start()
    try:
        until = time.monotonic() + 30
        while not registry.get_sample_value("fairlane_slo_job_errors_total", {"job": "trim"}):
            assert time.monotonic() < until
            time.sleep(0.05)
        assert registry.get_sample_value("fairlane_slo_job_errors_total", {"job": "evaluate"}) == 0
    finally:
        assert scheduler.stop()
