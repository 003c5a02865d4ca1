"""What every test can ask for: one real Kafka a session, fresh pipelines, and tools whose absence is said aloud."""

import os
import shutil
import sys
import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest

from fairlane.stack.kafka import LocalKafka
from ingestion.config import KafkaConfig, PipelineConfig

TOOLS = {"prometheus": "promtool", "alertmanager": "amtool", "chromium": "chromium"}
"""Marker to the program that its tests run."""
_LACKING: list[tuple[str, str]] = []
"""(program, test) of what was skipped; filled where the reports arrive, which with several processes is the first one."""


@pytest.fixture(scope="session")
def kafka(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalKafka]:
    """The session's real Kafka: started by the first test that asks, stopped at the end. Do not stop or kill this one."""
    with LocalKafka(tmp_path_factory.mktemp("kafka")) as broker:
        yield broker


@pytest.fixture
def pipeline_name() -> str:
    """A name that no other test uses, so that topics and groups never collide."""
    return f"t{uuid.uuid4().hex[:10]}"


@pytest.fixture
def pipeline_config(pipeline_name: str) -> PipelineConfig:
    """A pipeline of four partitions, allowed on the local stack; its topics do not exist yet."""
    return PipelineConfig(name=pipeline_name, partitions=4, replication=1)


@pytest.fixture
def kafka_config(kafka: LocalKafka) -> KafkaConfig:
    """How to reach the session's Kafka."""
    return kafka.config()


@pytest.fixture
def state_dir(tmp_path: Path) -> Path:
    """An empty state directory."""
    return tmp_path / "state"


@pytest.hookimpl(wrapper=True)
def pytest_runtest_setup(item: pytest.Item) -> Iterator[None]:
    """Skip a test whose tool is missing, and remember it; with CI=true it fails instead."""
    for marker, program in TOOLS.items():
        if item.get_closest_marker(marker) and shutil.which(program) is None:
            item.user_properties.append(("lacks", program))
            if os.environ.get("CI") == "true":
                pytest.fail(f"{program} is not installed, and CI=true forbids to skip", pytrace=False)
            pytest.skip(f"{program} is not installed")
    return (yield)


def pytest_runtest_logreport(report: pytest.TestReport) -> None:
    """Note a test that was skipped for a missing tool."""
    if report.when == "setup":
        _LACKING.extend((str(program), report.nodeid) for name, program in report.user_properties if name == "lacks")


@pytest.hookimpl(trylast=True)
def pytest_unconfigure(config: pytest.Config) -> None:
    """Say it in the very last lines of the run: what was not tested, and how to have it tested."""
    if not _LACKING or hasattr(config, "workerinput"):
        return
    programs = sorted({program for program, _ in _LACKING})
    lines = ["", "!" * 100, f"!! {len(_LACKING)} TESTS DID NOT RUN because {', '.join(programs)} could not be found:"]
    lines += [f"!!   {program:<10} {nodeid}" for program, nodeid in sorted(_LACKING)]
    lines += [
        "!! Install them (Debian: apt-get install prometheus prometheus-alertmanager chromium) and run the tests again.",
        "!" * 100,
    ]
    print("\n".join(lines), file=sys.stderr)
