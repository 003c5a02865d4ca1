"""Lane workers on a real Kafka: every record once, every key in order, whatever the handler and the routes do."""

import threading
import time
from collections import Counter

import pytest

from ingestion.contracts import headers as h
from ingestion.contracts.names import Lane
from ingestion.contracts.records import Done, Invalid, Retry
from ingestion.contracts.telemetry import Kind
from ingestion.lanes.topics import ensure_topics
from ingestion.lanes.worker import HUNG_EXIT
from slo.errors import BrokerUnreachable, RefusedTopic
from tests.support.lanes import Notes, working
from tests.support.waiting import until

pytestmark = pytest.mark.kafka


@pytest.fixture
def bench(kafka, kafka_config, pipeline_config):
    pipeline = pipeline_config.model_copy(update={"partitions": 2, "hold_max_s": 1.0, "session_timeout_s": 6.0})
    ensure_topics(kafka.admin(), pipeline, local=True)
    with working(kafka_config, pipeline) as made:
        yield made


def all_once_and_in_order(bench, *handlers: Notes) -> None:
    """Together the handlers applied every record once; in each of them every key is in order."""
    sources = Counter(r.source for handler in handlers for r in handler.applied)
    assert len(sources) == bench.sent
    assert set(sources.values()) == {1}
    for handler in handlers:
        for offsets in handler.keys().values():
            assert offsets == sorted(offsets)


def test_every_record_is_handled_once_and_in_order_and_counted(bench) -> None:
    notes = Notes()
    bench.worker(Lane.GENERAL, notes)
    bench.send(["a", "b", "c"] * 200)
    until(lambda: len(notes.applied) >= 600, 20)
    until(lambda: bench.lag(Lane.GENERAL) == 0, 10)
    all_once_and_in_order(bench, notes)
    first = notes.applied[0]
    assert first.lane is Lane.GENERAL
    assert first.source == f"{first.topic}/{first.partition}/{first.offset}"
    assert 0 <= first.appended_at - first.captured_at < 60_000
    until(lambda: bench.telemetry()[1], 10)
    counts, reports = bench.telemetry()
    assert sum(c.count for m in counts for c in m.counts if c.kind is Kind.GOOD) == 600
    assert {p.partition for r in reports for p in r.partitions} == {0, 1}
    assert sum(t.records for r in reports for t in r.tokens) <= 600


def test_a_moved_token_goes_to_overflow_with_its_backlog_in_order(bench) -> None:
    bench.send(["hot", "calm", "hot"] * 200)
    bench.route("hot", Lane.OVERFLOW)
    general, overflow = Notes(), Notes()
    bench.worker(Lane.GENERAL, general)
    bench.worker(Lane.OVERFLOW, overflow)
    until(lambda: len(general.applied) + len(overflow.applied) >= 600, 20)
    all_once_and_in_order(bench, general, overflow)
    assert {r.token for r in general.applied} == {"calm"}
    assert {r.token for r in overflow.applied} == {"hot"}
    assert {r.source.split("/")[0] for r in overflow.applied} == {bench.pipeline.names.topic(Lane.GENERAL)}
    until(lambda: bench.lag(Lane.OVERFLOW) == 0, 10)
    counts, _ = bench.telemetry()
    kinds = Counter()
    for told in counts:
        for c in told.counts:
            kinds[told.lane, c.kind] += c.count
    assert kinds == {
        (Lane.GENERAL, Kind.FORWARDED): 400,
        (Lane.GENERAL, Kind.GOOD): 200,
        (Lane.OVERFLOW, Kind.GOOD): 400,
    }


def test_a_token_comes_back_only_when_overflow_has_drained(bench) -> None:
    general, overflow = Notes(), Notes(work_s=0.004)
    bench.route("hot", Lane.OVERFLOW)
    bench.worker(Lane.GENERAL, general)
    bench.worker(Lane.OVERFLOW, overflow)
    bench.send(["hot"] * 300)
    until(lambda: len(overflow.applied) >= 20, 20)
    bench.route("hot", Lane.GENERAL)
    for _ in range(30):
        bench.send(["hot", "calm"] * 5)
        time.sleep(0.1)
    until(lambda: len(general.applied) + len(overflow.applied) >= bench.sent, 30)
    all_once_and_in_order(bench, general, overflow)
    back = [r for r in general.applied if r.token == "hot"]
    assert back, "the token never came back"
    for key, offsets in general.keys().items():
        there = overflow.keys().get(key, [])
        assert not there or max(there) < min(offsets)


