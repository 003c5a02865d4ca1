"""What a sink needs to be told; `ingestion.lanes.handler.HandlerContext` is one."""

from typing import Protocol

from ingestion.config import SinkConfig
from ingestion.contracts.names import Lane


class SinkContext(Protocol):
    """Where a sink runs and what it writes to."""

    @property
    def lane(self) -> Lane:
        """The lane whose worker made the sink."""
        ...

    @property
    def sink(self) -> SinkConfig:
        """The sink's settings."""
        ...
