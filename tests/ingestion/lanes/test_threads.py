"""`concurrency: N` on a real Kafka: many threads, and still every key in order, through retries, dead letters and moves."""

import threading
import time
from collections import Counter, defaultdict

import pytest

from ingestion.contracts import headers as h
from ingestion.contracts.names import Lane
from ingestion.contracts.records import Done, Outcome, Record, Retry
from ingestion.lanes.handler import PerRecord
from ingestion.lanes.topics import ensure_topics
from tests.support.lanes import working
from tests.support.waiting import until

pytestmark = pytest.mark.kafka

THREADS = 8


class Crowd:
    """A function of one record that many threads call: notes who was inside with whom, and the order of effects. `answer` may raise."""

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.inside: Counter[tuple[str, str]] = Counter()
        self.most_at_once = 0
        self.same_key_at_once = 0
        self.tries: Counter[str] = Counter()
        self.applied: list[Record] = []

    def __call__(self, record: Record) -> Outcome | None:
        key = record.token, record.distinct_id
        with self.lock:
            self.inside[key] += 1
            self.tries[record.source] += 1
            tries = self.tries[record.source]
            self.most_at_once = max(self.most_at_once, self.inside.total())
            self.same_key_at_once = max(self.same_key_at_once, self.inside[key])
        number = int(record.event)
        try:
            time.sleep(0.001 + number % 7 / 1_000)
            if number % 61 == 5 and tries <= 2:
                return Retry(0.1)
            if number % 89 == 7 and tries <= 2:
                raise OSError("not yet")
            if number == 300:
                raise ValueError("never")
            with self.lock:
                self.applied.append(record)
            return Done()
        finally:
            with self.lock:
                self.inside[key] -= 1

    def first_effects(self) -> dict[tuple[str, str], list[int]]:
        """(token, distinct_id) -> source offsets in the order in which they were first applied."""
        found: dict[tuple[str, str], list[int]] = defaultdict(list)
        for record in self.applied:
            offset = int(record.source.rpartition("/")[2])
            key = record.token, record.distinct_id
            if offset not in found[key]:
                found[key].append(offset)
        return found


@pytest.fixture
def bench(kafka, kafka_config, pipeline_config):
    pipeline = pipeline_config.model_copy(
        update={"partitions": 2, "hold_max_s": 1.0, "session_timeout_s": 6.0, "concurrency": THREADS}
    )
    ensure_topics(kafka.admin(), pipeline, local=True)
    with working(kafka_config, pipeline) as made:
        yield made


def test_every_key_is_in_order_through_retries_dead_letters_and_a_move_there_and_back(bench) -> None:
    crowd = Crowd()
    bench.send(["a", "b", "moved"] * 150, keys=40)
    bench.worker(Lane.GENERAL, PerRecord(crowd, "general"))
    bench.worker(Lane.OVERFLOW, PerRecord(crowd, "overflow"))
    until(lambda: len(crowd.applied) >= 100, 30)
    bench.route("moved", Lane.OVERFLOW)
    bench.send(["a", "b", "moved"] * 100, keys=40)
    until(lambda: any(r.lane is Lane.OVERFLOW for r in crowd.applied), 30)
    bench.route("moved", Lane.GENERAL)
    bench.send(["a", "b", "moved"] * 50, keys=40)
    until(lambda: bench.lag(Lane.GENERAL) == 0 and bench.lag(Lane.OVERFLOW) == 0, 60)
    assert [h.get(m.headers(), h.EVENT) for m in bench.read(bench.pipeline.names.dead)] == ["300"]
    assert {int(r.event) for r in crowd.applied} == set(range(900)) - {300}
    for key, offsets in crowd.first_effects().items():
        assert offsets == sorted(offsets), f"{key} is out of order"
    assert crowd.most_at_once >= THREADS // 2, "the threads were not used"
    assert crowd.same_key_at_once == 1, "two threads had one key at the same time"


def test_a_retry_ends_only_its_own_partitions_share(bench) -> None:
    stuck, done = threading.Event(), Counter[int]()

    def answer(record: Record) -> Outcome:
        if record.partition == 0 and not stuck.is_set():
            return Retry(0.1)
        done[record.partition] += 1
        return Done()

    bench.send(["a"] * 200, keys=16)
    bench.worker(Lane.GENERAL, PerRecord(answer, "t"))
    until(lambda: sum(n for p, n in done.items() if p) >= 50, 30)
    time.sleep(1.0)
    others = done[1]
    assert done[0] == 0
    stuck.set()
    until(lambda: bench.lag(Lane.GENERAL) == 0, 60)
    assert done[1] >= others > 0
    assert done.total() >= 200
