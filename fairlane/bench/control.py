"""`fairlane bench control`: the real controller under the telemetry of 50 workers with 2,048 rows a second each, and as many rows of arrivals, on a real Kafka.

The controller runs in a process of its own and learns nothing but what Kafka tells it. Then it is killed, and another one takes over.
"""

import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final
from zlib import crc32

import numpy as np
import orjson
from confluent_kafka import Producer

from fairlane.bench.control_load import FLOOD, WORKERS, Load
from fairlane.stack.kafka import LocalKafka
from ingestion.config import KafkaConfig, PipelineConfig
from ingestion.contracts.names import TELEMETRY_TOPIC, Lane
from ingestion.contracts.telemetry import Action
from ingestion.lanes.topics import ensure_topics
from isolator import commands
from isolator.state import StateReader
from slo.clock import SystemClock
from slo.errors import FairlaneError, StackUnavailable

PIPELINE: Final = "bench"
CALM_S: Final = 25
FLOOD_S: Final = 35
COMMANDS: Final = 5
READY_LIMIT_S: Final = 60.0
LOUD: Final = "token-000001"
LEAST_PACE: Final = 0.9
Progress = Callable[[str], None]


def run(progress: Progress) -> dict[str, object]:
    """About two minutes. Times in seconds.

    `tick_s_*`: one decision with the decoding and folding of a second of telemetry. `decide_s_*`: the decision alone. `fold_s_per_s`: decoding and folding
    of one second of telemetry. `busy_ratio`: share of the time that the loop works;
    `cpu_ratio`: share of a core that the whole process takes. `lag_s_max`: longest time from append to fold. `command_s_max`: from sending a command to its answer. `found_s`: from the
    flood's first report to its route. `takeover_s`: from SIGKILL to the next decision, by another process. Raises StackUnavailable when Kafka does not start or the machine cannot keep the
    pace, FairlaneError when the flood is not found or nobody takes over.
    """
    with tempfile.TemporaryDirectory(prefix="fairlane-bench-") as directory, LocalKafka(Path(directory)) as kafka:
        progress(f"Apache Kafka {kafka.version} is up; encoding the telemetry")
        config = kafka.config()
        ensure_topics(kafka.admin(), PipelineConfig(name=PIPELINE, partitions=1, replication=1), local=True)
        load = Load(PIPELINE)
        sender = Sender(config, load)
        try:
            with controlling(config) as first:
                first.wait_ready()
                progress(
                    f"{WORKERS} workers, {load.rows:,} rows a second: {CALM_S} s calm, then a flood for {FLOOD_S} s"
                )
                sender.start()
                command_s = []
                for _ in range(COMMANDS):
                    time.sleep(CALM_S / COMMANDS)
                    command_s.append(_ask(config))
                sender.flood()
                found_s = _found(config, FLOOD_S)
                time.sleep(max(FLOOD_S - (found_s or 0.0), 0.0))
                sender.check_pace()
                if found_s is None:
                    raise FairlaneError(f"the flood was not found, so nothing was measured: {_last_words(config)}")
                measured = first.measured()
                first.kill()
                killed_ms, killed = int(time.time() * 1000), time.monotonic()
            with controlling(config):
                _decided(config, killed_ms)
                takeover_s = time.monotonic() - killed
        finally:
            sender.stop()
    result = {**_summary(measured), "command_s_max": round(max(command_s), 3), "found_s": round(found_s, 1)}
    progress(f"tick {result['tick_s_p50']} s, {result['rss_mb']} MB, taken over in {takeover_s:.1f} s")
    return {
        **result,
        "takeover_s": round(takeover_s, 1),
        "rows_per_s": round(sender.rows_per_s),
        "messages_per_s": round(sender.messages_per_s),
        "bytes_per_s": round(sender.bytes_per_s),
        "workers": WORKERS,
        "limit": "one Python thread: decoding JSON, one core",
    }


def _summary(samples: list[dict[str, float]]) -> dict[str, object]:
    ticks = [s for s in samples if s["reports"]]
    if len(ticks) < 5:
        raise FairlaneError(f"only {len(ticks)} decisions were made: nothing was measured")
    decide = np.array([s["tick_s"] for s in ticks])
    fold = np.array([s["fold_s"] / s["interval_s"] for s in ticks])
    both = decide + fold

    def at(values: Any, share: float) -> float:
        return round(float(np.quantile(values, share)), 3)

    return {
        "tick_s_p50": at(both, 0.5),
        "tick_s_p99": at(both, 0.99),
        "decide_s_p50": at(decide, 0.5),
        "decide_s_p99": at(decide, 0.99),
        "fold_s_per_s": at(fold, 0.5),
        "busy_ratio": round(float(np.mean([(s["tick_s"] + s["fold_s"]) / s["interval_s"] for s in ticks])), 3),
        "cpu_ratio": round(float(sum(s["cpu_s"] for s in ticks) / sum(s["interval_s"] for s in ticks)), 3),
        "lag_s_p50": at([s["lag_s"] for s in ticks], 0.5),
        "lag_s_max": at([s["lag_s"] for s in ticks], 1.0),
        "skipped": int(max(s["skipped"] for s in samples)),
        "rss_mb": round(max(s["rss_mb"] for s in samples)),
        "ticks": len(ticks),
    }


