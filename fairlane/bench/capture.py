"""`bench capture`: our door against a bare FastAPI endpoint, both on a real Kafka, both waiting for delivery.

The bare one parses, produces and waits; ours also validates, makes ids, writes the headers of the contract, limits and counts. Rounds alternate between
the two, and the ratio is taken within each pair of rounds, so that what else the machine does meets both alike.
"""

import asyncio
import os
import socket
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import orjson
import psutil
from confluent_kafka.admin import NewTopic

from fairlane.bench import http_load
from fairlane.stack.kafka import LocalKafka
from ingestion.config import PipelineConfig
from ingestion.contracts.names import TELEMETRY_TOPIC, Lane
from slo.errors import StackUnavailable

PAIRS: Final = 5
ROUND_S: Final = 1.5
WARM_S: Final = 1.0
PIPELINE: Final = "bench"
START_S: Final = 20.0


@dataclass(frozen=True, slots=True)
class Shape:
    """One kind of load: `batch` events a request over `connections` kept alive."""

    name: str
    batch: int
    connections: int

    def body(self) -> bytes:
        """The request's body, without event ids: ours has to make them."""
        events = [
            {
                "event": "page_view",
                "distinct_id": f"user-{n}",
                "properties": {"url": "https://example.com/pricing", "n": n, "plan": "pro", "signed_in": True},
            }
            for n in range(self.batch)
        ]
        return orjson.dumps(events[0] if self.batch == 1 else events)


SHAPES: Final = (Shape("singles", 1, 128), Shape("batches", 50, 32))


def run(progress: Callable[[str], None]) -> dict[str, object]:
    """Measure both shapes; about 40 s.

    Returns `ratio` (the smaller of `ratio_singles` and `ratio_batches`: ours to bare, events a second, median over the pairs),
    `processor_ratio_*` (bare's processor time an event to ours: the same comparison, deaf to what else the machine does), for ours
    `events_s_*`, `p50_ms_*` and `p99_ms_*` (median over the rounds), and `limit`: who was busy. Raises StackUnavailable when Kafka or an app does not start.
    """
    with tempfile.TemporaryDirectory(prefix="fairlane-bench-") as home, LocalKafka(Path(home)) as kafka:
        progress(f"Kafka {kafka.version} is up; starting both applications")
        _topics(kafka)
        with _serving("ours", kafka.bootstrap) as ours, _serving("bare", kafka.bootstrap) as bare:
            parts = {
                "capture": ours.process,
                "bare": bare.process,
                "kafka": psutil.Process(kafka.pid),
                "load": psutil.Process(),
            }
            result: dict[str, object] = {}
            ratios: list[float] = []
            for shape in SHAPES:
                ratio, figures = _compare(shape, ours.port, bare.port, parts, progress)
                ratios.append(ratio)
                result |= figures
    return {"ratio": round(min(ratios), 3), **result}


@dataclass(frozen=True, slots=True)
class _App:
    port: int
    process: psutil.Process


