"""Handlers that hang or fail, on a real Kafka: the sentences of the design about handler trouble, one by one."""

import threading
import time
from collections import Counter
from collections.abc import Callable
from itertools import pairwise

import pytest

from ingestion.contracts import headers as h
from ingestion.contracts.names import Lane
from ingestion.contracts.records import Done, Record
from ingestion.contracts.telemetry import TroubleKind
from ingestion.lanes.breaker import GRACE
from ingestion.lanes.fence import CAPACITY, token_hash
from ingestion.lanes.handler import PerRecord
from ingestion.lanes.metadata import Suspect, decode
from ingestion.lanes.topics import ensure_topics
from ingestion.lanes.worker import HUNG_EXIT
from tests.support.lanes import Bench, Notes, Running, working
from tests.support.waiting import until

pytestmark = pytest.mark.kafka

HUNG_S = 1.0


class Sick:
    """A function of one record that hangs (until `cured`) on the events named, and notes what it has done, across restarts."""

    def __init__(self, *hangs: str) -> None:
        self.hangs = set(hangs)
        self.cured = threading.Event()
        self.done: list[Record] = []
        self.started: list[Record] = []

    def __call__(self, record: Record) -> None:
        self.started.append(record)
        if record.event in self.hangs:
            self.cured.wait(60)
        else:
            self.done.append(record)

    def handler(self) -> PerRecord:
        return PerRecord(self, "sick")


@pytest.fixture
def bench(kafka, kafka_config, pipeline_config):
    pipeline = pipeline_config.model_copy(
        update={"partitions": 2, "hold_max_s": 1.0, "session_timeout_s": 6.0, "hung_s": HUNG_S}
    )
    ensure_topics(kafka.admin(), pipeline, local=True)
    with working(kafka_config, pipeline) as made:
        yield made


def supervised(
    bench: Bench, lane: Lane, make: Callable[[], object], over: Callable[[], bool], starts: int = 0
) -> list[int]:
    """Start the lane's worker again whenever it ends with HUNG_EXIT, until `over` or so many `starts`; returns the exit codes."""
    codes: list[int] = []

    def turn(running: Running) -> bool:
        return running.code is not None or over()

    for _ in range(6):
        running = bench.worker(lane, make())
        until(lambda r=running: turn(r), 25)
        if running.code is None:
            return codes
        codes.append(running.code)
        if len(codes) == starts:
            return codes
    raise AssertionError(f"the worker was started too often: {codes}")


def test_a_record_that_runs_on_is_in_telemetry_with_its_token_before_it_ends(bench) -> None:
    bench.pipeline = bench.pipeline.model_copy(update={"hung_s": 30.0})
    sick = Sick("1")
    bench.worker(Lane.GENERAL, sick.handler())
    bench.send(["calm", "bad"], keys=1)
    until(lambda: any(r.event == "1" for r in sick.started), 20)
    time.sleep(2.2)
    _, reports = bench.telemetry()
    seen = [p for r in reports for p in r.partitions if p.in_flight_token == "bad"]
    assert seen
    assert seen[-1].in_flight_s >= 1.0
    sick.cured.set()


def test_a_hung_record_is_quarantined_on_the_second_try_and_a_dead_letter_there(bench) -> None:
    sick = Sick("2")
    bench.send(["a", "b", "bad", "b", "bad", "a"], keys=1)
    codes = supervised(bench, Lane.GENERAL, sick.handler, lambda: bench.lag(Lane.GENERAL) == 0)
    assert codes == [HUNG_EXIT], "one hang in general: then its token is wanted in quarantine"
    assert [r.event for r in sick.done if r.token == "bad"] == []
    _, reports = bench.telemetry()
    told = [t for r in reports for t in r.troubles]
    assert {(t.token, t.kind) for t in told} == {("bad", TroubleKind.HUNG)}
    dead = bench.pipeline.names.dead
    codes = supervised(bench, Lane.QUARANTINE, sick.handler, lambda: bench.lag(Lane.QUARANTINE) == 0)
    assert codes == [HUNG_EXIT], "one hang in quarantine: then the record is given up"
    assert [(h.get(m.headers(), h.EVENT), h.get(m.headers(), h.DEAD_REASON)) for m in bench.read(dead)] == [
        ("2", "hung")
    ]
    sick.cured.set()
    assert {r.event for r in sick.done} == {"0", "1", "3", "4", "5"}
    assert [r.lane for r in sick.done if r.event == "4"] == [Lane.QUARANTINE], "its token went as a whole"


