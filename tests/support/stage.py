"""A pipeline under fire: real worker processes, a load of several tokens and keys, and routes that flap all the while."""

import os
import random
import signal
import subprocess
import sys
import threading
import time
import uuid
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

import psutil
from confluent_kafka import Consumer, KafkaError, KafkaException, Message, Producer, TopicPartition

from fairlane.stack.kafka import LocalKafka
from ingestion.config import KafkaConfig, PipelineConfig
from ingestion.contracts.names import STATE_TOPIC, TELEMETRY_TOPIC, Lane
from ingestion.contracts.routes import Route
from ingestion.lanes.topics import ensure_topics
from tests.support import oracle
from tests.support.faulty import VARIABLE, Spec
from tests.support.journal import Conduct
from tests.support.orders import Fault, Orders

ROOT = Path(__file__).parents[2]
TOKENS = ("red", "green", "blue", "grey")
KEYS = 3
WORK_S = {Lane.GENERAL: 0.001, Lane.OVERFLOW: 0.004, Lane.QUARANTINE: 0.004}
"""The side lanes are slow, so that tokens come back before they have drained."""


class Stage:
    """One pipeline on the given broker. Everything it starts ends with the block of `staged`.

    Workers reach the broker through its proxy, when it has one (`control`: the proxy's control port); the stage itself always goes past it.
    """

    def __init__(
        self, kafka: LocalKafka, pipeline: PipelineConfig, directory: Path, seed: int, control: int = 0
    ) -> None:
        self.kafka = KafkaConfig.model_validate({"bootstrap": kafka.direct, "log_level": 0})
        self.pipeline = pipeline
        self.journal = directory / "journal"
        self.journal.touch()
        self.accepted: list[str] = []
        self.processes: list[subprocess.Popen[bytes]] = []
        self.names: list[str] = []
        """Of the processes, in the same order; `NAME.log` is what one said."""
        self.orders = Orders(directory / "orders")
        self.away = threading.Event()
        """Set while the broker is down: nobody need be started then."""
        self._bootstrap = kafka.bootstrap
        self._control = control
        self._starting = threading.Lock()
        self._started = 0
        self.directory = directory
        self._random = random.Random(seed)
        self._producer = Producer(self.kafka.client(enable_idempotence=True, linger_ms=1))
        self._routes: dict[str, Route] = {}
        ensure_topics(kafka.admin(), pipeline, local=True)

    # ---- workers -------------------------------------------------------------------------------------------------------------------

    def worker(
        self,
        lane: Lane,
        slot: str = "0",
        fault: Fault | None = None,
        mutant: str = "",
        work_s: float | None = None,
        conduct: Conduct | None = None,
    ) -> subprocess.Popen[bytes]:
        """Start one."""
        return self.named_worker(lane, slot, fault, mutant, work_s, conduct)[1]

    def named_worker(
        self,
        lane: Lane,
        slot: str = "0",
        fault: Fault | None = None,
        mutant: str = "",
        work_s: float | None = None,
        conduct: Conduct | None = None,
        ordered: Fault | None = None,
    ) -> tuple[str, subprocess.Popen[bytes]]:
        """Start one and say its name, under which faults can be ordered; `ordered` is there before it starts."""
        with self._starting:
            self._started += 1
            name = f"{lane}-{slot}-{self._started}"
            if ordered is not None:
                self.orders.place(name, ordered)
            spec = Spec(
                name=name,
                lane=lane,
                slot=slot,
                bootstrap=self._bootstrap,
                pipeline=self.pipeline,
                journal=self.journal,
                conduct=conduct or Conduct(work_s=WORK_S[lane] if work_s is None else work_s),
                mutant=mutant,
                fault=fault or Fault(),
                orders=self.directory / "orders",
                control=self._control,
            )
            return name, self.process("tests.support.faulty", VARIABLE, spec.model_dump_json(), name)

    def process(self, module: str, variable: str, spec: str, name: str) -> subprocess.Popen[bytes]:
        """Start a module of ours as a process that is told its `spec` by an environment variable; it ends with the stage."""
        with (self.directory / f"{name}.log").open("wb") as out:
            process = subprocess.Popen(
                [sys.executable, "-m", module],
                cwd=ROOT,
                env={**os.environ, variable: spec},
                stdout=out,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        self.processes.append(process)
        self.names.append(name)
        return process

    def side_workers(self, work_s: float | None = None) -> None:
        """One for each side lane."""
        for lane in (Lane.OVERFLOW, Lane.QUARANTINE):
            self.worker(lane, work_s=work_s)

    def logs(self) -> str:
        """What the workers said last, and where they are."""
        for process in self.processes:
            if process.poll() is None:
                process.send_signal(signal.SIGUSR1)
        time.sleep(0.5)
        codes = [process.poll() for process in self.processes]
        return f"exit codes {codes}\n" + "\n".join(
            f"--- {p.name}\n{p.read_text()[-3000:]}" for p in sorted(self.directory.glob("*.log"))
        )

    # ---- load ----------------------------------------------------------------------------------------------------------------------

    def send(self, records: int, tokens: Sequence[str] = TOKENS, *, keys: int = KEYS, limit_s: float = 20.0) -> None:
        """Append `records` to general, keys and tokens ("": none) at random, and wait for Kafka; only what it confirms counts as accepted."""
        topic = self.pipeline.names.topic(Lane.GENERAL)
        for _ in range(records):
            token, key = self._random.choice(tokens), f"user-{self._random.randrange(keys)}"
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
                topic,
                key=key,
                value=b"{}",
                headers=[(name, value.encode()) for name, value in headers.items() if value],
                on_delivery=partial(self._delivered, event_id),
            )
        assert self._producer.flush(limit_s) == 0, "the broker did not take the load"

    def _delivered(self, event_id: str, error: KafkaError | None, _: Message) -> None:
        if error is None:
            self.accepted.append(event_id)

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
            time.sleep(0.1)

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
        """Per lane group: offsets between commit and log end, open transactions included; no commit counts from 0, -1 when it cannot be told now."""
        lags = {}
        for lane in Lane:
            topic, group = self.pipeline.names.topic(lane), self.pipeline.names.group(lane)
            reader = Consumer(
                self.kafka.client(group_id=group, enable_auto_commit=False, isolation_level="read_uncommitted")
            )
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

    def until_drained(self, stuck_s: float = 40.0) -> None:
        """Every lane's group has committed all there is, and no transaction is open any more: what follows sees everything.

        Fails when no lag has changed for `stuck_s`, and in any case after four times that: a busy machine is slow, but it moves.
        """
        end, moved, before = time.monotonic() + 4 * stuck_s, time.monotonic(), self.lags()
        while set(before.values()) != {0}:
            time.sleep(0.1)
            if (now := self.lags()) != before:
                moved, before = time.monotonic(), now
            if time.monotonic() > min(end, moved + stuck_s):
                raise AssertionError(f"not within {stuck_s:g} s: every lane is drained\n{before}\n{self.logs()}")
        self.until("no transaction is open", self._settled, 60.0)

    def _settled(self) -> bool:
        names = self.pipeline.names
        topics = [names.dead, TELEMETRY_TOPIC, *(names.topic(lane) for lane in Lane)]
        ends = [self._ends(topics, isolation) for isolation in ("read_committed", "read_uncommitted")]
        return ends[0] is not None and ends[0] == ends[1]

    def _ends(self, topics: Sequence[str], isolation: str) -> list[int] | None:
        reader = Consumer(self.kafka.client(group_id="stage", isolation_level=isolation))
        try:
            found = reader.list_topics(timeout=5).topics
            places = [TopicPartition(topic, p) for topic in topics for p in sorted(found[topic].partitions)]
            return [reader.get_watermark_offsets(place, 5)[1] for place in places]
        except KafkaException:
            return None
        finally:
            reader.close()

    def judge(self) -> oracle.Finding:
        """What the oracle says."""
        return oracle.inspect(self.kafka, self.pipeline, self.journal, self.accepted)


@contextmanager
def staged(
    kafka: LocalKafka, name: str, directory: Path, seed: int = 1, control: int = 0, **own: Any
) -> Iterator[Stage]:
    """A stage; its workers are killed at the end. `own`: settings of the pipeline that differ from the impatient ones here."""
    settings: dict[str, Any] = {
        "partitions": 2,
        "replication": 1,
        "session_timeout_s": 2.0,
        "transaction_timeout_s": 3.0,
        "hold_max_s": 0.3,
        "chunk_s": 0.05,
    }
    stage = Stage(kafka, PipelineConfig(name=name, **{**settings, **own}), directory, seed, control)
    try:
        yield stage
    finally:
        for process in stage.processes:
            if process.poll() is None:
                process.send_signal(signal.SIGCONT)
                process.kill()
            process.wait(10)
