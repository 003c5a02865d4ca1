"""`bench forward`: our worker forwarding everything of a backlog, against a bare transactional loop in batches of 10,000.

The bare loop does only what forwarding cannot do without: consume, one more header, produce, send offsets, commit. Ours also decides each record's lane,
keeps the fence, buffers per partition, counts and reports.
"""

from typing import Any

from confluent_kafka import Consumer, Producer, TopicPartition

from fairlane.bench.backlog import Meter, Progress, Stretch, broker, compare, full_batches, route_all, run_worker
from ingestion.config import KafkaConfig, PipelineConfig
from ingestion.contracts import headers
from ingestion.contracts.names import Lane
from ingestion.lanes.clients import lane_consumer, transactional_producer


def run(progress: Progress) -> dict[str, object]:
    """About 40 s. Returns `ratio` (records a second, ours to bare, median of the rounds), `processor_ratio`, both speeds and `limit`.

    Raises StackUnavailable when Kafka does not start.
    """
    with broker(progress) as kafka:
        config = kafka.config()

        def ours(pipeline: PipelineConfig) -> Stretch:
            route_all(config, pipeline)
            return run_worker(config, pipeline)

        result = compare(progress, kafka, ours, lambda pipeline: bare(config, pipeline))
    return {**result, "limit": "one Python thread: reading headers and handing each record to librdkafka's produce"}


def bare(kafka: KafkaConfig, pipeline: PipelineConfig) -> Stretch:
    """The bare loop, with the same client settings as ours, in a group of its own."""
    own = pipeline.model_copy(update={"name": f"{pipeline.name}-bare"})
    source, target = pipeline.names.topic(Lane.GENERAL), pipeline.names.topic(Lane.OVERFLOW)
    consumer = lane_consumer(kafka, own, Lane.GENERAL, lambda _: None)
    producer = transactional_producer(kafka, own, Lane.GENERAL, "0", lambda _: None)
    producer.init_transactions(30)
    consumer.subscribe([source], on_assign=_from_start)
    meter = Meter()
    try:
        for messages in full_batches(consumer):
            producer.begin_transaction()
            ends: dict[int, int] = {}
            for message in messages:
                partition, offset, found = message.partition(), message.offset(), message.headers()
                found.append((headers.LANE_SOURCE, f"{source}/{partition}/{offset}"))
                _produce(producer, target, message, partition, found)
                ends[partition] = offset + 1
            offsets = [TopicPartition(source, partition, end) for partition, end in ends.items()]
            producer.send_offsets_to_transaction(offsets, consumer.consumer_group_metadata(), 30)
            producer.commit_transaction(30)
            meter.batch(len(messages))
    finally:
        consumer.close()
    return meter.stretch()


def _produce(producer: Producer, topic: str, message: Any, partition: int, found: Any) -> None:
    while True:
        try:
            producer.produce(topic, message.value(), message.key(), partition, None, None, 0, found)
        except BufferError:
            producer.poll(0.01)
        else:
            return


def _from_start(consumer: Consumer, partitions: list[TopicPartition]) -> None:
    consumer.assign([TopicPartition(p.topic, p.partition, 0) for p in partitions])
