"""The way to Kafka: its configuration, a full queue, a producer that is replaced."""

import asyncio
import threading
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st
from prometheus_client import CollectorRegistry

from fairlane.stack.kafka import LocalKafka
from ingestion.capture.producing import Sender, message_timeout_s, producer_config
from ingestion.config import CaptureConfig, KafkaConfig, PipelineConfig
from ingestion.contracts.names import Lane
from ingestion.lanes.topics import ensure_topics
from tests.support.capture_server import capturing, read_topic

SCAN_S = 1.0
"""librdkafka looks for expired records once a second."""


def config(kafka: KafkaConfig) -> dict[str, object]:
    return producer_config(kafka, delivery_timeout_s=10, max_in_flight=1000, max_event_bytes=2_000_000)


@given(st.floats(2.5, 300))
def test_kafka_gives_a_record_up_before_its_request_does(delivery_timeout_s: float) -> None:
    assert message_timeout_s(delivery_timeout_s) + SCAN_S < delivery_timeout_s


def test_settings_pass_through_and_those_that_keep_the_promise_win() -> None:
    made = config(KafkaConfig(bootstrap="b:9092", **{"sasl.username": "me", "linger.ms": 900, "acks": "all"}))
    assert made["sasl.username"] == "me"
    assert made["acks"] == "all"
    assert made["enable.idempotence"] is True
    assert made["linger.ms"] == 5
    assert made["message.max.bytes"] == 2_065_536
    assert made["message.timeout.ms"] == 8_500


def test_what_does_not_fit_the_queue_is_not_sent_and_the_next_request_is_sent_away() -> None:
    # a queue of 2 kB to a broker that is not there
    kafka = KafkaConfig(bootstrap="127.0.0.1:1", log_level=0, **{"queue.buffering.max.kbytes": 2})
    auth = {"authorization": "Bearer t"}
    events = [{"event": "e", "distinct_id": f"u{n}", "properties": {"a": "x" * 300}} for n in range(20)]
    with capturing(PipelineConfig(replication=1), kafka, CaptureConfig(delivery_timeout_s=3)) as client:
        answers = []
        first = threading.Thread(target=lambda: answers.append(client.post("/v1/events", json=events, headers=auth)))
        first.start()
        time.sleep(0.5)
        second = client.post("/v1/events", json=events[0], headers=auth)
        assert second.status_code == 429
        assert second.headers["retry-after"] == "1"
        first.join(10)
        assert answers[0].status_code == 503
        statuses = [result["status"] for result in answers[0].json()["results"]]
        taken = statuses.count("unconfirmed")
        assert 0 < taken < 20
        assert statuses == ["unconfirmed"] * taken + ["not_sent"] * (20 - taken)


@pytest.mark.kafka
def test_a_producer_that_failed_for_good_is_replaced_and_its_records_are_unconfirmed(
    kafka: LocalKafka, pipeline_config: PipelineConfig
) -> None:
    ensure_topics(kafka.admin(), pipeline_config, local=True)
    topic = pipeline_config.names.topic(Lane.GENERAL)
    registry = CollectorRegistry()

    async def run() -> tuple[dict[int, str], dict[int, str]]:
        sender = Sender("p", config(kafka.config()), 10, registry)
        sender.start()
        lost, _ = sender.send(topic, ["k"], [b"lost"], [[]])
        sender.broken = True
        kept, _ = sender.send(topic, ["k"], [b"kept"], [[]])
        await sender.confirmed(kept)
        await sender.confirmed(lost)
        await sender.stop()
        assert sender.in_flight == 0
        return lost.unconfirmed(), kept.unconfirmed()

    lost, kept = asyncio.run(run())
    assert kept == {}
    assert "Purged" in lost[0]
    assert [message.value() for message in read_topic(kafka.config(), topic, pipeline_config.partitions)] == [b"kept"]
    assert registry.get_sample_value("fairlane_capture_producers_replaced_total", {"pipeline": "p"}) == 1
