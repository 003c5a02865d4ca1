"""A real pipeline that can be made to burn: worker and probe as processes, the controller's role in this one, all on the session's Kafka."""

import os
import signal
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from unittest.mock import patch

import orjson
from confluent_kafka import Producer
from prometheus_client import CollectorRegistry
from uuid_utils import uuid7

from fairlane.health import HealthServer
from fairlane.pager.config import PagerConfig
from fairlane.roles import controller
from fairlane.settings import DatabaseConfig, PolicyConfig, Settings, SinkConfig
from fairlane.stack.kafka import LocalKafka
from fairlane.stack.role_specs import ALL
from fairlane.stack.supervisor import Supervisor
from ingestion.config import PipelineConfig
from ingestion.contracts import headers as h
from ingestion.contracts.names import Lane
from ingestion.contracts.routes import Mode
from ingestion.lanes.topics import ensure_topics
from slo.clock import SystemClock
from slo.objective import Objective
from tests.support.waiting import until

ROLES = ("worker-general", "probe")
READY_S = 60


@dataclass
class Pipeline:
    """Running. `targets` are the addresses of all /metrics."""

    settings: Settings
    supervisor: Supervisor
    registry: CollectorRegistry
    targets: dict[str, str]
    producer: Producer = field(init=False)

    def __post_init__(self) -> None:
        self.producer = Producer(self.settings.kafka.client(linger_ms=5))

    def send(self, count: int, cost_ms: float, token: str = "innocent") -> None:
        """Events of that cost in partition 0."""
        body = orjson.dumps({"event": "e", "properties": {"cost_ms": cost_ms}})
        for n in range(count):
            headers = [
                (h.TOKEN, token.encode()),
                (h.DISTINCT_ID, f"{token}-{n}".encode()),
                (h.EVENT_ID, str(uuid7()).encode()),
                (h.EVENT, b"e"),
                (h.CAPTURED_AT, b"%d" % (time.time() * 1000)),
                (h.CONTRACT, b"1"),
            ]
            self.producer.produce(
                self.settings.pipeline.names.topic(Lane.GENERAL), body, f"{token}-{n}".encode(), 0, headers=headers
            )
        self.producer.flush(10)

    @contextmanager
    def trickle(self, a_second: int) -> Iterator[None]:
        """That many cheap events a second, as long as the block lasts."""
        stop = threading.Event()

        def run() -> None:
            while not stop.wait(0.2):
                self.send(max(a_second // 5, 1), 1.0)

        thread = threading.Thread(target=run, daemon=True)
        thread.start()
        try:
            yield
        finally:
            stop.set()
            thread.join(15)

    @contextmanager
    def stalled(self) -> Iterator[None]:
        """The worker is stopped with SIGSTOP, as long as the block lasts."""
        pid = self.supervisor.pid("worker-general")
        os.kill(pid, signal.SIGSTOP)
        try:
            yield
        finally:
            os.kill(pid, signal.SIGCONT)

    def value(self, name: str, **labels: str) -> float | None:
        """A sample of the controller's own registry."""
        return self.registry.get_sample_value(name, labels)


@contextmanager
def pipeline(
    kafka: LocalKafka,
    name: str,
    state: Path,
    slo_s: float,
    objectives: Sequence[Objective],
    evaluate_s: float = 1.0,
    pager: PagerConfig | None = None,
) -> Iterator[Pipeline]:
    """One partition, the demo's handler, mode `observe`; the controller judges `objectives` instead of the pipeline's own."""
    base = Settings()
    settings = base.model_copy(
        update={
            "state_dir": state,
            "kafka": kafka.config(),
            "pipeline": PipelineConfig(
                name=name, partitions=1, replication=1, slo_s=slo_s, handler="fairlane.demo.handler:DemoHandler"
            ),
            "sink": SinkConfig(),
            "database": DatabaseConfig(),
            "controller": base.controller.model_copy(update={"slo_s": evaluate_s, "tick_s": 1.0}),
            "policy": PolicyConfig(mode=Mode.OBSERVE),
            "pager": pager or PagerConfig(),
        }
    )
    ensure_topics(kafka.admin(), settings.pipeline, local=True)
    roles = [spec for spec in ALL if spec.name in ROLES]
    registry, stop, clock = CollectorRegistry(), threading.Event(), SystemClock()
    with (
        Supervisor(settings, roles=roles) as supervisor,
        patch.object(controller, "objectives_of", lambda _: tuple(objectives)),
    ):
        part = controller.build(settings, clock, registry)
        thread = threading.Thread(target=part.run, args=(stop,), daemon=True)
        thread.start()
        try:
            with HealthServer(registry, part.live, part.ready) as health:
                supervisor.wait_ready(READY_S)
                until(part.ready, READY_S, 0.1)
                yield Pipeline(settings, supervisor, registry, {**supervisor.urls, "controller": health.url})
        finally:
            stop.set()
            thread.join(20)
