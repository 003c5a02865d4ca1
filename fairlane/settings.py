"""The one typed tree of configuration: command-line flag over environment over TOML file over default.

    fairlane.toml           [pipeline]  partitions = 24
    environment             FAIRLANE_PIPELINE__PARTITIONS=24
    flag                    --set pipeline.partitions=24

Unknown keys are refused by name, wherever they stand. Everything under `kafka.` that is not ours is a librdkafka property and passes through; in the
environment its dots are written `_` (FAIRLANE_KAFKA__SECURITY_PROTOCOL).
"""

import re
import tomllib
from collections.abc import Mapping
from contextvars import ContextVar
from dataclasses import asdict, fields, replace
from pathlib import Path
from typing import Annotated, Any, Final, Self

from pydantic import (
    BeforeValidator,
    Field,
    ValidationError,
    ValidatorFunctionWrapHandler,
    field_validator,
    model_validator,
)
from pydantic_core import PydanticCustomError
from pydantic_settings import (
    BaseSettings,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
    SettingsError,
    TomlConfigSettingsSource,
)

from fairlane import passthrough, toml
from fairlane.settings_errors import DERIVED, Origin, explain, unknown_variables
from fairlane.stack.paths import default_state_dir
from ingestion.config import CaptureConfig, KafkaConfig, PipelineConfig, ProbeConfig, Section, SinkConfig, WorkerConfig
from ingestion.contracts.routes import Mode
from isolator.constants import Policy
from slo.errors import ConfigError

PREFIX: Final = "FAIRLANE_"
DEFAULT_FILE: Final = "fairlane.toml"
_LOOPBACK: Final = ("127.", "localhost", "::1")
_file: ContextVar[Path | None] = ContextVar("configuration file", default=None)


class DatabaseConfig(Section):
    """Where history is kept."""

    url: str = ""
    """SQLAlchemy URL (`postgresql+psycopg://...`); empty is the SQLite file `fairlane.db` in the state directory."""


class WebConfig(Section):
    """The pages."""

    host: str = "127.0.0.1"
    """Address to listen on; beyond loopback is refused unless `behind_proxy` is set."""
    port: Annotated[int, Field(ge=0, le=65535)] = 8090
    """Port to listen on; 0 takes a free one."""
    behind_proxy: bool = False
    """A proxy that authenticates people stands in front: listening beyond loopback is allowed."""

    @model_validator(mode="after")
    def _closed(self) -> Self:
        if not self.behind_proxy and not self.host.startswith(_LOOPBACK):
            raise ValueError(
                f"web.host is {self.host}: the pages have no login of their own, so they listen on loopback only. Put a proxy that authenticates in "
                "front and set web.behind_proxy = true"
            )
        return self


class HealthConfig(Section):
    """`/metrics`, `/livez` and `/readyz` of the processes that have no HTTP server of their own (worker, probe, controller)."""

    host: str = "127.0.0.1"
    """Address to listen on."""
    port: Annotated[int, Field(ge=0, le=65535)] = 0
    """Port to listen on; 0 takes a free one, told in the log."""


class ControllerConfig(Section):
    """The decision's and the SLOs' clockwork."""

    tick_s: Annotated[float, Field(gt=0, le=60)] = 5.0
    """Seconds between decisions."""
    slo_s: Annotated[float, Field(gt=0, le=300)] = 15.0
    """Seconds between evaluations of the SLOs."""


class PolicyConfig(Section):
    """What the isolator may do. Further keys override the constants of `isolator.constants.Policy` by name."""

    mode: Mode = Mode.OBSERVE
    """Mode of a pipeline that has none in `fairlane.state` yet: off, observe, suggest or auto."""
    constants: Policy = Field(default_factory=Policy)
    """The decision's constants; written directly under `[policy]`."""

    @model_validator(mode="before")
    @classmethod
    def _gather(cls, raw: Any) -> Any:
        """Constants stand beside `mode`: collect those that Policy has, leave the rest to be refused by name."""
        if not isinstance(raw, Mapping) or isinstance(raw.get("constants"), Policy):
            return raw
        known = {field.name for field in fields(Policy)} - DERIVED.keys()
        constants = {**raw.get("constants", {}), **{key: value for key, value in raw.items() if key in known}}
        return {
            **{key: value for key, value in raw.items() if key not in known},
            "constants": constants,
        }

    @field_validator("constants", mode="wrap")
    @classmethod
    def _possible(cls, raw: Any, build: ValidatorFunctionWrapHandler) -> Any:
        try:
            return build(raw)
        except ConfigError as error:
            raise ValueError(str(error)) from error