def test_lost_metadata_holds_everything_until_the_lanes_have_drained(bench) -> None:
    bench.send(["hot"] * 50)
    bench.route("hot", Lane.OVERFLOW)
    mover = bench.worker(Lane.GENERAL, None)
    until(lambda: bench.lag(Lane.GENERAL) == 0, 20)
    mover.leave()
    bench.commit(Lane.GENERAL, committed_of(bench, Lane.GENERAL))
    bench.route("hot", Lane.GENERAL)
    bench.send(["hot", "calm"] * 25)
    general, overflow = Notes(), Notes()
    bench.worker(Lane.GENERAL, general)
    time.sleep(3)  # well over hold_max: a wildcard hold never forwards, and never gives up
    assert general.given == []
    bench.worker(Lane.OVERFLOW, overflow)
    until(lambda: len(general.applied) == 50, 20)
    all_once_and_in_order(bench, general, overflow)


def committed_of(bench, lane: Lane) -> dict[int, int]:
    from confluent_kafka import Consumer, TopicPartition

    client = Consumer(bench.kafka.client(group_id=bench.pipeline.names.group(lane)))
    topic = bench.pipeline.names.topic(lane)
    found = client.committed([TopicPartition(topic, p) for p in range(bench.pipeline.partitions)], 10)
    client.close()
    return {tp.partition: tp.offset for tp in found if tp.offset >= 0}


def test_a_retry_comes_again_in_order_and_is_never_a_dead_letter(bench) -> None:
    seen: Counter[str] = Counter()

    def answer(record):
        seen[record.source] += 1
        return Retry(0.1) if int(record.event) % 40 == 7 and seen[record.source] <= 3 else Done()

    class Stops(Notes):
        """Applies nothing behind a Retry, as the contract says."""

        def handle(self, batch, /):
            outcomes, stopped = [], set()
            for r in batch:
                outcome = Retry(0.1) if r.partition in stopped else answer(r)
                if isinstance(outcome, Retry):
                    stopped.add(r.partition)
                else:
                    self.applied.append(r)
                outcomes.append(outcome)
            return outcomes

    notes = Stops()
    bench.send(["a"] * 200)
    bench.worker(Lane.GENERAL, notes)
    until(lambda: bench.lag(Lane.GENERAL) == 0, 40)
    all_once_and_in_order(bench, notes)
    assert bench.read(bench.pipeline.names.dead) == []


def test_invalid_and_poisonous_records_are_dead_letters_with_their_reason(bench) -> None:
    def answer(record):
        if record.event == "5":
            return Invalid("no such event")
        if record.event == "9":
            raise ValueError("cannot")
        return Done()

    class PerBatch(Notes):
        """Idempotent, as handlers must be: a batch that raised comes again in halves."""

        def handle(self, batch, /):
            kept = list(self.applied)
            try:
                return super().handle(batch)
            except ValueError:
                self.applied = kept
                raise

    notes = PerBatch(answer)
    bench.send(["a"] * 20)
    bench.send([None])
    bench.worker(Lane.GENERAL, notes)
    until(lambda: bench.lag(Lane.GENERAL) == 0, 30)
    dead = {h.get(m.headers(), h.EVENT): m.headers() for m in bench.read(bench.pipeline.names.dead)}
    assert {event: h.get(own, h.DEAD_REASON) for event, own in dead.items()} == {
        "5": "invalid",
        "9": "handler-error",
        "20": "no-token",
    }
    assert h.get(dead["9"], h.DEAD_DETAIL) == "ValueError: cannot"
    assert h.get(dead["5"], h.DEAD_LANE) == "general"
    assert h.get(dead["5"], h.TOKEN) == "a"
    assert len(notes.applied) == 18
    counts, _ = bench.telemetry()
    kinds = Counter()
    for c in (c for told in counts for c in told.counts):
        kinds[c.kind] += c.count
    assert kinds == {Kind.GOOD: 18, Kind.INVALID: 2, Kind.DEAD: 1}


def test_a_handler_that_always_fails_pauses_the_lane_instead_of_emptying_it(bench) -> None:
    def broken(_):
        raise ConnectionError("sink is down")

    notes = Notes(broken)
    bench.send([f"t{i}" for i in range(300)])
    running = bench.worker(Lane.GENERAL, notes)
    until(lambda: running.worker.live() and not running.worker.ready() and len(notes.given) > 30, 30)
    time.sleep(1.0)
    given_up = len(bench.read(bench.pipeline.names.dead))
    assert given_up <= 10
    notes.answer = lambda _: Done()
    until(lambda: len(notes.applied) + given_up >= 300, 40)
    until(running.worker.ready, 10)


def test_canaries_are_counted_and_handled_by_nobody(bench) -> None:
    notes = Notes()
    bench.send(["a"] * 5)
    bench.send(["$canary"] * 3, extra=[(h.CANARY, b"1")])
    bench.worker(Lane.GENERAL, notes)
    until(lambda: bench.lag(Lane.GENERAL) == 0, 20)
    assert len(notes.given) == 5
    counts, _ = bench.telemetry()
    assert sum(c.count for told in counts for c in told.counts if c.kind is Kind.CANARY) == 3


