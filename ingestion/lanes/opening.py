"""A worker's parts, opened against Kafka: every client it has, and what must exist before it starts."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final
from zlib import crc32

from confluent_kafka import Consumer, KafkaError, KafkaException, Producer

from ingestion.config import KafkaConfig, PipelineConfig
from ingestion.contracts.names import TELEMETRY_TOPIC, Lane
from ingestion.lanes import clients
from ingestion.lanes.commit import Partitions
from ingestion.lanes.neighbours import Neighbours
from ingestion.lanes.routes import RouteFollower
from ingestion.lanes.transaction import Transactor
from slo.errors import BrokerUnreachable, RefusedTopic

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

    def close(self) -> None:
        """Close everything but the consumer, which leaves the group first."""
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
    )