class Settings(BaseSettings):
    """Everything that can be set."""

    model_config = SettingsConfigDict(
        env_prefix=PREFIX,
        env_nested_delimiter="__",
        extra="forbid",
        frozen=True,
        validate_default=True,
        use_attribute_docstrings=True,
        # an empty variable is one that was not given
        env_ignore_empty=True,
    )

    state_dir: Annotated[Path, BeforeValidator(lambda value: Path(value).expanduser().absolute())] = Field(
        default_factory=default_state_dir
    )
    """Where the local Kafka, the databases and the logs live."""
    kafka: KafkaConfig = KafkaConfig()
    """Which Kafka."""
    pipeline: PipelineConfig = PipelineConfig()
    """The ingestion flow."""
    capture: CaptureConfig = CaptureConfig()
    """The HTTP door."""
    probe: ProbeConfig = ProbeConfig()
    """The outside look at the lanes."""
    sink: SinkConfig = SinkConfig()
    """The default SQL sink."""
    worker: WorkerConfig = Field(default_factory=WorkerConfig)
    """This process's place among the workers."""
    database: DatabaseConfig = DatabaseConfig()
    """History."""
    web: WebConfig = WebConfig()
    """The pages."""
    health: HealthConfig = HealthConfig()
    """Health and metrics of every process."""
    controller: ControllerConfig = ControllerConfig()
    """The clockwork."""
    policy: PolicyConfig = PolicyConfig()
    """The isolator."""

    @field_validator("kafka", mode="before")
    @classmethod
    def _pass_through(cls, raw: Any) -> Any:
        return passthrough.flatten(raw) if isinstance(raw, Mapping) else raw

    @field_validator("kafka")
    @classmethod
    def _accepted(cls, kafka: KafkaConfig) -> KafkaConfig:
        if problems := passthrough.problems(kafka):
            raise PydanticCustomError("passthrough", "properties refused", {"problems": problems})
        return kafka

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,  # noqa: ARG003 - not a source of ours
        file_secret_settings: PydanticBaseSettingsSource,  # noqa: ARG003 - not a source of ours
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Flags, then environment, then the file."""
        path = _file.get()
        return (
            init_settings,
            env_settings,
            *((TomlConfigSettingsSource(settings_cls, toml_file=path),) if path else ()),
        )

    @property
    def local(self) -> bool:
        """Is the Kafka our own? Then one replica is enough."""
        return not self.kafka.bootstrap

    @property
    def database_url(self) -> str:
        """The SQLAlchemy URL of the history, with the default filled in."""
        return self.database.url or f"sqlite:///{self.state_dir / 'fairlane.db'}"

    @property
    def sink_config(self) -> SinkConfig:
        """The sink with its default URL filled in."""
        return (
            self.sink
            if self.sink.url
            else self.sink.model_copy(update={"url": f"sqlite:///{self.state_dir / 'sink.db'}"})
        )

    @property
    def policy_constants(self) -> Policy:
        """The decision's constants, with those that other sections set."""
        return replace(
            self.policy.constants,
            slo_s=self.pipeline.slo_s,
            tick_s=self.controller.tick_s,
            hung_s=self.pipeline.hung_s,
            hold_max_s=self.pipeline.hold_max_s,
        )

    def tree(self) -> dict[str, Any]:
        """As plain nested values that `load` reads back to equal settings; contains secrets."""
        tree = self.model_dump(mode="json")
        default = asdict(Policy())
        tree["policy"] = {"mode": self.policy.mode.value} | {
            k: v for k, v in asdict(self.policy.constants).items() if v != default[k]
        }
        return tree

    def dump(self) -> str:
        """As TOML that `load` reads back to equal settings; contains secrets."""
        return toml.dumps(self.tree())


def load(path: Path | None = None, overrides: Mapping[str, Any] | None = None) -> Settings:
    """The settings: `overrides` (dotted path to value) over environment over file over default.

    `path` None takes `fairlane.toml` in the working directory when there is one. Raises ConfigError with one line per problem: which key, from where,
    what is wrong, and the nearest name that exists.
    """
    file = path if path is not None else (Path(DEFAULT_FILE) if Path(DEFAULT_FILE).is_file() else None)
    content = _read(file) if file is not None else {}
    given = _nest(overrides or {})
    origin = Origin(Settings, given, content, str(file) if file else "")
    problems = unknown_variables(Settings)
    token = _file.set(file)
    try:
        settings = Settings(**given)
    except ValidationError as error:
        problems = explain(error, origin) + problems
    except ConfigError as error:
        problems = [str(error), *problems]
    except SettingsError as error:
        # pydantic-settings stops at a variable that it cannot read as JSON and names its section only
        section = (re.findall(r'"(\w+)"', str(error)) or ["?"])[0].upper()
        problems = [
            f'{PREFIX}{section}...: a list or table in the environment is written as JSON, for example ["a", "b"] ({error.__cause__})',
            *problems,
        ]
    finally:
        _file.reset(token)
    if problems:
        raise ConfigError(
            "the configuration has "
            + ("a problem" if len(problems) == 1 else f"{len(problems)} problems")
            + "".join(f"\n  - {p}" for p in problems)
        )
    return settings


def _read(file: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(file.read_text(encoding="utf-8"))
    except OSError as error:
        raise ConfigError(f"cannot read the configuration file {file}: {error.strerror or error}") from error
    except UnicodeDecodeError as error:
        raise ConfigError(f"the configuration file {file} is not UTF-8 (byte {error.start})") from error
    except tomllib.TOMLDecodeError as error:
        raise ConfigError(f"the configuration file {file} is not TOML: {error}") from error


def _nest(dotted: Mapping[str, Any]) -> dict[str, Any]:
    tree: dict[str, Any] = {}
    for path, value in dotted.items():
        if clash := next((other for other in dotted if other.startswith(f"{path}.")), None):
            raise ConfigError(f"{path} and {clash} are both set: set a section as a whole or key by key, not both")
        head, _, rest = path.partition(".")
        if head == "kafka" and rest:
            # a librdkafka property has dots of its own
            tree.setdefault("kafka", {})[rest] = value
            continue
        *parents, leaf = path.split(".")
        node = tree
        for parent in parents:
            node = node.setdefault(parent, {})
        node[leaf] = value
    return tree
