"""Following `fairlane.state`: which lane is wanted for which token. Group-less, read_committed, never waits."""

import uuid
from time import monotonic
from typing import Final

from confluent_kafka import OFFSET_BEGINNING, KafkaError, TopicPartition

from ingestion.config import KafkaConfig
from ingestion.contracts.names import STATE_TOPIC, Lane
from ingestion.contracts.routes import Route, RouteTable
from ingestion.lanes.clients import reader

_BATCH: Final = 1_000


class RouteFollower:
    """The route table of one pipeline, brought up to date by `poll`. However late it is, only placement suffers."""

    def __init__(self, kafka: KafkaConfig, pipeline: str) -> None:
        self.table = RouteTable(pipeline)
        self.wanted: dict[bytes, Lane] = {}
        """Tokens that are wanted outside general now."""
        self.routed: dict[bytes, Route] = {}
        """Every token that has a route, with its history."""
        self._end = False
        self._consumer = reader(
            kafka,
            f"fairlane.routes.{uuid.uuid4().hex[:8]}",
            **{
                "isolation.level": "read_committed",
                "auto.offset.reset": "earliest",
                "enable.partition.eof": True,
                "fetch.wait.max.ms": 100,
                "topic.metadata.refresh.interval.ms": 10_000,
            },
        )
        self._consumer.assign([TopicPartition(STATE_TOPIC, 0, OFFSET_BEGINNING)])

    def poll(self, timeout_s: float = 0.0) -> None:
        """Fold what has arrived."""
        messages = self._consumer.consume(_BATCH, timeout_s)
        changed = False
        for message in messages:
            error = message.error()
            if error is not None:
                self._end = self._end or error.code() == KafkaError._PARTITION_EOF  # noqa: SLF001  # its public name
                continue
            offset = message.offset()
            assert offset is not None
            self.table.apply(message.key(), message.value(), offset)
            changed = True
        if changed:
            self.routed = {token.encode(): route for token, route in self.table.routes.items()}
            self.wanted = {route.token.encode(): route.lane for route in self.table.moved()}

    def catch_up(self, limit_s: float) -> bool:
        """Read to the end of the topic, for at most `limit_s` seconds; was it reached?"""
        until = monotonic() + limit_s
        while not self._end and monotonic() < until:
            self.poll(0.05)
        return self._end

    def close(self) -> None:
        """Leave."""
        self._consumer.close()
