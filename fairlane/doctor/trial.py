"""One real transaction on the cluster, as a worker does it: produce, offsets with metadata, commit, read back. Leaves nothing behind."""

import time
from collections.abc import Callable
from contextlib import suppress
from typing import Final
from uuid import uuid4

from confluent_kafka import (
    OFFSET_BEGINNING,
    Consumer,
    KafkaError,
    KafkaException,
    Message,
    Producer,
    TopicPartition,
)
from confluent_kafka.admin import AdminClient, NewTopic

from ingestion.config import KafkaConfig
from ingestion.lanes.topic_laws import Finding, Level
from slo.clock import Clock

LIMIT_S: Final = 30.0
SKEW_WARN_S: Final = 0.5
_METADATA: Final = "fairlane doctor"


def transaction(client: AdminClient, kafka: KafkaConfig, clock: Clock, slo_s: float) -> list[Finding]:
    """Try a transaction on a topic that is made for it and deleted after it; tells the clocks' difference too."""
    name = f"fairlane.doctor.{uuid4().hex[:12]}"
    config = {"message.timestamp.type": "LogAppendTime", "retention.ms": "3600000"}
    try:
        client.create_topics(
            [NewTopic(name, num_partitions=1, replication_factor=-1, config=config)], operation_timeout=LIMIT_S
        )[name].result(LIMIT_S)
    except (KafkaException, TimeoutError) as error:
        what = f"could not be tried: no topic {name} could be made ({_reason(error)})"
        return [
            Finding(
                Level.WARN,
                "transactions",
                what,
                "allow the account CREATE and DELETE on topics fairlane.doctor.*, or rely on the workers' start",
            )
        ]
    try:
        began = time.monotonic()
        sent_s, appended_s, returned_s = _try(kafka, name, clock)
        took_s = time.monotonic() - began
        return [
            Finding(Level.OK, "transactions", f"work: one with offsets and metadata took {took_s:.2f} s"),
            judge_skew(sent_s, appended_s, returned_s, slo_s),
        ]
    except (KafkaException, _Failed) as error:
        fix = "allow WRITE and DESCRIBE on transactional ids fairlane.*, READ on groups fairlane.*; look at the broker's __transaction_state"
        return [Finding(Level.FAIL, "transactions", f"do not work: {_reason(error)}", fix)]
    finally:
        _clean(client, name)


def judge_skew(sent_s: float, appended_s: float, returned_s: float, slo_s: float) -> Finding:
    """The broker's clock against ours: an append happens between sending and confirmation, so only what lies outside is skew. Pure."""
    skew_s = max(sent_s - appended_s, appended_s - returned_s, 0.0)
    ahead = "ahead of" if appended_s > returned_s else "behind"
    fix = "synchronise the clocks of this machine and of the brokers (chrony, ntpd)"
    if skew_s <= SKEW_WARN_S:
        return Finding(Level.OK, "clocks", f"agree within {max(skew_s, 0.001):.3f} s")
    level = Level.FAIL if skew_s > slo_s / 6 else Level.WARN
    return Finding(level, "clocks", f"the broker's is {skew_s:.1f} s {ahead} ours: freshness is off by as much", fix)


class _Failed(Exception):
    """The trial did not show what it must."""


def _try(kafka: KafkaConfig, name: str, clock: Clock) -> tuple[float, float, float]:
    """Seconds since the epoch: sent, appended by the broker, confirmed. Raises KafkaException or _Failed."""
    producer = Producer(
        kafka.client(transactional_id=name, acks="all", enable_idempotence=True, transaction_timeout_ms=10_000)
    )
    reading = kafka.client(
        group_id=name, isolation_level="read_committed", enable_auto_commit=False, auto_offset_reset="earliest"
    )
    consumer = Consumer(reading)
    try:
        _persist(producer.init_transactions)
        consumer.assign([TopicPartition(name, 0, OFFSET_BEGINNING)])
        producer.begin_transaction()
        sent = clock.now()
        producer.produce(name, b"trial", partition=0)
        producer.flush(LIMIT_S)
        returned = clock.now()
        producer.send_offsets_to_transaction(
            [TopicPartition(name, 0, 1, _METADATA)], consumer.consumer_group_metadata(), LIMIT_S
        )
        producer.commit_transaction(LIMIT_S)
        message = _read(consumer)
        (committed,) = consumer.committed([TopicPartition(name, 0)], timeout=LIMIT_S)
        if committed.offset != 1 or committed.metadata != _METADATA:
            raise _Failed(f"the committed offset came back as {committed.offset} with metadata {committed.metadata!r}")
        kind, appended_ms = message.timestamp()
        if kind != 2:
            raise _Failed("the broker did not set the append time although LogAppendTime was asked for")
        return sent, appended_ms / 1000, returned
    finally:
        consumer.close()


def _read(consumer: Consumer) -> Message:
    deadline = time.monotonic() + LIMIT_S
    while time.monotonic() < deadline:
        message = consumer.poll(0.5)
        if message is not None and message.error() is None:
            return message
    raise _Failed(f"a committed record could not be read back within {LIMIT_S:.0f} s")


def _persist(call: Callable[[float], None]) -> None:
    """Call with a limit until it is done: a fresh coordinator may still load. Raises the last retriable error after LIMIT_S."""
    deadline = time.monotonic() + LIMIT_S
    while True:
        try:
            call(5.0)
        except KafkaException as error:
            problem: KafkaError = error.args[0]
            if not problem.retriable() or time.monotonic() > deadline:
                raise
            time.sleep(0.2)
        else:
            return


def _clean(client: AdminClient, name: str) -> None:
    with suppress(KafkaException, TimeoutError):
        client.delete_consumer_groups([name], request_timeout=LIMIT_S)[name].result(LIMIT_S)
    with suppress(KafkaException, TimeoutError):
        client.delete_topics([name], operation_timeout=LIMIT_S)[name].result(LIMIT_S)


def _reason(error: BaseException) -> str:
    first = error.args[0] if error.args else error
    return first.str() if isinstance(first, KafkaError) else str(error) or type(error).__name__