class Sender(threading.Thread):
    """Sends the load, spread over each second, until it is stopped."""

    def __init__(self, kafka: KafkaConfig, load: Load) -> None:
        super().__init__(daemon=True, name="bench-sender")
        self._load = load
        self._producer = Producer(kafka.client(linger_ms=5, message_max_bytes=1_048_576))
        count = len(self._producer.list_topics(TELEMETRY_TOPIC, timeout=10).topics[TELEMETRY_TOPIC].partitions)
        self._partition = crc32(PIPELINE.encode()) % count
        self._done = threading.Event()
        self._flood_began: int | None = None
        self._second = 0
        self._sent = self._bytes = 0
        self._began = 0.0
        self._took = 0.0

    def run(self) -> None:
        """Second by second; late is caught up."""
        self._began = time.monotonic()
        while not self._done.is_set():
            due = self._began + self._second
            flood_s = 0 if self._flood_began is None else self._second - self._flood_began + 1
            messages = list(self._load.second(self._second, int(time.time() * 1000), flood_s))
            for number, value in enumerate(messages):
                wait = due + number / len(messages) - time.monotonic()
                if wait > 0:
                    # poll() would come back with the first delivery report
                    time.sleep(wait)
                self._producer.poll(0)
                self._producer.produce(TELEMETRY_TOPIC, value, PIPELINE.encode(), self._partition)
                self._sent += 1
                self._bytes += len(value)
            self._second += 1
            self._took = time.monotonic() - self._began
        self._producer.flush(10)

    def flood(self) -> None:
        """From the next second on."""
        self._flood_began = self._second + 1

    def check_pace(self) -> None:
        """Raises StackUnavailable when far less was sent than meant: then nothing is measured but this machine's other work."""
        if self.rows_per_s < LEAST_PACE * self._load.rows:
            raise StackUnavailable(
                f"this machine is too busy for the benchmark: {self.rows_per_s:,.0f} of {self._load.rows:,} rows a second could be sent"
            )

    def stop(self) -> None:
        """Stop sending."""
        self._done.set()
        self.join(15)

    @property
    def rows_per_s(self) -> float:
        """Rows that were sent."""
        return self._second * self._load.rows / self._took

    @property
    def messages_per_s(self) -> float:
        """Messages that were sent."""
        return self._sent / self._took

    @property
    def bytes_per_s(self) -> float:
        """Bytes that were sent."""
        return self._bytes / self._took


class Child:
    """The controller's process."""

    def __init__(self, kafka: KafkaConfig) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-m", "fairlane.bench.control_child", kafka.bootstrap, PIPELINE],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
        )

    def wait_ready(self) -> None:
        """Raises StackUnavailable when it does not get ready."""
        assert self._process.stdout is not None
        line: list[bytes] = []
        reader = threading.Thread(
            target=lambda out: line.append(out.readline()), args=(self._process.stdout,), daemon=True
        )
        reader.start()
        reader.join(READY_LIMIT_S)
        if line != [b"ready\n"]:
            raise StackUnavailable(f"the controller's process did not get ready within {READY_LIMIT_S:.0f} s")

    def measured(self) -> list[dict[str, float]]:
        """What it has measured so far, a row a decision."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(b"tell\n")
        self._process.stdin.flush()
        found: list[dict[str, float]] = orjson.loads(self._process.stdout.readline())
        return found

    def kill(self) -> None:
        """SIGKILL."""
        self._process.kill()
        self._process.wait(10)


@contextmanager
def controlling(kafka: KafkaConfig) -> Iterator[Child]:
    """A controller that ends with the block."""
    child = Child(kafka)
    try:
        yield child
    finally:
        child.kill()


def _ask(kafka: KafkaConfig) -> float:
    began = time.monotonic()
    wanted = commands.command(PIPELINE, Action.PROTECT, SystemClock(), by="bench", token=LOUD)
    commands.send(kafka.client(), wanted, wait_s=20.0)
    return time.monotonic() - began


def _found(kafka: KafkaConfig, limit_s: float) -> float | None:
    """Seconds until the flood's route is there, None when it does not come. Raises FairlaneError when somebody else was moved."""
    began = time.monotonic()
    reader = StateReader(kafka.client(), [PIPELINE])
    try:
        while time.monotonic() - began < limit_s:
            reader.poll(0.1)
            if reader.table(PIPELINE).wanted(FLOOD) is not Lane.GENERAL:
                others = [r.token for r in reader.table(PIPELINE).moved() if r.token != FLOOD]
                if others:
                    raise FairlaneError(f"{', '.join(others)} moved as well: the load is not what it should be")
                return time.monotonic() - began
    finally:
        reader.close()
    return None


def _last_words(kafka: KafkaConfig) -> str:
    reader = StateReader(kafka.client(), [PIPELINE])
    try:
        reader.catch_up()
        last = reader.status(PIPELINE)
    finally:
        reader.close()
    if last is None:
        return "no decision was made"
    return f"{last.sentence} (warm {last.warm}, rho {last.rho:.2f}, delay {last.delay_s:.1f} s)"


def _decided(kafka: KafkaConfig, since_ms: int) -> None:
    """Wait for a decision made after `since_ms`. Raises FairlaneError when none comes."""
    reader = StateReader(kafka.client(), [PIPELINE], from_end=True)
    deadline = time.monotonic() + READY_LIMIT_S
    try:
        while time.monotonic() < deadline:
            reader.poll(0.1)
            status = reader.status(PIPELINE)
            if status is not None and status.at_ms > since_ms:
                return
    finally:
        reader.close()
    raise FairlaneError(f"nobody took over within {READY_LIMIT_S:.0f} s")
