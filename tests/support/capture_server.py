"""Capture under uvicorn in a thread, and what its topic holds."""

import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

import httpx
import uvicorn
from confluent_kafka import Consumer, KafkaError, Message, TopicPartition
from fastapi import FastAPI
from prometheus_client import CollectorRegistry

from ingestion.capture.app import create_app
from ingestion.config import CaptureConfig, KafkaConfig, PipelineConfig
from slo.clock import SystemClock


@contextmanager
def serving(app: FastAPI) -> Iterator[str]:
    """The app's URL while it is served."""
    listener = socket.socket()
    listener.bind(("127.0.0.1", 0))
    server = uvicorn.Server(uvicorn.Config(app, log_level="critical", access_log=False))
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]}, daemon=True)
    thread.start()
    try:
        until = time.monotonic() + 20
        while not server.started:
            assert thread.is_alive(), "the server ended while starting"
            assert time.monotonic() < until, "the server did not start"
            time.sleep(0.01)
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"
    finally:
        server.should_exit = True
        thread.join(20)
        listener.close()
    assert not thread.is_alive(), "the server did not stop"


@contextmanager
def capturing(
    pipeline: PipelineConfig, kafka: KafkaConfig, config: CaptureConfig | None = None
) -> Iterator[httpx.Client]:
    """A client of a running capture; follows no environment proxy."""
    app = create_app(pipeline, config or CaptureConfig(), kafka, SystemClock(), CollectorRegistry())
    with serving(app) as url, httpx.Client(base_url=url, timeout=30, trust_env=False) as client:
        yield client


def read_topic(kafka: KafkaConfig, topic: str, partitions: int, *, limit_s: float = 30) -> list[Message]:
    """Every record of `topic` that is there now, partition by partition."""
    # the end is what the broker says it is: behind the last record there may be markers of other tests' transactions
    consumer = Consumer(
        kafka.client(
            group_id=f"read-{time.monotonic_ns()}",
            enable_auto_commit=False,
            enable_partition_eof=True,
            isolation_level="read_committed",
        )
    )
    found: list[Message] = []
    reading = set(range(partitions))
    try:
        consumer.assign([TopicPartition(topic, p, 0) for p in reading])
        until = time.monotonic() + limit_s
        while reading:
            assert time.monotonic() < until, f"{topic} could not be read to its end"
            for message in consumer.consume(500, 0.2):
                error = message.error()
                if error is None:
                    found.append(message)
                    continue
                assert error.code() == KafkaError._PARTITION_EOF, error
                reading.discard(message.partition())
    finally:
        consumer.close()
    return found
