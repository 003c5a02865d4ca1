"""The oracle can fail: a worker with one rule of the fence broken is caught."""

from pathlib import Path

import pytest

from fairlane.stack.kafka import LocalKafka
from ingestion.contracts.names import Lane
from ingestion.lanes.hooks import Point
from tests.support.faulty import Fault
from tests.support.stage import Stage, staged

pytestmark = pytest.mark.kafka


def move_and_restore(stage: Stage) -> None:
    """One token's backlog goes to a slow lane; the token is wanted back before that has drained, and sends more."""
    stage.route("red", Lane.OVERFLOW)
    stage.send(150, ("red", "green"))
    stage.until("the backlog is forwarded", lambda: stage.lags()["overflow"] > 0)
    stage.route("red", Lane.GENERAL)
    stage.send(60, ("red", "green"))


def test_the_true_worker_passes_where_a_worker_without_drain_check_fails(
    kafka: LocalKafka, pipeline_name: str, tmp_path: Path
) -> None:
    with staged(kafka, pipeline_name, tmp_path) as stage:
        stage.side_workers(work_s=0.02)
        stage.worker(Lane.GENERAL)
        move_and_restore(stage)
        stage.until_drained()
        assert stage.judge().violations == []


def test_a_worker_without_drain_check_reorders(kafka: LocalKafka, pipeline_name: str, tmp_path: Path) -> None:
    with staged(kafka, pipeline_name, tmp_path) as stage:
        stage.side_workers(work_s=0.02)
        stage.worker(Lane.GENERAL, mutant="no-drain")
        move_and_restore(stage)
        stage.until_drained()
        assert stage.judge().audit.out_of_order > 0


def test_a_worker_that_does_not_rewind_after_an_abort_loses(
    kafka: LocalKafka, pipeline_name: str, tmp_path: Path
) -> None:
    with staged(kafka, pipeline_name, tmp_path) as stage:
        stage.side_workers(work_s=0.0)
        stage.route("red", Lane.OVERFLOW)
        stage.worker(Lane.GENERAL, mutant="no-rewind", fault=Fault(do="abort", at=Point.FLUSHED, every=2))
        for _ in range(8):
            stage.send(40, ("red", "green"))
            stage.until("something is committed", lambda: stage.lags()["general"] < 60)
        audit = stage.judge().audit
        assert audit.missing + audit.strangers > 0


@pytest.mark.parametrize(("mutant", "harm"), [("negative-position", "duplicated"), ("ahead-position", "missing")])
def test_a_worker_that_commits_the_raw_position_is_caught_when_it_dies(
    kafka: LocalKafka, pipeline_name: str, tmp_path: Path, mutant: str, harm: str
) -> None:
    with staged(kafka, pipeline_name, tmp_path) as stage:
        stage.side_workers(work_s=0.0)
        stage.route("red", Lane.OVERFLOW)
        stage.send(1_000, ("red", "green"))
        victim = stage.worker(Lane.GENERAL, mutant=mutant, fault=Fault(do="kill", at=Point.COMMITTED, every=3))
        stage.until("the worker kills itself", lambda: victim.poll() is not None)
        stage.worker(Lane.GENERAL)
        stage.until_drained()
        assert getattr(stage.judge().audit, harm) > 0
