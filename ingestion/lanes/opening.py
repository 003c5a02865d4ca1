"""A worker's parts, opened against Kafka: every client it has, and what must exist before it starts."""

import logging
from collections.abc import Callable
from dataclasses import dataclass
from time import monotonic
from typing import Final
from zlib import crc32

from confluent_kafka import Consumer, KafkaError, KafkaException, Producer

from ingestion.config import KafkaConfig, PipelineConfig
from ingestion.contracts.names import TELEMETRY_TOPIC, Lane
from ingestion.lanes import clients
from ingestion.lanes.caller import Caller, NotBack
from ingestion.lanes.commit import Partitions
from ingestion.lanes.neighbours import Neighbours
from ingestion.lanes.oversize import Room, read_room
from ingestion.lanes.routes import RouteFollower
from ingestion.lanes.transaction import Transactor
from slo.errors import BrokerUnreachable, RefusedTopic

log = logging.getLogger(__name__)

_LIMIT_S: Final = 10.0
_ROUTES_S: Final = 5.0


@dataclass(frozen=True, slots=True)
class Parts:
    """The clients. `neighbours`: only the general worker asks the side lanes how far they are."""

    consumer: Consumer
    transactor: Transactor
    reports: Producer
    routes: RouteFollower
    neighbours: Neighbours | None
    partitions: Partitions
    room: Room

    def close(self, limit_s: float) -> None:
        """Close everything, the consumer first, so that it leaves the group. What Kafka does not answer within `limit_s` is left to its own time-outs."""
        end = monotonic() + limit_s
        try:
            Caller("close").call(self._close, lambda: end - monotonic())
        except NotBack:
            log.warning("Kafka does not answer: its clients are left behind")

    def _close(self) -> None:
        self.consumer.close()
        self.reports.flush(1.0)
        self.transactor.close()
        self.reports.close()
        self.routes.close()
        if self.neighbours is not None:
            self.neighbours.close()


def open_parts(
    lane: Lane, slot: str, pipeline: PipelineConfig, kafka: KafkaConfig, on_error: Callable[[KafkaError], None]
) -> Parts:
    """Raises BrokerUnreachable when Kafka does not answer, RefusedTopic when a topic is missing or the lane has the wrong number of partitions."""
    reports = clients.plain_producer(kafka, on_error)
    try:
        topics = reports.list_topics(timeout=_LIMIT_S).topics
    except KafkaException as error:
        raise BrokerUnreachable(
            f"Kafka at {kafka.bootstrap} does not answer: {error.args[0].str()}. Is it running, and is kafka.bootstrap right?"
        ) from error
    names = pipeline.names
    for name in (names.topic(lane), names.dead, TELEMETRY_TOPIC):
        if name not in topics or topics[name].error is not None:
            raise RefusedTopic(
                f"topic {name} does not exist at {kafka.bootstrap}: `fairlane doctor` says what to create"
            )
    routes = RouteFollower(kafka, pipeline.name)
    routes.catch_up(_ROUTES_S)
    count = len(topics[TELEMETRY_TOPIC].partitions)
    return Parts(
        clients.lane_consumer(kafka, pipeline, lane, on_error),
        Transactor(
            lambda: clients.transactional_producer(kafka, pipeline, lane, slot, on_error),
            pipeline.transaction_timeout_s,
        ),
        reports,
        routes,
        Neighbours(kafka, pipeline) if lane is Lane.GENERAL else None,
        Partitions(len(topics[names.dead].partitions), count, crc32(pipeline.name.encode()) % count),
        read_room(kafka, names),
    )
