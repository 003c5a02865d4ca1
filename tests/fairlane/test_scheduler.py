"""The jobs run by the clock, survive their errors and stop."""

import threading
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest
from prometheus_client import CollectorRegistry
from sqlalchemy import Engine, text

from fairlane.scheduler import READ, READ_S, Scheduler
from fairlane.slis.reading import SETTLE_S
from ingestion.config import KafkaConfig, PipelineConfig
from slo.clock import ManualClock, SystemClock
from slo.history import History
from slo.objective import Objective, Sli
from slo.presets import pipeline_objectives
from slo.slices import Slice
from slo.source import Op, Raw
from slo.store import DUE_S, Booking, SliceStore

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
    assert len(History(engine).newest("p")) == len(pipeline_objectives("p"))
    first = registry.get_sample_value("fairlane_slo_last_evaluation_timestamp_seconds")
    time.sleep(1.0)
    assert registry.get_sample_value("fairlane_slo_last_evaluation_timestamp_seconds") > (first or 0)
    assert registry.get_sample_value("fairlane_slo_job_errors_total", {"job": "evaluate"}) == 0
    assert running.live()


def test_other_peoples_metrics_are_read_once_a_minute_is_settled_and_before_it_is_due(
    engine: Engine, registry: CollectorRegistry
) -> None:
    source = Raw("http://127.0.0.1:9", "up", Op.LT, 1)
    wanted = Objective("shop", "shop", Sli.EXTERNAL, Decimal("0.99"), 0, source=source, windows="fast-slow")
    scheduler = Scheduler(engine, PIPELINE, 15, SystemClock(), registry, objectives=[wanted])
    scheduler.start()
    try:
        job = scheduler._scheduler.get_job(READ)
        # whatever second it was started at
        for second in (1, 20, 34, 36, 59):
            last = datetime(2026, 11, 21, 12, 0, second, tzinfo=UTC)
            then = job.trigger.get_next_fire_time(last, last)
            assert SETTLE_S < then.second < DUE_S
            assert timedelta(0) < then - last <= timedelta(seconds=READ_S)
    finally:
        assert scheduler.stop()


def test_limits_whose_source_hangs_do_not_hold_up_the_reads_of_objectives(
    engine: Engine, registry: CollectorRegistry
) -> None:
    # nobody listens there, so its read fails at once
    source = Raw("http://127.0.0.1:9", "up", Op.LT, 1)
    wanted = Objective("shop", "shop", Sli.EXTERNAL, Decimal("0.99"), 0, source=source, windows="fast-slow")
    hung, let_go = threading.Event(), threading.Event()

    def hangs() -> None:
        hung.set()
        let_go.wait(30)

    scheduler = Scheduler(engine, PIPELINE, 15, SystemClock(), registry, objectives=[wanted], capacity=(hangs, 60.0))
    scheduler.start()
    try:
        assert hung.wait(15)
        scheduler._scheduler.modify_job(READ, next_run_time=datetime.now(UTC))
        before = registry.get_sample_value("fairlane_slo_source_errors_total", {"slo": "shop"}) or 0
        until = time.monotonic() + 15
        while (registry.get_sample_value("fairlane_slo_source_errors_total", {"slo": "shop"}) or 0) <= before:
            assert time.monotonic() < until, "not read while a limit's source hangs"
            time.sleep(0.05)
    finally:
        let_go.set()
        assert scheduler.stop()


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
    at = 1_700_000_000 // 60 * 60 - 10 * 3600
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


class Jumping(ManualClock):
    """Its wall clock can be set."""

    def set(self, seconds: float) -> None:
        self._now += seconds


def test_a_clock_that_jumps_ahead_forgets_nothing_until_it_has_stood_for_an_hour(
    engine: Engine, registry: CollectorRegistry
) -> None:
    clock = Jumping(1_800_000_000.0)
    SliceStore(engine).book([Booking("a", 1_800_000_000 - 60 * n, Slice(1, 1, 1, 60), 0) for n in range(1, 21)])
    scheduler = Scheduler(engine, PIPELINE, 15, clock, registry)
    clock.set(900 * 86_400)
    assert scheduler.tidy() == 0
    clock.advance(600)
    assert scheduler.tidy() == 0
    clock.set(-900 * 86_400)
    assert scheduler.tidy() == 0, "going back is a jump as well"
    clock.advance(3_601)
    scheduler.tidy()
    assert len(SliceStore(engine).slices("a", 0, 1_800_000_000)) == 20
    clock.set(900 * 86_400)
    scheduler.tidy()
    clock.advance(3_601)
    assert scheduler.tidy() > 0, "who stands for an hour is believed"
    assert SliceStore(engine).slices("a", 0, 1_800_000_000) == {}
