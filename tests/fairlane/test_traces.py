"""What is recorded for the pictures of a move: which values, how often, and what is left out."""

from collections.abc import Iterator
from dataclasses import replace

import pytest
from sqlalchemy import Engine

from fairlane.app.archive import Archive
from fairlane.database import open_database
from fairlane.sla.crowd import Crowd, Crowds
from fairlane.traces import CALM_STEP_MS, NEVER_MS, TraceRecorder, due, points
from isolator.status import PipelineStatus, Score, Watched
from slo.clock import ManualClock
from slo.errors import Unreachable

AT = 1_800_000_000_000
STATUS = PipelineStatus(
    "events",
    AT + 2_300,
    "auto",
    "noisy_tenant",
    "",
    last_tick_ms=AT + 1_200,
    scores=(Score("loud", 20.0, 4.0, 2.0, 100.0), Score("new", 3.0, 0.0, 0.1, 5.0)),
    partition_delay_s=(0.5, 9.0),
    partition_rho_with_moved=(0.4, 1.9),
    watched=(Watched("away", "overflow", 3.0, 0.1, 30.0, 9.0, 50.0),),
    moved=("away",),
)


@pytest.fixture
def engine() -> Iterator[Engine]:
    one = open_database("sqlite://")
    yield one
    one.dispose()


def test_a_status_gives_work_baseline_queue_and_the_queue_s_growth_with_them() -> None:
    assert points(STATUS) == {
        ("work/loud", AT): 2.0,
        ("usual/loud", AT): 0.5,
        ("work/new", AT): 0.1,
        ("work/away", AT): 3.0,
        ("usual/away", AT): 0.1,
        ("delay/0", AT): 0.5,
        ("delay/1", AT): 9.0,
        ("rho_with/0", AT): 0.4,
        ("rho_with/1", AT): 1.9,
    }


def test_each_step_is_recorded_once_and_a_calm_pipeline_once_a_minute() -> None:
    calm = replace(STATUS, moved=(), watched=())
    assert due(STATUS, NEVER_MS)
    assert not due(STATUS, STATUS.last_tick_ms), "a command rewrites the status without a tick"
    assert due(STATUS, STATUS.last_tick_ms - 5_000)
    assert not due(calm, calm.last_tick_ms - 5_000)
    assert due(calm, calm.last_tick_ms - CALM_STEP_MS)
    assert due(replace(calm, hot_partitions=(1,)), calm.last_tick_ms - 5_000)
    assert not due(replace(STATUS, stale=True), NEVER_MS), "without input there is nothing to record"


def test_what_was_recorded_is_read_back_within_its_time(engine: Engine) -> None:
    recorder = TraceRecorder({}, "events", engine)
    for step in range(4):
        tick = replace(STATUS, last_tick_ms=AT + 5_000 * step)
        assert recorder.record(tick)
        assert not recorder.record(tick)
    found = Archive(lambda: engine, ManualClock()).trace("events", "away", (1, 7), AT, AT + 10_000)
    assert found.work == ((AT, 3.0), (AT + 5_000, 3.0), (AT + 10_000, 3.0))
    assert found.usual[0] == (AT, 0.1)
    assert found.delay == {1: tuple((AT + 5_000 * n, 9.0) for n in range(3)), 7: ()}
    assert found.problem == ""
    assert Archive(lambda: engine, ManualClock()).trace("other", "away", (1,), AT, AT + 10_000).work == ()


def test_active_tokens_are_counted_beside_it(engine: Engine) -> None:
    recorder = TraceRecorder({}, "events", engine)
    for step, tokens in enumerate((4_000, 5_012, 4_500)):
        recorder.record(replace(STATUS, last_tick_ms=AT + 5_000 * step, active_tokens=tokens))
    assert Crowds(engine, "events").between(AT // 1000, AT // 1000 + 60) == Crowd(5_012, 1)


def test_a_database_that_is_away_is_asked_again_after_five_seconds() -> None:
    clock, tries = ManualClock(), [0]

    def away() -> Engine:
        tries[0] += 1
        raise Unreachable("the database x does not answer: refused.")

    archive = Archive(away, clock)
    assert archive.trace("events", "t", (), 0, 1).problem == (
        "The database cannot be read (the database x does not answer: refused): check database.url."
    )
    assert archive.verdict("events", "v") is None
    assert archive.trace("events", "t", (), 0, 1).problem
    assert tries[0] == 1
    clock.advance(5.1)
    assert archive.trace("events", "t", (), 0, 1).problem
    assert tries[0] == 2
