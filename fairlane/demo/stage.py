"""The demo's stage: the whole pipeline on this machine, on a Kafka of its own unless one is configured."""

import shutil
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from uuid import uuid4

from confluent_kafka.admin import AdminClient

from fairlane.demo.options import CALM_S, Options, Say
from fairlane.demo.scenes import SCENES
from fairlane.settings import DatabaseConfig, PolicyConfig, Settings
from fairlane.stack.kafka import LocalKafka
from fairlane.stack.supervisor import Supervisor
from ingestion.config import KafkaConfig, PipelineConfig, SinkConfig
from ingestion.contracts.routes import Mode
from ingestion.lanes.topics import ensure_topics

BASELINE_S = 15.0
"""Seconds of calm after which the demo's baselines count as warmed up (24 h in production)."""
READY_LIMIT_S = 60.0
HANDLER = "fairlane.demo.handler:DemoHandler"


@dataclass(frozen=True, slots=True)
class Stage:
    """Where the story plays."""

    kafka: KafkaConfig
    pipeline: PipelineConfig
    sink_url: str
    capture_url: str
    page_url: str
    broker_version: str
    broker_ready_s: float
    state_dir: Path
    restarts: Callable[[], dict[str, int]]
    """Role -> how often it was started again."""


@contextmanager
def stage(base: Settings, options: Options, say: Say) -> Iterator[Stage]:
    """Bring everything up, and everything down again, whatever happens in between.

    State lives in a directory of its own that is removed at the end; on a Kafka of the user's own the pipeline gets a name of its own, and its topics stay.
    Raises StackUnavailable, BrokerUnreachable, StateDirectoryError, RefusedTopic or Unreachable, each with what to do.
    """
    home = Path(tempfile.mkdtemp(prefix="fairlane-demo-"))
    try:
        if base.local:
            say("starting Apache Kafka on this machine")
            with LocalKafka(home) as broker:
                say(f"Apache Kafka {broker.version} ready in {broker.ready_s:.1f} s")
                settings = _settings(base, options, home, broker.config(), "events")
                with _roles(settings, say, broker.version, broker.ready_s) as up:
                    yield up
        else:
            settings = _settings(base, options, home, base.kafka, f"demo-{uuid4().hex[:8]}")
            say(f"using the Kafka at {base.kafka.bootstrap}, pipeline {settings.pipeline.name}")
            with _roles(settings, say, "yours", 0.0) as up:
                yield up
    finally:
        shutil.rmtree(home, ignore_errors=True)


def _settings(base: Settings, options: Options, home: Path, kafka: KafkaConfig, name: str) -> Settings:
    scene = SCENES[options.scene]
    pipeline = base.pipeline.model_copy(
        update={"name": name, "handler": HANDLER}
        | ({"replication": 1} if base.local else {})
        | ({"hung_s": scene.hung_s} if scene.hung_s is not None else {})
    )
    # one overflow worker on this machine would send every culprit to quarantine by its size, and the story is about overflow
    constants = replace(base.policy_constants, warm_s=BASELINE_S, calm_s=CALM_S, overflow_share=10.0)
    if scene.hung_s is not None:  # a record is blamed before it counts as hung: the one comes sooner with the other
        constants = replace(constants, blame_in_flight_share=scene.hung_s / pipeline.slo_s / 2)
    return base.model_copy(
        update={
            "state_dir": home,
            "kafka": kafka,
            "pipeline": pipeline,
            "capture": base.capture.model_copy(update={"port": 0}),
            "web": base.web.model_copy(update={"port": 0}),
            "sink": SinkConfig(),
            "database": DatabaseConfig(),
            "policy": PolicyConfig(mode=Mode(options.mode), constants=constants),
        }
    )


@contextmanager
def _roles(settings: Settings, say: Say, version: str, ready_s: float) -> Iterator[Stage]:
    ensure_topics(AdminClient(settings.kafka.client()), settings.pipeline, local=version != "yours")
    with Supervisor(settings, broker_version=version, report=say) as supervisor:
        took = supervisor.wait_ready(READY_LIMIT_S)
        say(f"{len(supervisor.urls)} processes ready in {took:.1f} s; the page: {supervisor.urls['web']}")
        assert settings.sink_config.url
        yield Stage(
            settings.kafka,
            settings.pipeline,
            settings.sink_config.url,
            supervisor.urls["capture"],
            supervisor.urls["web"],
            version,
            ready_s,
            settings.state_dir,
            lambda: supervisor.restarts,
        )
