"""The production source: on a real broker, with the database there and away, and with nothing there at all."""

import time
import zlib
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from confluent_kafka import Producer

from fairlane.app.budgets import Budgets, burn_now
from fairlane.app.live import KafkaSource
from fairlane.app.observation import Observation
from fairlane.app.states import State
from fairlane.app.view import build
from fairlane.database import open_database
from fairlane.stack.kafka import LocalKafka
from fairlane.stack.ports import free_ports
from ingestion.config import PipelineConfig
from ingestion.contracts.names import TELEMETRY_TOPIC, Lane
from ingestion.contracts.telemetry import FRESHNESS_BUCKETS_S, LanePartition, Message, ProbeReport, SliCounts, encode
from ingestion.lanes.topics import ensure_topics
from slo.clock import ManualClock, SystemClock
from slo.evaluate import evaluate
from slo.evaluation import Evaluation
from slo.history import History
from slo.presets import pipeline_objectives
from slo.store import SliceStore

LIMIT_S = 20.0


def until(look: Callable[[], Observation], done: Callable[[Observation], bool]) -> Observation:
    deadline = time.monotonic() + LIMIT_S
    while not done(seen := look()):
        assert time.monotonic() < deadline, seen
        time.sleep(0.1)
    return seen


def evaluations(path: Path, now: float) -> list[Evaluation]:
    engine = open_database(f"sqlite:///{path}")
    try:
        found = evaluate(pipeline_objectives("events"), SliceStore(engine), now)
        History(engine).save(found)
        return found
    finally:
        engine.dispose()


@pytest.mark.kafka
def test_reports_are_followed_and_outcomes_of_aborted_transactions_are_not(
    kafka: LocalKafka, pipeline_config: PipelineConfig, pipeline_name: str, tmp_path: Path
) -> None:
    ensure_topics(kafka.admin(), pipeline_config, local=True)
    config = kafka.config()
    partition = zlib.crc32(pipeline_name.encode()) % 4
    plain = Producer(config.client())
    worker = Producer(config.client(transactional_id=f"{pipeline_name}-page"))
    worker.init_transactions(10)
    now = int(time.time() * 1000)

    def send(producer: Producer, message: Message) -> None:
        producer.produce(TELEMETRY_TOPIC, encode(message), pipeline_name, partition=partition)

    def outcomes(bucket: int) -> SliCounts:
        counts = [0] * (len(FRESHNESS_BUCKETS_S) + 1)
        counts[bucket] = 100
        return SliCounts(pipeline_name, now, Lane.GENERAL, (), tuple(counts))

    worker.begin_transaction()
    send(worker, outcomes(12))
    worker.flush(10)
    worker.abort_transaction(10)
    worker.begin_transaction()
    send(worker, outcomes(0))
    worker.commit_transaction(10)
    send(plain, ProbeReport(pipeline_name, now, tuple(LanePartition(lane, 0, 0, 7, 7, 0.4, "exact") for lane in Lane)))
    plain.flush(10)

    source = KafkaSource(
        config.client(), {pipeline_name: 30.0}, lambda: open_database(f"sqlite:///{tmp_path / 'x.db'}"), SystemClock()
    )
    source.start()
    try:
        seen = until(
            lambda: source.observe(pipeline_name), lambda o: bool(o.lanes) and o.lanes[0].freshness_s is not None
        )
        assert seen.lanes[0].lag == 7
        assert seen.lanes[0].freshness_s == pytest.approx(0.05)
        assert seen.part("kafka").ok
        assert source.ready()
    finally:
        before = time.monotonic()
        source.stop()
        assert time.monotonic() - before < 8


def test_a_broker_and_a_database_that_are_away_are_said_and_nothing_raises(tmp_path: Path) -> None:
    (port,) = free_ports(1)
    (tmp_path / "file").write_text("no directory")
    source = KafkaSource(
        {"bootstrap.servers": f"127.0.0.1:{port}"},
        {"events": 30.0},
        lambda: open_database(f"sqlite:///{tmp_path / 'file' / 'x.db'}"),
        SystemClock(),
    )
    source.start()
    try:
        seen = until(lambda: source.observe("events"), lambda o: not o.part("kafka").ok and not o.part("database").ok)
        view = build(seen)
        assert view.state is State.FROZEN
        assert "kafka.bootstrap" in view.opening.detail
        assert "database" in view.notices[0].text
        assert source.ready()
    finally:
        source.stop()


def test_budgets_are_read_from_the_newest_evaluations(tmp_path: Path) -> None:
    evaluations(tmp_path / "x.db", 1_800_000_000.0)
    budgets = Budgets(lambda: open_database(f"sqlite:///{tmp_path / 'x.db'}"), ("events",))
    budgets.start()
    try:
        deadline = time.monotonic() + LIMIT_S
        while not (rows := budgets.rows("events", 1_800_000_005.0)):
            assert time.monotonic() < deadline
            time.sleep(0.05)
    finally:
        budgets.stop()
    assert {row.slo for row in rows} >= {"events-freshness-protected", "events-oldest-age"}
    assert {row.target for row in rows} == {"99.99 %", "99.9 %", "99 %", "95 %"}
    assert all(row.state == "frozen" for row in rows)


def test_objectives_of_no_pipeline_are_shown_with_every_one_and_those_of_others_are_not(tmp_path: Path) -> None:
    row = evaluations(tmp_path / "x.db", 1_800_000_000.0)[0]
    engine = open_database(f"sqlite:///{tmp_path / 'x.db'}")
    History(engine).save(
        [replace(row, slo="export", pipeline="web"), replace(row, slo="clicks-lag", pipeline="clicks")]
    )
    engine.dispose()
    budgets = Budgets(lambda: open_database(f"sqlite:///{tmp_path / 'x.db'}"), ("events", "clicks"))
    budgets.start()
    try:
        deadline = time.monotonic() + LIMIT_S
        while not budgets.rows("events", 1_800_000_005.0):
            assert time.monotonic() < deadline
            time.sleep(0.05)
    finally:
        budgets.stop()
    assert {row.slo for row in budgets.rows("clicks", 1_800_000_005.0)} == {"clicks-lag", "export"}
    assert {"export", "events-lag"} <= {row.slo for row in budgets.rows("events", 1_800_000_005.0)}


def test_a_pair_is_as_well_known_as_the_worse_known_of_its_windows(tmp_path: Path) -> None:
    row = evaluations(tmp_path / "x.db", 1_800_000_000.0)[0]
    pair = replace(row.pairs[0], long_coverage=1.0, short_coverage=0.6)
    assert burn_now(replace(row, pairs=(pair,)), 1_800_000_005.0).coverage == 0.6
    unknown = replace(pair, long_coverage=None, short_coverage=None)
    assert burn_now(replace(row, pairs=(unknown,)), 1_800_000_005.0).coverage is None


def test_an_evaluation_that_is_old_is_frozen_whatever_it_said(tmp_path: Path) -> None:
    clock = ManualClock()
    row = evaluations(tmp_path / "x.db", clock.now())[0]
    assert "nobody evaluates" not in burn_now(row, clock.now() + 100).note
    old = burn_now(row, clock.now() + 121)
    assert (old.state, old.exhausts_s) == ("frozen", None)
    assert "last evaluated 2 min ago" in old.note
