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
from typing import Annotated, Any, Final, Literal, cast

from pydantic import (
    BeforeValidator,
    Field,
    ValidationError,
    ValidationInfo,
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
from fairlane.auth.config import AuthConfig
from fairlane.hosts import is_loopback
from fairlane.pager.config import PagerConfig
from fairlane.settings_errors import DERIVED, Origin, explain, unknown_variables
from fairlane.stack.paths import default_state_dir
from ingestion.config import CaptureConfig, KafkaConfig, PipelineConfig, ProbeConfig, Section, SinkConfig, WorkerConfig
from ingestion.contracts.routes import Mode
from isolator.constants import Policy
from slo.calendar import UTC, zone_of
from slo.errors import ConfigError

PREFIX: Final = "FAIRLANE_"
DEFAULT_FILE: Final = "fairlane.toml"
_file: ContextVar[Path | None] = ContextVar("configuration file", default=None)


class DatabaseConfig(Section):
    """Where history is kept."""

    url: str = ""
    """SQLAlchemy URL (`postgresql+psycopg://...`); empty is the SQLite file `fairlane.db` in the state directory."""
    verdict_days: Annotated[int, Field(ge=1, le=36_500)] = 400
    """Days for which the isolator's verdicts are kept; older ones are deleted every ten minutes."""


class WebConfig(Section):
    """The pages."""

    host: str = "127.0.0.1"
    """Address to listen on; beyond loopback is refused unless everybody must say who they are (`auth`)."""
    port: Annotated[int, Field(ge=0, le=65535)] = 8090
    """Port to listen on; 0 takes a free one."""


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


class SloConfig(Section):
    """Objectives beside the pipeline's own."""

    files: tuple[Path, ...] = ()
    """OpenSLO v1 files, or folders of them."""
    prometheus: str = ""
    """URL of the Prometheus that objectives are read from whose data source names none."""
    windows: Literal["google-mwmb", "fast-slow"] = "google-mwmb"
    """Alert windows of objectives that bring none: the SRE workbook's four pairs, or 10x over an hour and 2x over six."""
    windows_file: Path | None = None
    """A YAML file of alert windows of your own, instead of the preset."""
    zone: str = UTC
    """IANA time zone of the days and months that reports and SLA pages tell of, such as Europe/Berlin."""

    @field_validator("zone")
    @classmethod
    def _there_is(cls, zone: str) -> str:
        try:
            zone_of(zone)
        except ConfigError as error:
            raise ValueError(str(error)) from error
        return zone


class CapacityConfig(Section):
    """What may run out, and what it may cost."""

    files: tuple[Path, ...] = ()
    """YAML files of limits and cost budgets, or folders of them."""
    every_s: Annotated[float, Field(ge=10, le=86_400)] = 900.0
    """Seconds between readings of the present values; each is followed by a forecast."""
    owner: str = "pipeline"
    """Who owns Fairlane's own limits."""
    disk_lead_days: Annotated[float, Field(ge=1, le=730)] = 30.0
    """Days from deciding on a larger disk to having it."""
    partition_lead_days: Annotated[float, Field(ge=1, le=730)] = 14.0
    """Days from deciding on more partitions, or a cheaper handler, to having them."""
    overflow_lead_days: Annotated[float, Field(ge=1, le=730)] = 3.0
    """Days from deciding on more side-lane workers to having them."""


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
    auth: AuthConfig = AuthConfig()
    """Who may use the pages."""
    web: WebConfig = WebConfig()
    """The pages."""
    health: HealthConfig = HealthConfig()
    """Health and metrics of every process."""
    controller: ControllerConfig = ControllerConfig()
    """The clockwork."""
    policy: PolicyConfig = PolicyConfig()
    """The isolator."""
    slo: SloConfig = SloConfig()
    """Objectives."""
    capacity: CapacityConfig = CapacityConfig()
    """Limits and cost budgets."""
    pager: PagerConfig = PagerConfig()
    """Who pages."""

    @field_validator("web")
    @classmethod
    def _closed(cls, web: WebConfig, known: ValidationInfo) -> WebConfig:
        auth = known.data.get("auth")
        if auth is not None and not auth.on and not is_loopback(web.host):
            raise ValueError(
                f"host {web.host} would let everybody who reaches this machine move tenants: set auth.keys = true (`fairlane keys create` makes keys), or "
                "auth.trusted_peers to the proxy in front that says who it is, or listen on 127.0.0.1"
            )
        return web

    @field_validator("policy", mode="wrap")
    @classmethod
    def _whole(cls, raw: Any, build: ValidatorFunctionWrapHandler, known: ValidationInfo) -> PolicyConfig:
        """Judge the constants with those that other sections set: `policy.calm_s` may be short where `controller.tick_s` is."""
        if not {"pipeline", "controller"} <= known.data.keys():
            return cast("PolicyConfig", build(raw))  # those sections are refused already
        theirs = _derived(known.data["pipeline"], known.data["controller"])
        if isinstance(raw, Mapping) and not isinstance(raw.get("constants"), Policy):
            raw = {**raw, "constants": {**theirs, **_stale(theirs["slo_s"]), **raw.get("constants", {})}}
        policy = cast("PolicyConfig", build(raw))
        try:
            return policy.model_copy(update={"constants": _fitted(policy.constants, theirs)})
        except ConfigError as error:
            raise ValueError(str(error)) from error

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
        return _fitted(self.policy.constants, _derived(self.pipeline, self.controller))

    def tree(self) -> dict[str, Any]:
        """As plain nested values that `load` reads back to equal settings; contains secrets."""
        tree = self.model_dump(mode="json")
        default = asdict(Policy())
        tree["policy"] = {"mode": self.policy.mode.value} | {
            k: v for k, v in asdict(self.policy.constants).items() if v != default[k] and k not in DERIVED
        }
        return tree

    def dump(self) -> str:
        """As TOML that `load` reads back to equal settings; contains secrets."""
        return toml.dumps(self.tree())


def _derived(pipeline: PipelineConfig, controller: ControllerConfig) -> dict[str, Any]:
    """The policy's constants that other sections set; by the names of DERIVED."""
    return {
        "slo_s": pipeline.slo_s,
        "tick_s": controller.tick_s,
        "hung_s": pipeline.hung_s,
        "hold_max_s": pipeline.hold_max_s,
    }


def _fitted(constants: Policy, theirs: Mapping[str, Any]) -> Policy:
    """The constants with `theirs`. Raises ConfigError for what is impossible together."""
    given = {} if constants.stale_s != Policy().stale_s else _stale(theirs["slo_s"])
    return replace(constants, **given, **theirs)


def _stale(slo_s: float) -> dict[str, Any]:
    """The default of policy.stale_s gives way to a shorter objective; one that somebody chose is judged."""
    return {"stale_s": min(Policy().stale_s, slo_s)}


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