def test_the_suspect_is_committed_with_f_where_its_chunk_began_and_another_slot_acts_on_it(bench) -> None:
    sick = Sick("5")
    bench.route("moved", Lane.OVERFLOW)
    bench.send(["moved", "a", "a", "moved", "a", "bad", "a"], keys=1)
    (code,) = supervised(bench, Lane.GENERAL, sick.handler, lambda: False, starts=1)
    assert code == HUNG_EXIT
    partition, offset = next((r.partition, r.offset) for r in sick.started if r.event == "5")
    position, metadata = bench.committed(Lane.GENERAL)[partition]
    fence, suspect = decode(metadata)
    assert suspect == Suspect(offset, 1)
    assert position <= offset
    done = [r.offset for r in sick.done]
    assert all(o >= position for o in done) or position == offset, "what was handled but not committed comes again"
    if position > 0:
        assert set(fence.entries) == {(token_hash(b"moved"), Lane.OVERFLOW)}, "F went with it"
    bench.worker(Lane.GENERAL, sick.handler(), slot="1")
    until(lambda: bench.lag(Lane.GENERAL) == 0, 25)
    assert [h.get(m.headers(), h.EVENT) for m in bench.read(bench.pipeline.names.topic(Lane.QUARANTINE))] == ["5"]
    assert decode(bench.committed(Lane.GENERAL)[partition][1])[1] is None, "past the suspect nobody is suspected"
    sick.cured.set()


def test_once_past_the_suspect_routes_rule_again_and_the_fence_keeps_the_order(bench) -> None:
    sick = Sick("0")
    bench.send(["bad", "a"], keys=1)
    supervised(bench, Lane.GENERAL, sick.handler, lambda: bench.lag(Lane.GENERAL) == 0)
    quarantine = Sick()
    bench.worker(Lane.QUARANTINE, quarantine.handler())
    until(lambda: bench.lag(Lane.QUARANTINE) == 0, 20)
    bench.send(["bad"] * 3, keys=1)
    until(lambda: len(sick.done) == 4, 20)
    assert [r.lane for r in sick.done if r.token == "bad"] == [Lane.GENERAL] * 3
    assert [r.event for r in quarantine.done] == ["0"]
    sick.cured.set()


def test_when_moves_are_refused_it_is_tried_here_and_then_given_up(bench) -> None:
    from ingestion.lanes.fence import Fence
    from ingestion.lanes.metadata import encode

    # F is full of tokens that are in flight far ahead in a lane that nobody drains
    full = Fence({(token_hash(b"other-%d" % i), Lane.OVERFLOW): 1_000_000 for i in range(CAPACITY)})
    sick = Sick("1")
    bench.send(["a", "bad", "a"], keys=1)
    bench.commit(Lane.GENERAL, {0: 0, 1: 0}, encode(full))
    codes = supervised(bench, Lane.GENERAL, sick.handler, lambda: bench.lag(Lane.GENERAL) == 0)
    assert codes == [HUNG_EXIT, HUNG_EXIT], "found, tried a second time, then a dead letter"
    (dead,) = bench.read(bench.pipeline.names.dead)
    assert (h.get(dead.headers(), h.DEAD_REASON), h.get(dead.headers(), h.TOKEN)) == ("hung", "bad")
    assert {r.event for r in sick.done} == {"0", "2"}
    sick.cured.set()


