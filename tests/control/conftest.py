"""Pipelines with telemetry, and controllers as processes."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from fairlane.stack.kafka import LocalKafka
from ingestion.config import PipelineConfig
from ingestion.lanes.topics import ensure_topics
from isolator.state import StateReader
from tests.support.control import Feed, Governors, governing


@pytest.fixture
def name(kafka: LocalKafka, pipeline_config: PipelineConfig) -> str:
    """A pipeline whose topics exist."""
    ensure_topics(kafka.admin(), pipeline_config, local=True)
    return pipeline_config.name


@pytest.fixture
def feed(kafka: LocalKafka, name: str) -> Iterator[Feed]:
    """Its telemetry."""
    one = Feed(kafka, name)
    one.start()
    yield one
    one.end()


@pytest.fixture
def reader(kafka: LocalKafka, name: str) -> Iterator[StateReader]:
    """Its state; poll it."""
    one = StateReader(kafka.config().client(), [name])
    yield one
    one.close()


@pytest.fixture
def governors(kafka: LocalKafka, tmp_path: Path) -> Iterator[Governors]:
    """Controller processes; they end with the test."""
    with governing(kafka, tmp_path) as some:
        yield some
