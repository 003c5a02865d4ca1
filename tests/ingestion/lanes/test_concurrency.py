"""Many threads for one lane: every key in order, every record settled once, whatever the handler does and however long it takes."""

import threading
import time
from collections import Counter, defaultdict
from dataclasses import dataclass, field

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ingestion.contracts.names import Lane
from ingestion.contracts.records import Done, Invalid, Outcome, Record, Retry
from ingestion.contracts.telemetry import Kind
from ingestion.lanes.chunk import Chunk
from ingestion.lanes.handler import PerRecord
from ingestion.lanes.handling import Handling
from ingestion.lanes.share import Share
from slo.clock import SystemClock
from tests.support.lane_messages import message


@dataclass(frozen=True)
class Plan:
    """What the handler does for one record: waits, then fails or asks for a retry so many times before it answers."""

    key: str
    partition: int
    wait_ms: float
    fails: int = 0
    retries: int = 0
    invalid: bool = False


PLANS = st.lists(
    st.builds(
        Plan,
        key=st.sampled_from("abcdefgh"),
        partition=st.integers(0, 2),
        wait_ms=st.floats(0, 2),
        fails=st.sampled_from([0, 0, 0, 0, 1, 2, 3, 9]),
        retries=st.sampled_from([0, 0, 0, 0, 1, 2]),
        invalid=st.sampled_from([False, False, False, True]),
    ),
    min_size=1,
    max_size=40,
)


@dataclass
class Scripted:
    """A function of one record, or (`batches`) a handler of batches, that keeps the contract and remembers its effects in their order."""

    plans: dict[tuple[int, int], Plan]
    effects: list[tuple[int, str, int]] = field(default_factory=list)
    calls: Counter[tuple[int, int]] = field(default_factory=Counter)
    lock: threading.Lock = field(default_factory=threading.Lock)

    def one(self, record: Record) -> Outcome:
        plan, at = self.plans[record.partition, record.offset], (record.partition, record.offset)
        time.sleep(plan.wait_ms / 1_000)
        with self.lock:
            self.calls[at] += 1
            tries = self.calls[at]
        if tries <= plan.retries:
            return Retry(0.0)
        if tries <= plan.retries + plan.fails:
            raise RuntimeError("not yet")
        if plan.invalid:
            return Invalid("never")
        with self.lock:
            self.effects.append((record.partition, record.distinct_id, record.offset))
        return Done()

    def handle(self, batch):
        outcomes: list[Outcome] = []
        for record in batch:
            stopped = outcomes and isinstance(outcomes[-1], Retry) and outcomes[-1]
            outcomes.append(stopped or self.one(record))
        return outcomes


def work_off(handling: Handling, plans: dict[tuple[int, int], Plan]) -> Counter[tuple[int, int, str]]:
    """What a worker does with the records of all partitions: chunk after chunk, the cut ones again. Returns how each was settled."""
    left = {p: [m for m in range(100) if (p, m) in plans] for p in range(3)}
    settled: Counter[tuple[int, int, str]] = Counter()
    for turn in range(200):
        if not any(left.values()):
            return settled
        shares = []
        for p, offsets in left.items():
            messages = [message(o, key=plans[p, o].key, partition=p) for o in offsets[:15]]
            if messages:
                shares.append(Share(p, messages, [m.headers() for m in messages], [b"acme"] * len(messages)))
        chunk = Chunk(turn, shares)
        chunk.prepare(Lane.GENERAL)
        job = handling.start(chunk.records)
        assert job.wait(20)
        assert job.crash is None
        chunk.apply(job.settled)
        for share in chunk.shares:
            for i, one in enumerate(share.messages):
                verdict = share.verdicts.get(i)
                kind = verdict.kind if verdict else Kind.GOOD
                settled[share.partition, one.offset(), kind] += 1
                assert verdict or i in (share.costs or {}), "a record is neither done nor given up"
            del left[share.partition][: len(share)]
    raise AssertionError("the records were not worked off")


@pytest.mark.parametrize("batches", [False, True], ids=["by-record", "by-batch"])
@settings(max_examples=40, deadline=None)
@given(drawn=PLANS)
def test_every_key_is_in_order_and_every_record_is_settled_once(drawn, batches) -> None:
    offsets: Counter[int] = Counter()
    plans = {}
    for plan in drawn:
        plans[plan.partition, offsets[plan.partition]] = plan
        offsets[plan.partition] += 1
    scripted = Scripted(plans)
    handler = scripted if batches else PerRecord(scripted.one, "scripted")
    handling = Handling(handler, 4, SystemClock(), lambda _: True, "t")
    handling._stop.set()  # the pauses between tries are 0
    settled = work_off(handling, plans)
    handling.close()
    assert set(settled.values()) <= {1}
    assert {at[:2] for at in settled} == set(plans)
    first: dict[tuple[int, str], list[int]] = defaultdict(list)
    for partition, key, offset in scripted.effects:
        if offset not in first[partition, key]:
            first[partition, key].append(offset)  # what comes again does not count: effects are idempotent
    for order in first.values():
        assert order == sorted(order)
    done = {(p, offset) for p, offset, kind in settled if kind is Kind.GOOD}
    assert done == {(p, offset) for p, _, offset in scripted.effects}


def test_a_dead_letter_that_is_cut_off_with_its_chunk_is_not_overtaken_by_a_later_record_of_its_key() -> None:
    """Found by the property above: b's first record failed, its second was done, and a's retry threw the dead letter away; then the first one worked."""
    plans = {(0, 0): Plan("a", 0, 0.0, retries=2), (0, 1): Plan("b", 0, 0.0, fails=9), (0, 2): Plan("b", 0, 0.0)}
    scripted = Scripted(plans)
    handling = Handling(scripted, 2, SystemClock(), lambda _: True, "t")
    handling._stop.set()
    settled = work_off(handling, plans)
    handling.close()
    assert set(settled.values()) == {1}
    order = [offset for _, key, offset in scripted.effects if key == "b"]
    assert order[0] == min(order)


def test_sixteen_threads_do_sixteen_times_the_work_and_bill_every_second_of_it() -> None:
    handling = Handling(PerRecord(lambda _: time.sleep(0.005), "t"), 16, SystemClock(), lambda _: True, "t")
    batch = [
        Record(Lane.GENERAL, "p", 0, i, "t", f"d{i % 200}", "e", "x", 0, 0, "s", b"d%d" % (i % 200), b"")
        for i in range(640)
    ]
    start = time.monotonic()
    job = handling.start(batch)
    assert job.wait(20)
    wall = time.monotonic() - start
    handling.close()
    work = sum(one.cost for one in job.settled)
    assert work >= 640 * 0.005
    assert work == pytest.approx(job.busy_s, rel=0.1), "costs are the handler's seconds, summed over the threads"
    assert work / wall >= 10, "the threads waited for each other"


def test_a_slow_record_does_not_keep_the_other_threads_from_the_rest() -> None:
    def one(record: Record) -> None:
        time.sleep(0.3 if record.offset == 0 else 0.002)

    handling = Handling(PerRecord(one, "t"), 4, SystemClock(), lambda _: True, "t")
    batch = [Record(Lane.GENERAL, "p", 0, i, "t", "d", "e", "x", 0, 0, "s", b"d%d" % i, b"") for i in range(300)]
    start = time.monotonic()
    assert handling.start(batch).wait(10)
    assert time.monotonic() - start < 0.6
    handling.close()
