"""Capture under uvicorn in a thread, and what its topic holds."""

import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

import httpx
import uvicorn
from confluent_kafka import Consumer, Message, TopicPartition
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
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]})
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
    consumer = Consumer(
        kafka.client(group_id=f"read-{time.monotonic_ns()}", enable_auto_commit=False, isolation_level="read_committed")
    )
    found: list[Message] = []
    try:
        ends = {
            p: consumer.get_watermark_offsets(TopicPartition(topic, p), timeout=limit_s)[1] for p in range(partitions)
        }
        consumer.assign([TopicPartition(topic, p, 0) for p in ends])
        until = time.monotonic() + limit_s
        while any(end > 0 for end in ends.values()):
            assert time.monotonic() < until, f"{topic} could not be read to its end"
            for message in consumer.consume(500, 0.2):
                assert message.error() is None, message.error()
                found.append(message)
                if message.offset() + 1 >= ends[message.partition()]:
                    ends[message.partition()] = 0
    finally:
        consumer.close()
    return found
