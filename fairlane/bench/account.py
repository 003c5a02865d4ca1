"""`bench account`: our worker without a handler, against consuming, reading the headers and counting per token.

What is left of the worker then is its overhead: buffers, decisions, per-token accounts, exact counts and the transaction with the offsets.
"""

from collections import Counter
from typing import Any

from confluent_kafka import TopicPartition

from fairlane.bench.backlog import Meter, Progress, Stretch, broker, compare, full_batches, run_worker
from ingestion.config import KafkaConfig, PipelineConfig
from ingestion.contracts import headers
from ingestion.contracts.names import Lane
from ingestion.lanes.clients import lane_consumer


def run(progress: Progress) -> dict[str, object]:
    """About 40 s. Returns `ratio` (records a second, ours to bare, median of the rounds), `processor_ratio`, both speeds and `limit`.

    Raises StackUnavailable when Kafka does not start.
    """
    with broker(progress) as kafka:
        config = kafka.config()
        result = compare(
            progress, kafka, lambda pipeline: run_worker(config, pipeline), lambda pipeline: bare(config, pipeline)
        )
    return {**result, "limit": "one Python thread: making each record's header list"}


def bare(kafka: KafkaConfig, pipeline: PipelineConfig) -> Stretch:
    """Consume, headers, count; with the same client settings as ours, committing nothing."""
    own = pipeline.model_copy(update={"name": f"{pipeline.name}-bare"})
    consumer = lane_consumer(kafka, own, Lane.GENERAL, lambda _: None)
    consumer.assign([TopicPartition(pipeline.names.topic(Lane.GENERAL), p, 0) for p in range(pipeline.partitions)])
    meter, counts = Meter(), Counter[Any]()
    try:
        for messages in full_batches(consumer):
            for message in messages:
                for name, value in message.headers():
                    if name == headers.TOKEN:
                        counts[value] += 1
                        break
            meter.batch(len(messages))
    finally:
        consumer.close()
    return meter.stretch()