def test_a_batch_that_hangs_is_tried_one_by_one_and_other_partitions_go_on(bench) -> None:
    """The handler takes batches, so nobody can tell at first which record it was."""
    release = threading.Event()
    done: list[Record] = []

    class Batches:
        def handle(self, batch):
            if any(r.token == "bad" for r in batch):
                release.wait(60)
            time.sleep(0.002 * len(batch))
            done.extend(batch)
            return [Done()] * len(batch)

    bench.send(["a"] * 120, keys=8)
    bench.send(["bad"], keys=1)
    bench.send(["a"] * 120, keys=8)
    codes = supervised(bench, Lane.GENERAL, Batches, lambda: bench.lag(Lane.GENERAL) == 0)
    assert codes == [HUNG_EXIT, HUNG_EXIT], "a batch hung, then the record was found"
    release.set()
    assert len({r.source for r in done}) == 240
    order = [r.partition for r in done[-200:]]
    changes = sum(a != b for a, b in pairwise(order))
    assert changes > 2, "one partition was worked off before the other had a turn"


def test_with_many_threads_the_hung_one_is_known_and_what_the_others_did_is_done_once_more_at_most(bench) -> None:
    bench.pipeline = bench.pipeline.model_copy(update={"concurrency": 4})
    sick = Sick("20")
    bench.send(["a"] * 20 + ["bad"] + ["a"] * 60, keys=16)
    codes = supervised(bench, Lane.GENERAL, sick.handler, lambda: bench.lag(Lane.GENERAL) == 0)
    assert codes == [HUNG_EXIT]
    counts = Counter(r.event for r in sick.done)
    assert set(counts) == {str(i) for i in range(81) if i != 20}
    assert max(counts.values()) <= 2
    sick.cured.set()


def only_good(record: Record) -> Done:
    if record.token == "bad":
        raise ValueError("cannot")
    return Done()


def dead(bench: Bench) -> Counter[tuple[str | None, str | None]]:
    """(lane, token) -> dead letters."""
    found = bench.read(bench.pipeline.names.dead)
    return Counter((h.get(m.headers(), h.DEAD_LANE), h.get(m.headers(), h.TOKEN)) for m in found)


def test_one_tokens_failures_send_it_to_quarantine_at_once_and_are_reported(bench) -> None:
    bench.route("calm", Lane.QUARANTINE)
    bench.worker(Lane.GENERAL, PerRecord(only_good, "general"))
    bench.worker(Lane.QUARANTINE, PerRecord(only_good, "quarantine"))
    bench.send(["a", "bad", "calm", "calm"] * 25, keys=3)
    until(lambda: bench.lag(Lane.GENERAL) == 0 and bench.lag(Lane.QUARANTINE) == 0, 90)
    by_lane = dead(bench)
    assert by_lane[Lane.GENERAL.value, "bad"] <= 14, "no more than it takes to be sure"
    assert by_lane[Lane.QUARANTINE.value, "bad"] >= 11, "there its records are given up: calm's are done all the while"
    assert sum(by_lane.values()) == 25
    assert {token for _, token in by_lane} == {"bad"}
    until(lambda: any(t.kind is TroubleKind.FAILING for r in bench.telemetry()[1] for t in r.troubles), 10)


def test_a_broken_sink_in_a_lane_with_one_token_pauses_it_and_loses_nothing_more(bench) -> None:
    cured, tried = threading.Event(), Counter[str]()

    def answer(record: Record) -> Done:
        tried[record.source] += 1
        if not cured.is_set():
            raise ConnectionError("the sink is away")
        return Done()

    bench.route("moved", Lane.OVERFLOW)
    bench.worker(Lane.GENERAL, Notes())
    overflow = bench.worker(Lane.OVERFLOW, PerRecord(answer, "overflow"))
    bench.send(["moved"] * 120, keys=16)
    until(lambda: overflow.worker.live() and not overflow.worker.ready() and len(tried) > GRACE, 60)
    given_up = sum(dead(bench).values())
    assert given_up <= GRACE, "a few that look like bad records, and no more"
    time.sleep(5.0)  # tried again and again meanwhile
    assert sum(dead(bench).values()) == given_up
    cured.set()
    until(lambda: bench.lag(Lane.OVERFLOW) == 0, 60)
    assert sum(dead(bench).values()) == given_up
    until(overflow.worker.ready, 20)
