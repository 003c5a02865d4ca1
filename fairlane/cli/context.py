"""What every command shares: the global options, and the settings that follow from them (read when first asked for)."""

import tomllib
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import typer

from fairlane.settings import Settings, load
from fairlane.stack import running
from ingestion.config import KafkaConfig
from slo.errors import Unreachable, UsageError


@dataclass
class Globals:
    """The global options."""

    config: Path | None = None
    overrides: dict[str, Any] = field(default_factory=dict)

    @cached_property
    def settings(self) -> Settings:
        """The configuration. Raises ConfigError."""
        return load(self.config, self.overrides)


def settings_of(context: typer.Context) -> Settings:
    """The configuration for a command. Raises ConfigError."""
    found = context.find_object(Globals)
    return (found or Globals()).settings


def reachable(settings: Settings) -> Settings:
    """The settings with a Kafka in them: the configured one, else the one that `fairlane up` runs with this state directory.

    Raises Unreachable when there is neither.
    """
    if settings.kafka.bootstrap:
        return settings
    now = running.find(settings.state_dir)
    if now is None:
        raise Unreachable(
            f"nothing runs with the state directory {settings.state_dir}, and kafka.bootstrap is not set: start `fairlane up` first, or name your Kafka "
            "with --set kafka.bootstrap=HOST:PORT (FAIRLANE_KAFKA__BOOTSTRAP)"
        )
    return settings.model_copy(update={"kafka": KafkaConfig(bootstrap=now.bootstrap)})


def quiet_client(settings: Settings) -> dict[str, Any]:
    """A librdkafka configuration that leaves stderr to our one message; the library would write a line for each try to connect."""
    return {**settings.kafka.client(), "log_level": 0}


def parse_assignment(text: str) -> tuple[str, Any]:
    """`pipeline.partitions=24` as path and value; lists and quoted text are read as TOML. Raises UsageError."""
    path, equals, value = text.partition("=")
    if not equals or not path.strip():
        raise UsageError(f"--set {text}: write it as SECTION.NAME=VALUE, for example --set pipeline.partitions=24")
    if not value.lstrip().startswith(("[", "{", '"', "'")):
        return path.strip(), value
    try:
        return path.strip(), tomllib.loads(f"value = {value}")["value"]
    except tomllib.TOMLDecodeError as error:
        raise UsageError(f'--set {text}: the value is not TOML ({error}); a list is written ["a", "b"]') from error