def test_a_stop_finishes_the_chunk_and_commits_it(bench) -> None:
    notes = Notes(work_s=0.002)
    bench.send(["a"] * 1_000)
    running = bench.worker(Lane.GENERAL, notes)
    until(lambda: len(notes.applied) > 50, 20)
    assert running.leave() < 10
    assert running.code == 0
    assert sum(committed_of(bench, Lane.GENERAL).values()) == len(notes.applied)
    rest = Notes()
    bench.worker(Lane.GENERAL, rest)
    until(lambda: bench.lag(Lane.GENERAL) == 0, 20)
    all_once_and_in_order(bench, notes, rest)


def test_a_stop_leaves_a_chunk_uncommitted_when_the_handler_does_not_finish(bench) -> None:
    release = threading.Event()

    def stuck(_):
        release.wait(30)
        return Done()

    running = bench.worker(Lane.GENERAL, Notes(stuck))
    bench.send(["a"] * 3)
    until(lambda: running.worker._chunk is not None, 20)
    assert running.leave() < 10
    release.set()
    rest = Notes()
    bench.worker(Lane.GENERAL, rest)
    until(lambda: len(rest.applied) == 3, 20)


def test_a_second_worker_takes_over_half_of_the_partitions_in_order(bench) -> None:
    first, second = Notes(work_s=0.001), Notes(work_s=0.001)
    bench.worker(Lane.GENERAL, first)
    bench.send(["a"] * 500)
    until(lambda: len(first.applied) > 50, 20)
    bench.worker(Lane.GENERAL, second, slot="1")

    def more() -> bool:
        bench.send(["a"] * 60)
        time.sleep(0.1)
        return len(second.applied) > 50

    until(more, 30)
    until(lambda: len(first.applied) + len(second.applied) >= bench.sent, 40)
    all_once_and_in_order(bench, first, second)


def test_side_lanes_without_records_commit_so_that_their_lag_is_zero(bench) -> None:
    for lane in (Lane.OVERFLOW, Lane.QUARANTINE):
        bench.worker(lane, Notes())
        until(lambda lane=lane: bench.lag(lane) == 0, 15)


def test_a_hung_record_moves_its_token_and_then_dies_alone(kafka, kafka_config, bench) -> None:
    bench.pipeline = bench.pipeline.model_copy(update={"hung_s": 1.0})
    release = threading.Event()

    def hang(record):
        if record.event == "2":
            release.wait(60)
        return Done()

    bench.send(["a", "b", "bad", "b", "bad", "a"], keys=1)
    handlers = []

    def restart(lane: Lane) -> int | None:
        handlers.append(Notes(hang))
        running = bench.worker(lane, handlers[-1])
        until(lambda: running.code is not None or (lane is Lane.GENERAL and bench.lag(lane) == 0), 20)
        return running.code

    # a batch hung: its records are tried one by one, which finds the suspect; then its token leaves general
    assert restart(Lane.GENERAL) == HUNG_EXIT
    assert restart(Lane.GENERAL) == HUNG_EXIT
    assert restart(Lane.GENERAL) is None
    # in quarantine: found, then given up
    assert restart(Lane.QUARANTINE) == HUNG_EXIT
    codes = []
    while not bench.read(bench.pipeline.names.dead) and len(codes) < 3:
        handlers.append(Notes(hang))
        running = bench.worker(Lane.QUARANTINE, handlers[-1])
        until(lambda r=running: r.code is not None or bench.lag(Lane.QUARANTINE) == 0, 20)
        codes.append(running.code)
    release.set()
    dead = bench.read(bench.pipeline.names.dead)
    assert [(h.get(m.headers(), h.EVENT), h.get(m.headers(), h.DEAD_REASON)) for m in dead] == [("2", "hung")]
    applied = {r.event for notes in handlers for r in notes.applied}
    assert {"0", "1", "3", "4", "5"} <= applied


def test_an_unreachable_kafka_is_said_at_the_start(kafka_config, pipeline_config) -> None:
    nobody = kafka_config.model_copy(update={"bootstrap": "127.0.0.1:9"})
    with working(nobody, pipeline_config) as made:
        running = made.worker(Lane.GENERAL, Notes())
        until(lambda: running.error is not None, 20)
        assert isinstance(running.error, BrokerUnreachable)
        assert "127.0.0.1:9" in str(running.error)


def test_missing_topics_are_said_at_the_start(kafka_config, pipeline_config) -> None:
    with working(kafka_config, pipeline_config) as made:
        running = made.worker(Lane.GENERAL, Notes())
        until(lambda: running.error is not None, 20)
        assert isinstance(running.error, RefusedTopic)
