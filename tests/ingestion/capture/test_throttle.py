"""Limits by token: the buckets, and capture on a real Kafka following the routes."""

import time
from collections.abc import Callable
from typing import Any

import httpx
import pytest
from confluent_kafka import Producer
from hypothesis import given
from hypothesis import strategies as st

from fairlane.stack.kafka import LocalKafka
from ingestion.capture.following import LimitFollower
from ingestion.capture.throttle import Limit, Throttle
from ingestion.config import CaptureConfig, KafkaConfig, PipelineConfig
from ingestion.contracts.names import STATE_TOPIC, Lane
from ingestion.contracts.routes import Route
from ingestion.lanes.topics import ensure_topics
from tests.support.capture_server import capturing, read_topic

EVENT = {"event": "view", "distinct_id": "u1"}


@given(
    st.floats(0.5, 500),
    st.lists(st.tuples(st.floats(0, 3), st.integers(1, 200)), min_size=1, max_size=20),
)
def test_a_limited_token_never_gets_more_than_its_limit_and_one_second_of_it_at_once(
    per_s: float, arrivals: list[tuple[float, int]]
) -> None:
    throttle = Throttle()
    throttle.limits = {"noisy": Limit(per_s)}
    now, taken = 0.0, 0
    for pause, count in arrivals:
        now += pause
        taken += sum(throttle.admit("noisy", now, 0) for _ in range(count))
        assert all(throttle.admit("calm", now, 0) for _ in range(count)), "nobody else is limited"
    assert taken <= max(per_s, 1.0) + now * per_s + 1e-6


def test_a_limited_token_gets_its_limit_when_it_keeps_asking() -> None:
    throttle = Throttle()
    throttle.limits = {"noisy": Limit(10.0)}
    taken = sum(throttle.admit("noisy", n / 100, 0) for n in range(1000))
    assert 99 <= taken <= 111
    assert throttle.retry_after_s("noisy") == 1
    throttle.limits = {"slow": Limit(0.1)}
    assert [throttle.admit("slow", 10.0, 0) for _ in range(2)] == [True, False]
    assert throttle.retry_after_s("slow") == 10


def test_a_limit_ends_by_itself_whoever_is_still_there_to_lift_it() -> None:
    throttle = Throttle()
    throttle.limits = {"noisy": Limit(1.0, until_ms=5_000)}
    assert [throttle.admit("noisy", 0.0, 4_999) for _ in range(3)] == [True, False, False]
    assert throttle.active(4_999) == 1
    assert all(throttle.admit("noisy", 0.0, 5_000) for _ in range(9))
    assert throttle.active(5_000) == 0


def write(kafka: KafkaConfig, *records: tuple[bytes, bytes | None]) -> None:
    producer = Producer({**kafka.client(), "linger.ms": 0})
    for key, value in records:
        producer.produce(STATE_TOPIC, value, key, partition=0)
    assert producer.flush(10) == 0


def until(what: Callable[[], Any], limit_s: float = 10.0) -> Any:
    deadline = time.monotonic() + limit_s
    while not (found := what()):
        assert time.monotonic() < deadline, "it did not happen in time"
        time.sleep(0.05)
    return found


def post(client: httpx.Client, token: str, count: int) -> httpx.Response:
    return client.post("/v1/events", json=[EVENT] * count, headers={"authorization": f"Bearer {token}"})


@pytest.mark.kafka
def test_a_limit_in_the_state_topic_answers_429_to_that_token_only_until_it_is_lifted(
    kafka: LocalKafka, pipeline_config: PipelineConfig, kafka_config: KafkaConfig
) -> None:
    ensure_topics(kafka.admin(), pipeline_config, local=True)
    name = pipeline_config.name
    now_ms = int(time.time() * 1000)
    route = Route(name, "noisy", Lane.GENERAL, now_ms).limited(5.0, now_ms, now_ms + 600_000)
    with capturing(pipeline_config, kafka_config, CaptureConfig()) as client:
        assert post(client, "noisy", 20).status_code == 202
        write(kafka_config, route.encode())
        answer = until(lambda: a if (a := post(client, "noisy", 20)).status_code == 429 else None)
        assert int(answer.headers["retry-after"]) >= 1
        body = answer.json()
        assert body["type"] == "urn:fairlane:problem:too-many-requests"
        statuses = [row["status"] for row in body["results"]]
        assert len(statuses) == 20
        assert set(statuses) <= {"accepted", "limited"}
        assert statuses.count("limited") >= 14
        assert post(client, "calm", 50).status_code == 202, "nobody else is limited"
        mixed = client.post(
            "/v1/events", json=[{**EVENT, "token": token} for token in ("calm", *["noisy"] * 10, "calm")]
        )
        rows = [row["status"] for row in mixed.json()["results"]]
        assert mixed.status_code == 429
        assert (rows[0], rows[-1]) == ("accepted", "accepted")
        metrics = client.get("/metrics").text
        limited = f'fairlane_capture_events_total{{outcome="limited",pipeline="{name}"}}'
        count = next(float(line.split()[-1]) for line in metrics.splitlines() if line.startswith(limited))
        assert f'fairlane_capture_limited_tokens{{pipeline="{name}"}} 1.0' in metrics
        write(kafka_config, route.lifted().encode())
        until(lambda: post(client, "noisy", 20).status_code == 202)
        assert post(client, "noisy", 200).status_code == 202
    topic = pipeline_config.names.topic(Lane.GENERAL)
    records = read_topic(kafka_config, topic, pipeline_config.partitions)
    tokens = [dict(message.headers() or [])["token"] for message in records]
    assert tokens.count(b"calm") == 52
    assert count >= 14 + rows.count("limited")


@pytest.mark.kafka
def test_capture_takes_over_the_limits_that_stand_and_lives_on_without_a_broker(
    kafka: LocalKafka, pipeline_config: PipelineConfig, kafka_config: KafkaConfig
) -> None:
    ensure_topics(kafka.admin(), pipeline_config, local=True)
    name = pipeline_config.name
    now_ms = int(time.time() * 1000)
    write(
        kafka_config,
        Route(name, "old", Lane.GENERAL, 1).limited(5.0, now_ms, now_ms + 600_000).encode(),
        Route(name, "old", Lane.GENERAL, 2).encode(),
        Route(name, "noisy", Lane.OVERFLOW, 3).limited(7.0, now_ms, now_ms + 600_000).encode(),
        (f"route/{name}/broken".encode(), b"not json"),
    )
    told: list[Any] = []
    follower = LimitFollower(kafka_config, name, told.append)
    follower.start()
    try:
        until(lambda: told)
        assert told == [{"noisy": Limit(7.0, now_ms + 600_000)}], "what was lifted before does not flash by"
    finally:
        follower.stop()
    gone = LimitFollower(KafkaConfig(bootstrap="127.0.0.1:1"), name, told.append)
    gone.start()
    time.sleep(0.5)
    gone.stop()
    assert len(told) == 1, "nothing is told of a broker that does not answer: limits stay as they are"