def _compare(
    shape: Shape, ours: int, bare: int, parts: dict[str, psutil.Process], progress: Callable[[str], None]
) -> tuple[float, dict[str, object]]:
    requests = {
        port: http_load.post(port, "/v1/events", shape.body(), {"authorization": "Bearer bench"})
        for port in (ours, bare)
    }

    def load(port: int, seconds: float) -> http_load.Result:
        return asyncio.run(http_load.run(port, requests[port], connections=shape.connections, seconds=seconds))

    for port in (ours, bare):
        load(port, WARM_S)
    rounds: list[http_load.Result] = []
    ratios: list[float] = []
    busy: dict[str, float] = dict.fromkeys(parts, 0.0)
    cost: dict[int, list[float]] = {ours: [], bare: []}
    for pair in range(PAIRS):
        order = (ours, bare) if pair % 2 == 0 else (bare, ours)
        seen: dict[int, http_load.Result] = {}
        for port in order:
            before = _cpu(parts)
            seen[port] = load(port, ROUND_S)
            used = {name: after - before[name] for name, after in _cpu(parts).items()}
            cost[port].append(used["capture" if port == ours else "bare"] / max(seen[port].requests, 1))
            if port == ours:
                busy = {name: busy[name] + spent for name, spent in used.items()}
        rounds.append(seen[ours])
        ratios.append(seen[ours].per_second / seen[bare].per_second)
        progress(
            f"{shape.name} {pair + 1}/{PAIRS}: ours {seen[ours].per_second * shape.batch:,.0f} events/s, bare {seen[bare].per_second * shape.batch:,.0f}"
        )
    seconds = sum(result.seconds for result in rounds)
    ratio = statistics.median(ratios)
    spent_ours, spent_bare = (statistics.median(cost[port]) for port in (ours, bare))
    return ratio, {
        f"ratio_{shape.name}": round(ratio, 3),
        f"processor_ratio_{shape.name}": round(spent_bare / spent_ours, 3) if spent_ours else 0.0,
        f"events_s_{shape.name}": round(statistics.median(r.per_second for r in rounds) * shape.batch),
        f"p50_ms_{shape.name}": round(statistics.median(_quantile_ms(r, 0.5) for r in rounds), 1),
        f"p99_ms_{shape.name}": round(statistics.median(_quantile_ms(r, 0.99) for r in rounds), 1),
        f"limit_{shape.name}": _limit({name: used / seconds for name, used in busy.items()}),
    }


def _limit(busy: dict[str, float]) -> str:
    """Who used the processors (cores, on average): a single-threaded part near 1 limits, else the machine does."""
    busy = {name: cores for name, cores in busy.items() if name != "bare"}
    shares = ", ".join(f"{name} {cores:.2f}" for name, cores in sorted(busy.items(), key=lambda item: -item[1]))
    who = (
        "one capture process's event loop"
        if busy["capture"] > 0.9 and sum(busy.values()) < 0.85 * _cores()
        else "processor time shared with load and broker"
    )
    return f"{who} (cores used: {shares} of {_cores()})"


def _cores() -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _cpu(parts: dict[str, psutil.Process]) -> dict[str, float]:
    return {name: (times := process.cpu_times()).user + times.system for name, process in parts.items()}


def _quantile_ms(result: http_load.Result, quantile: float) -> float:
    ordered = sorted(result.latencies_s)
    return ordered[min(len(ordered) - 1, int(quantile * len(ordered)))] * 1000 if ordered else 0.0


def _topics(kafka: LocalKafka) -> None:
    names = PipelineConfig(name=PIPELINE).names
    topics = [
        NewTopic(names.topic(Lane.GENERAL), 12, 1, config={"message.timestamp.type": "LogAppendTime"}),
        NewTopic(TELEMETRY_TOPIC, 4, 1),
    ]
    admin = kafka.admin()
    for made in admin.create_topics(topics).values():
        made.result(timeout=20)


@contextmanager
def _serving(which: str, bootstrap: str) -> Iterator[_App]:
    """One of the applications in a process of its own, ready to answer."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = int(probe.getsockname()[1])
    command = [sys.executable, "-m", "fairlane.bench.capture_apps", which, str(port), bootstrap, PIPELINE]
    process = subprocess.Popen(command, stderr=subprocess.DEVNULL)
    try:
        _await_ready(process, port)
        yield _App(port, psutil.Process(process.pid))
    finally:
        process.terminate()
        try:
            process.wait(15)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait(5)


def _await_ready(process: subprocess.Popen[bytes], port: int) -> None:
    until = time.monotonic() + START_S
    while time.monotonic() < until and process.poll() is None:
        try:
            urllib.request.urlopen(f"http://127.0.0.1:{port}/livez", timeout=2).close()
        except OSError:
            time.sleep(0.1)
        else:
            return
    raise StackUnavailable(f"the application to measure did not answer on 127.0.0.1:{port} within {START_S:.0f} s")
