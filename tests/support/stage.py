"""A pipeline under fire: real worker processes, a load of several tokens and keys, and routes that flap all the while."""

import os
import random
import signal
import subprocess
import sys
import threading
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil
from confluent_kafka import Consumer, KafkaException, Producer, TopicPartition

from fairlane.stack.kafka import LocalKafka
from ingestion.config import PipelineConfig
from ingestion.contracts.names import STATE_TOPIC, Lane
from ingestion.contracts.routes import Route
from ingestion.lanes.topics import ensure_topics
from tests.support import oracle
from tests.support.faulty import VARIABLE, Fault, Spec

ROOT = Path(__file__).parents[2]
TOKENS = ("red", "green", "blue", "grey")
KEYS = 3
WORK_S = {Lane.GENERAL: 0.001, Lane.OVERFLOW: 0.004, Lane.QUARANTINE: 0.004}
"""The side lanes are slow, so that tokens come back before they have drained."""


class Stage:
    """One pipeline on the given broker. Everything it starts ends with the block of `staged`."""

    def __init__(self, kafka: LocalKafka, pipeline: PipelineConfig, directory: Path, seed: int) -> None:
        self.kafka = kafka.config()
        self.pipeline = pipeline
        self.journal = directory / "journal"
        self.journal.touch()
        self.accepted: list[str] = []
        self.processes: list[subprocess.Popen[bytes]] = []
        self._directory = directory
        self._random = random.Random(seed)
        self._producer = Producer(self.kafka.client(enable_idempotence=True, linger_ms=1))
        self._routes: dict[str, Route] = {}
        ensure_topics(kafka.admin(), pipeline, local=True)

    # ---- workers -------------------------------------------------------------------------------------------------------------------

    def worker(
        self, lane: Lane, slot: str = "0", fault: Fault | None = None, mutant: str = "", work_s: float | None = None
    ) -> subprocess.Popen[bytes]:
        """Start one."""
        spec = Spec(
            lane=lane,
            slot=slot,
            bootstrap=self.kafka.bootstrap,
            pipeline=self.pipeline,
            journal=self.journal,
            work_s=WORK_S[lane] if work_s is None else work_s,
            mutant=mutant,
            fault=fault or Fault(),
        )
        log = self._directory / f"{lane}-{slot}-{len(self.processes)}.log"
        with log.open("wb") as out:
            process = subprocess.Popen(
                [sys.executable, "-m", "tests.support.faulty"],
                cwd=ROOT,
                env={**os.environ, VARIABLE: spec.model_dump_json()},
                stdout=out,
                stderr=subprocess.STDOUT,
            )
        self.processes.append(process)
        return process

    def side_workers(self, work_s: float | None = None) -> None:
        """One for each side lane."""
        for lane in (Lane.OVERFLOW, Lane.QUARANTINE):
            self.worker(lane, work_s=work_s)

    def logs(self) -> str:
        """What the workers said last."""
        codes = [process.poll() for process in self.processes]
        return f"exit codes {codes}\n" + "\n".join(
            f"--- {p.name}\n{p.read_text()[-3000:]}" for p in sorted(self._directory.glob("*.log"))
        )

    # ---- load ----------------------------------------------------------------------------------------------------------------------

    def send(self, records: int, tokens: tuple[str, ...] = TOKENS) -> None:
        """Append `records` to general, keys and tokens at random, and wait for Kafka."""
        topic = self.pipeline.names.topic(Lane.GENERAL)
        for _ in range(records):
            token, key = self._random.choice(tokens), f"user-{self._random.randrange(KEYS)}"
            event_id = str(uuid.UUID(int=self._random.getrandbits(128)))
            headers = {
                "token": token,
                "distinct_id": key,
                "event_id": event_id,
                "event": "test",
                "captured_at": str(int(time.time() * 1000)),
                "contract": "1",
            }
            self._producer.produce(
                topic, key=key, value=b"{}", headers=[(name, value.encode()) for name, value in headers.items()]
            )
            self.accepted.append(event_id)
        assert self._producer.flush(20) == 0, "the broker did not take the load"

    def route(self, token: str, lane: Lane) -> None:
        """Want the token in the lane from now on."""
        now_ms = int(time.time() * 1000)
        old = self._routes.get(token)
        route = old.then(lane, now_ms) if old else Route(self.pipeline.name, token, lane, now_ms)
        self._routes[token] = route
        key, value = route.encode()
        self._producer.produce(STATE_TOPIC, key=key, value=value, partition=0)
        self._producer.flush(20)

    @contextmanager
    def flapping(self, every_s: float = 0.15) -> Iterator[None]:
        """Routes change at random inside the block."""
        stop, chance = threading.Event(), random.Random(self._random.random())

        def flap() -> None:
            while not stop.wait(every_s):
                self.route(chance.choice(TOKENS), chance.choice(tuple(Lane)))

        thread = threading.Thread(target=flap, daemon=True)
        thread.start()
        try:
            yield
        finally:
            stop.set()
            thread.join(30)

    # ---- waiting -------------------------------------------------------------------------------------------------------------------

    def until(self, what: str, holds: Callable[[], object], limit_s: float = 40.0) -> None:
        """Wait for it, or fail with the workers' last words."""
        deadline = time.monotonic() + limit_s
        while not holds():
            assert time.monotonic() < deadline, f"not within {limit_s:g} s: {what}\n{self.lags()}\n{self.logs()}"
            time.sleep(0.05)

    def send_until(self, what: str, holds: Callable[[], object]) -> None:
        """Load that goes on until it holds."""

        def more() -> object:
            self.send(40)
            time.sleep(0.1)
            return holds()

        self.until(what, more)

    def send_until_dead(self, process: subprocess.Popen[bytes]) -> None:
        """The worker strikes itself dead under load."""
        self.send_until("the worker kills itself", lambda: process.poll() is not None)
        assert process.returncode == -signal.SIGKILL, f"{process.returncode}\n{self.logs()}"

    def send_until_stopped(self, process: subprocess.Popen[bytes]) -> None:
        """The worker stops itself under load."""
        there = psutil.Process(process.pid)
        self.send_until("the worker stops itself", lambda: there.status() == psutil.STATUS_STOPPED)

    def until_effects(self, count: int) -> None:
        """So many effects are in the journal."""
        self.until(f"{count} effects", lambda: self.journal.read_bytes().count(b"\n") >= count)

    def lags(self) -> dict[str, int]:
        """Per lane group: offsets between commit and last stable offset; no commit counts from 0."""
        lags = {}
        for lane in Lane:
            topic = self.pipeline.names.topic(lane)
            reader = Consumer(self.kafka.client(group_id=self.pipeline.names.group(lane), enable_auto_commit=False))
            try:
                places = [TopicPartition(topic, p) for p in range(self.pipeline.partitions)]
                committed = {at.partition: max(at.offset, 0) for at in reader.committed(places, 5)}
                ends = {p.partition: reader.get_watermark_offsets(p, 5)[1] for p in places}
                lags[str(lane)] = sum(ends[p] - committed[p] for p in ends)
            except KafkaException:
                lags[str(lane)] = -1  # a commit is under way
            finally:
                reader.close()
        return lags

    def until_drained(self, limit_s: float = 40.0) -> None:
        """Every lane's group has committed all there is."""
        self.until("every lane is drained", lambda: set(self.lags().values()) == {0}, limit_s)

    def judge(self) -> oracle.Finding:
        """What the oracle says."""
        return oracle.inspect(self.kafka, self.pipeline, self.journal, self.accepted)


@contextmanager
def staged(kafka: LocalKafka, name: str, directory: Path, seed: int = 1) -> Iterator[Stage]:
    """A stage; its workers are killed at the end."""
    pipeline = PipelineConfig(
        name=name,
        partitions=2,
        replication=1,
        session_timeout_s=2.0,
        transaction_timeout_s=3.0,
        hold_max_s=0.3,
        chunk_s=0.05,
    )
    stage = Stage(kafka, pipeline, directory, seed)
    try:
        yield stage
    finally:
        for process in stage.processes:
            if process.poll() is None:
                process.send_signal(signal.SIGCONT)
                process.kill()
            process.wait(10)
