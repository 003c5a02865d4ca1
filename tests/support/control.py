"""Controllers as processes, and the telemetry of a small pipeline for them."""

import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from zlib import crc32

import psutil
from confluent_kafka import Consumer, Producer, TopicPartition

from fairlane.stack.kafka import LocalKafka
from ingestion.contracts.names import STATE_TOPIC, TELEMETRY_TOPIC, Lane
from ingestion.contracts.routes import Route
from ingestion.contracts.telemetry import (
    ArrivalReport,
    LanePartition,
    PartitionLoad,
    ProbeReport,
    TokenLoad,
    WorkerReport,
    encode,
)
from isolator.constants import Policy
from tests.support.governor import VARIABLE, Spec, Strike

ROOT = Path(__file__).parents[2]
LANE_PARTITIONS = 4
POLICY = Policy(warm_s=2.0, tick_s=0.5, calm_s=1.0, learn_delay_ticks=1)


def eventually(what: Callable[[], bool], limit_s: float = 20.0) -> float:
    """Wait until it holds; returns the seconds that it took."""
    began = time.monotonic()
    while not what():
        assert time.monotonic() - began < limit_s, "it did not come true in time"
        time.sleep(0.05)
    return time.monotonic() - began


class Feed(threading.Thread):
    """Telemetry of a small pipeline, four times a second: twenty quiet tenants, and a flood while `flooding` is set."""

    def __init__(self, kafka: LocalKafka, name: str) -> None:
        super().__init__(daemon=True)
        self.name_ = name
        self.producer = Producer(kafka.config().client())
        self.flooding = threading.Event()
        self.done = threading.Event()
        self.lag = 0

    def partition(self) -> int:
        """Where the pipeline's telemetry belongs now."""
        count = len(self.producer.list_topics(TELEMETRY_TOPIC, 10).topics[TELEMETRY_TOPIC].partitions)
        return crc32(self.name_.encode()) % count

    def run(self) -> None:
        """Until `end`."""
        while not self.done.wait(0.25):
            self.once()

    def once(self) -> None:
        """A quarter of a second."""
        now, quiet = int(time.time() * 1000), 10
        arrived = [TokenLoad(f"quiet-{i}", i % LANE_PARTITIONS, quiet // 4, 100) for i in range(20)]
        if self.flooding.is_set():
            arrived += [TokenLoad("flood", p, 500, 1000, keys=50, top_key_records=10) for p in range(LANE_PARTITIONS)]
            self.lag += 450
        done = tuple(
            TokenLoad(t.token, t.partition, t.records, 100, work_s=t.records * 1e-3)
            for t in arrived
            if t.token != "flood"
        )
        busy = 0.24 / LANE_PARTITIONS if self.flooding.is_set() else 0.01
        loads = tuple(PartitionLoad(p, 0, self.lag, 0, busy, 0, 0, assigned_s=1e6) for p in range(LANE_PARTITIONS))
        lanes = tuple(
            LanePartition(lane, p, 0, 0, self.lag if lane is Lane.GENERAL else 0, 0.0, "exact")
            for lane in (Lane.GENERAL, Lane.OVERFLOW)
            for p in range(LANE_PARTITIONS)
        )
        for message in (
            ArrivalReport(self.name_, now, 0.25, tuple(arrived)),
            WorkerReport(self.name_, now, 0.25, Lane.GENERAL, "0", "dev", 0.0, loads, done),
            WorkerReport(self.name_, now, 0.25, Lane.OVERFLOW, "0", "dev", 0.0, loads, ()),
            ProbeReport(self.name_, now, lanes),
        ):
            self.producer.produce(TELEMETRY_TOPIC, encode(message), self.name_.encode(), self.partition())
        self.producer.flush(5)

    def end(self) -> None:
        """Stop."""
        self.done.set()
        self.join(5)


class Governor:
    """One controller process."""

    def __init__(
        self, kafka: LocalKafka, directory: Path, names: tuple[str, ...], session_s: float, strike: Strike, mode: str
    ) -> None:
        number = len(list(directory.glob("*.json")))
        self._said = directory / f"governor-{number}.json"
        self._said.write_text("{}")
        self._log = directory / f"governor-{number}.log"
        spec = Spec(
            bootstrap=kafka.bootstrap, pipelines=names, session_s=session_s, strike=strike, said=self._said, mode=mode
        )
        with self._log.open("wb") as out:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "tests.support.governor"],
                cwd=ROOT,
                env={**os.environ, VARIABLE: spec.model_dump_json()},
                stdout=out,
                stderr=subprocess.STDOUT,
            )

    @property
    def says(self) -> dict[str, object]:
        """`ready`, `owned` and `writes` (by result), a tenth of a second old at most while it lives."""
        said: dict[str, object] = json.loads(self._said.read_text())
        return said

    @property
    def owned(self) -> set[str]:
        """The pipelines that it holds."""
        return set(self.says.get("owned", ()))  # type: ignore[call-overload]

    def writes(self, result: str) -> float:
        """Its transactions with that result."""
        return dict(self.says.get("writes", {})).get(result, 0.0)  # type: ignore[call-overload]

    def stopped(self) -> bool:
        """Was it suspended?"""
        return psutil.Process(self.process.pid).status() == psutil.STATUS_STOPPED

    def signal(self, number: int) -> None:
        """Send it a signal."""
        self.process.send_signal(number)

    def kill(self) -> None:
        """SIGKILL."""
        self.process.kill()
        self.process.wait(10)

    def words(self) -> str:
        """The end of its log."""
        return self._log.read_text()[-3000:]


