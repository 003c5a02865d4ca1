"""Every magic name in one place: lanes, topics, groups, transactional ids, environment."""

from dataclasses import dataclass
from enum import StrEnum
from typing import Final

TELEMETRY_TOPIC: Final = "fairlane.telemetry"
STATE_TOPIC: Final = "fairlane.state"
CONTROLLER_GROUP: Final = "fairlane.controller"
BOOKING_GROUP: Final = "fairlane.booking"
CONTRACT_VERSION: Final = 1
CANARY_TOKEN: Final = "fairlane.canary"
"""The token of the probe's own records: no tenant's."""


class Lane(StrEnum):
    """Where a token's records are handled: one Kafka topic and one consumer group each."""

    GENERAL = "general"
    OVERFLOW = "overflow"
    QUARANTINE = "quarantine"

    @property
    def code(self) -> int:
        """The lane's byte in the fence's metadata: 0 general, 1 overflow, 2 quarantine."""
        return _CODES[self]


_CODES: Final = {Lane.GENERAL: 0, Lane.OVERFLOW: 1, Lane.QUARANTINE: 2}
SIDE_LANES: Final = (Lane.OVERFLOW, Lane.QUARANTINE)


@dataclass(frozen=True, slots=True)
class PipelineNames:
    """The Kafka names of one pipeline.

    >>> PipelineNames("events").topic(Lane.GENERAL)
    'events.general'
    """

    pipeline: str

    def topic(self, lane: Lane) -> str:
        """The lane's topic."""
        return f"{self.pipeline}.{lane}"

    def group(self, lane: Lane) -> str:
        """The lane's consumer group."""
        return f"fairlane.{self.pipeline}.{lane}"

    @property
    def dead(self) -> str:
        """The dead-letter topic."""
        return f"{self.pipeline}.dead"

    def transactional_id(self, lane: Lane, slot: str) -> str:
        """A worker slot's stable transactional.id."""
        return f"fairlane.{self.pipeline}.{lane}.{slot}"
