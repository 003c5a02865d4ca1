"""What the data plane can be told. Frozen models that `fairlane.settings` composes into the one tree; every field's description is its reference entry."""

import socket
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field

from ingestion.contracts.names import PipelineNames


class Section(BaseModel):
    """A part of the configuration: frozen, unknown keys refused."""

    model_config = ConfigDict(frozen=True, extra="forbid", validate_default=True, use_attribute_docstrings=True)


class KafkaConfig(BaseModel):
    """Which Kafka. Any further key is a librdkafka property and passes through (`security.protocol`, `sasl.username`, ...)."""

    model_config = ConfigDict(frozen=True, extra="allow", use_attribute_docstrings=True)

    bootstrap: str = ""
    """`host:port[,host:port]` of your Kafka. Empty: a local single-node Kafka is started."""

    def client(self, **own: Any) -> dict[str, Any]:
        """A librdkafka configuration: pass-through properties, then ours (given with `_` for `.`), which win."""
        return {
            "bootstrap.servers": self.bootstrap,
            "client.id": "fairlane",
            "broker.address.family": "v4" if self.bootstrap.startswith("127.") else "any",
            "log_level": 3,
            **(self.model_extra or {}),
            **{key.replace("_", "."): value for key, value in own.items()},
        }


class PipelineConfig(Section):
    """One ingestion flow: its lanes, its dead letters, its handler."""

    name: Annotated[str, Field(pattern=r"^[a-z][a-z0-9-]{0,40}$")] = "events"
    """Names the topics `NAME.general`, `NAME.overflow`, `NAME.quarantine`, `NAME.dead`."""
    partitions: Annotated[int, Field(ge=1, le=1024)] = 12
    """Partitions of every lane: the same number in all, so that a forward keeps its partition."""
    replication: Annotated[int, Field(ge=1, le=9)] = 3
    """Replication factor of created topics; under 3 is refused except on the local stack."""
    retention_hours: Annotated[int, Field(ge=1)] = 168
    """Retention of the general topic; under 72 is refused."""
    slo_s: Annotated[float, Field(gt=0)] = 30.0
    """T: an event is good when its sink commit is within T seconds of capture."""
    handler: Annotated[str, Field(pattern=r"^[\w.]+:[\w.]+$")] = "ingestion.sinks.sql:SqlHandler"
    """`module:attribute` of the handler: an object with `handle(batch)`, a class or factory of one (called with the settings), or a function of one record."""
    concurrency: Annotated[int, Field(ge=1, le=256)] = 1
    """Handler threads a worker: key-parallel inside a partition, order kept per key."""
    chunk_s: Annotated[float, Field(gt=0, le=10)] = 0.25
    """Predicted work that one turn takes."""
    chunk_records: Annotated[int, Field(ge=1, le=100_000)] = 10_000
    """Records that one turn takes at most."""
    buffer_s: Annotated[float, Field(gt=0, le=60)] = 1.0
    """Predicted work that is buffered per partition (times `concurrency`)."""
    buffer_mb: Annotated[float, Field(gt=0, le=100_000)] = 128.0
    """Megabytes that a worker buffers at most, shared equally by its partitions; a partition always buffers at least one record."""
    hold_max_s: Annotated[float, Field(gt=0, le=60)] = 2.0
    """A token that cannot come back yet stops its partition for at most this long, then it is forwarded again."""
    hung_s: Annotated[float, Field(gt=0)] = 60.0
    """A handler call that runs longer is given up: the suspect is committed and the worker restarts."""
    transaction_timeout_s: Annotated[float, Field(ge=1, le=60)] = 10.0
    """transaction.timeout.ms of the workers."""
    session_timeout_s: Annotated[float, Field(ge=1, le=60)] = 10.0
    """session.timeout.ms of the workers."""

    @property
    def names(self) -> PipelineNames:
        """The pipeline's Kafka names."""
        return PipelineNames(self.name)


class CaptureConfig(Section):
    """The HTTP door."""

    host: str = "127.0.0.1"
    """Address to listen on."""
    port: Annotated[int, Field(ge=0, le=65535)] = 8080
    """Port to listen on; 0 takes a free one."""
    max_body_bytes: Annotated[int, Field(ge=1_024)] = 5_000_000
    """A larger request body is refused with 413."""
    max_event_bytes: Annotated[int, Field(ge=256)] = 900_000
    """A larger event is refused with 422; must stay under the topic's max.message.bytes."""
    max_batch: Annotated[int, Field(ge=1)] = 5_000
    """Events in one request."""
    tokens: tuple[str, ...] = ()
    """Known tokens; empty accepts any well-formed one."""
    delivery_timeout_s: Annotated[float, Field(gt=0, le=300)] = 10.0
    """How long a request waits for Kafka's confirmation before it is answered 503."""
    max_in_flight: Annotated[int, Field(ge=1)] = 100_000
    """Events that wait for confirmation in one process; beyond it requests are answered 429."""
    required: dict[str, tuple[str, ...]] = Field(default_factory=dict)
    """Properties that an event type must carry, by its name; without them it is taken, and counted as incomplete."""


class ProbeConfig(Section):
    """The outside look at the lanes."""

    interval_s: Annotated[float, Field(gt=0, le=60)] = 1.0
    """How often the lanes are measured."""
    canary_s: Annotated[float, Field(gt=0)] = 10.0
    """How often each partition gets a canary record."""
    scout: bool = True
    """Follow the tail of the general topic to count arrivals per token."""


class SinkConfig(Section):
    """The default SQL sink."""

    url: str = ""
    """SQLAlchemy URL; empty is `sink.db` in the state directory."""


class WorkerConfig(Section):
    """This process's place among the workers."""

    slot: str = Field(default_factory=lambda: _ordinal(socket.gethostname()))
    """Keeps the transactional.id stable; default: the host's ordinal (`worker-3` gives 3, else 0)."""
    build: str = "dev"
    """The handler's build, so that service times are compared within one build."""


def _ordinal(host: str) -> str:
    tail = host.rpartition("-")[2]
    return tail if tail.isdigit() else "0"