class Governors:
    """Starts controller processes and ends them all."""

    def __init__(self, kafka: LocalKafka, directory: Path) -> None:
        self._kafka = kafka
        self._directory = directory
        self.all: list[Governor] = []

    def start(self, *names: str, session_s: float = 1.5, strike: Strike | None = None, mode: str = "auto") -> Governor:
        """One more. `session_s` is short in tests that only want it dead soon."""
        self.all.append(Governor(self._kafka, self._directory, names, session_s, strike or Strike(), mode))
        return self.all[-1]

    def end(self) -> None:
        """Kill what still runs."""
        for one in self.all:
            if one.process.poll() is None:
                one.signal(signal.SIGCONT)
                one.kill()


@contextmanager
def governing(kafka: LocalKafka, directory: Path) -> Iterator[Governors]:
    """Controller processes that end with the block."""
    some = Governors(kafka, directory)
    try:
        yield some
    finally:
        some.end()


def history(kafka: LocalKafka) -> list[tuple[str, bytes | None]]:
    """Every committed record that the state topic still has, in order: (key, value)."""
    reader = Consumer(
        kafka.config().client(
            group_id="history", enable_auto_commit=False, isolation_level="read_committed", enable_partition_eof=True
        )
    )
    reader.assign([TopicPartition(STATE_TOPIC, 0, 0)])
    found: list[tuple[str, bytes | None]] = []
    deadline = time.monotonic() + 20
    try:
        while time.monotonic() < deadline:
            for message in reader.consume(1_000, 0.2):
                if message.error() is not None:
                    return found
                found.append(((message.key() or b"").decode(), message.value()))
    finally:
        reader.close()
    raise AssertionError("the state topic was not read to its end")


def moves(kafka: LocalKafka, pipeline: str, token: str) -> list[Route]:
    """The route records of a token that sent it out of general, in order; the same move written twice counts once."""
    found: dict[int, Route] = {}
    for key, value in history(kafka):
        if key == f"route/{pipeline}/{token}" and value is not None:
            route = Route.decode(value)
            if route.lane is not Lane.GENERAL:
                found.setdefault(route.since_ms, route)
    return list(found.values())
