"""The door on a real Kafka: what it answers, and what is on the topic then."""

import http.client
import json
import socket
import time
from collections.abc import Iterator
from typing import Any

import httpx
import pytest
from confluent_kafka.admin import NewTopic
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from prometheus_client import CollectorRegistry

from fairlane.stack.kafka import LocalKafka
from ingestion.capture.app import create_app
from ingestion.capture.topics import partition_of
from ingestion.config import CaptureConfig, KafkaConfig, PipelineConfig
from ingestion.contracts import telemetry
from ingestion.contracts.names import TELEMETRY_TOPIC, Lane
from ingestion.contracts.telemetry import CaptureReport
from ingestion.lanes.topics import ensure_topics
from slo.clock import SystemClock
from slo.errors import ConfigError
from tests.support.capture_server import capturing, read_topic, serving

GOOD = {"event": "signup", "distinct_id": "u1", "properties": {"plan": "pro"}}
AUTH = {"authorization": "Bearer known"}
CONFIG = CaptureConfig(tokens=("known", "second"), max_body_bytes=100_000, max_event_bytes=20_000, max_batch=300)

pytestmark = pytest.mark.kafka


@pytest.fixture
def pipeline(kafka: LocalKafka, pipeline_config: PipelineConfig) -> PipelineConfig:
    ensure_topics(kafka.admin(), pipeline_config, local=True)
    return pipeline_config


@pytest.fixture
def client(pipeline: PipelineConfig, kafka_config: KafkaConfig) -> Iterator[httpx.Client]:
    with capturing(pipeline, kafka_config, CONFIG) as opened:
        yield opened


@pytest.fixture(scope="module")
def shared(kafka: LocalKafka) -> Iterator[httpx.Client]:
    """One capture for the requests that leave nothing behind."""
    pipeline = PipelineConfig(name="shared-capture", partitions=1, replication=1)
    ensure_topics(kafka.admin(), pipeline, local=True)
    with capturing(pipeline, kafka.config(), CONFIG) as opened:
        yield opened


def general(pipeline: PipelineConfig, kafka_config: KafkaConfig) -> list[dict[str, str]]:
    found = read_topic(kafka_config, pipeline.names.topic(Lane.GENERAL), pipeline.partitions)
    return [{name: (value or b"").decode() for name, value in message.headers() or []} for message in found]


def is_problem(answer: httpx.Response, status: int) -> dict[str, Any]:
    assert answer.status_code == status, answer.text
    assert answer.headers["content-type"] == "application/problem+json"
    problem = answer.json()
    assert problem["status"] == status
    assert problem["type"].startswith("urn:fairlane:problem:")
    assert problem["title"]
    assert problem["detail"]
    return dict(problem)


def test_an_acknowledged_event_is_on_the_broker_keyed_by_distinct_id(
    client: httpx.Client, pipeline: PipelineConfig, kafka_config: KafkaConfig
) -> None:
    answer = client.post("/v1/events", json=GOOD, headers=AUTH)
    assert answer.status_code == 202
    assert answer.headers["content-type"] == "application/json"
    (result,) = answer.json()["results"]
    assert result["status"] == "accepted"
    (message,) = read_topic(kafka_config, pipeline.names.topic(Lane.GENERAL), pipeline.partitions)
    assert message.key() == b"u1"
    names = [name for name, _ in message.headers() or []]
    assert names == ["token", "distinct_id", "event_id", "event", "captured_at", "contract"]
    payload = json.loads(message.value() or b"")
    assert payload == {**GOOD, "token": "known", "event_id": result["event_id"]}


def test_of_a_mixed_batch_the_valid_ones_are_taken_and_the_others_explained(
    client: httpx.Client, pipeline: PipelineConfig, kafka_config: KafkaConfig
) -> None:
    batch = [GOOD, {**GOOD, "distinct_id": 5}, {**GOOD, "properties": {"a": "b\0"}}, {**GOOD, "token": "second"}, GOOD]
    answer = client.post("/v1/events", json=batch, headers=AUTH)
    assert answer.status_code == 202
    results = answer.json()["results"]
    assert [r["status"] for r in results] == ["accepted", "invalid", "invalid", "invalid", "accepted"]
    assert [r["errors"][0]["path"] for r in results if "errors" in r] == [
        "events[1].distinct_id",
        "events[2].properties.a",
        "events[3].token",
    ]
    there = sorted(headers["event_id"] for headers in general(pipeline, kafka_config))
    assert there == sorted(r["event_id"] for r in results if r["status"] == "accepted")


def test_tokens_may_come_in_the_body_and_differ_there(
    client: httpx.Client, pipeline: PipelineConfig, kafka_config: KafkaConfig
) -> None:
    batch = [{**GOOD, "token": "known"}, {**GOOD, "token": "second"}, {**GOOD, "token": "stranger"}]
    results = client.post("/v1/events", json=batch).json()["results"]
    assert [r["status"] for r in results] == ["accepted", "accepted", "invalid"]
    assert sorted(headers["token"] for headers in general(pipeline, kafka_config)) == ["known", "second"]


def test_a_batch_keeps_its_order_per_key(
    client: httpx.Client, pipeline: PipelineConfig, kafka_config: KafkaConfig
) -> None:
    batch = [{**GOOD, "distinct_id": f"u{n % 7}"} for n in range(300)]
    results = client.post("/v1/events", json=batch, headers=AUTH).json()["results"]
    seen: dict[str, list[str]] = {}
    for headers in general(pipeline, kafka_config):
        seen.setdefault(headers["distinct_id"], []).append(headers["event_id"])
    for n in range(7):
        assert seen[f"u{n}"] == [r["event_id"] for r in results[n::7]]


@pytest.mark.parametrize(
    ("content", "headers", "status"),
    [
        (b"{", AUTH, 400),
        (b"", AUTH, 400),
        (b'{"event":"a\x00"}', AUTH, 400),
        (b'{"event":"\\ud800"}', AUTH, 400),
        (b'{"event":"\xff"}', AUTH, 400),
        (b"[" * 5000, AUTH, 400),
        (json.dumps(GOOD).encode(), {}, 401),
        (json.dumps({**GOOD, "token": "stranger"}).encode(), {}, 401),
        (json.dumps(GOOD).encode(), {"authorization": "Bearer stranger"}, 401),
        (json.dumps(GOOD).encode(), {"x-api-key": "stranger"}, 401),
        (json.dumps([GOOD] * 301).encode(), AUTH, 413),
        (json.dumps(GOOD).encode(), {**AUTH, "content-type": "text/plain"}, 415),
        (json.dumps(GOOD).encode(), {**AUTH, "content-encoding": "gzip"}, 415),
        (b"[]", AUTH, 422),
        (b"17", AUTH, 422),
        (b'{"event":1,"distinct_id":[]}', AUTH, 422),
        (b'{"event":"e\\u0000","distinct_id":"u"}', AUTH, 422),
        (json.dumps({**GOOD, "token": 5}).encode(), {}, 422),
    ],
)
@pytest.mark.parametrize("accept", [None, "text/html", "image/png;q=0.1"])
def test_bad_input_is_a_problem_in_json_whatever_is_accepted(
    shared: httpx.Client, content: bytes, headers: dict[str, str], status: int, accept: str | None
) -> None:
    request = shared.build_request("POST", "/v1/events", content=content, headers=headers)
    del request.headers["accept"]
    if accept is not None:
        request.headers["accept"] = accept
    problem = is_problem(shared.send(request), status)
    if status == 422 and b"event" in content:
        assert all(error["path"].startswith("events[0]") for error in problem["errors"])


def test_other_paths_and_methods_are_problems_as_well(shared: httpx.Client) -> None:
    is_problem(shared.get("/v1/events"), 405)
    is_problem(shared.get("/nowhere"), 404)


@pytest.mark.parametrize("chunked", [False, True])
def test_a_body_of_ten_megabytes_is_refused_also_to_a_client_that_writes_before_it_reads(
    shared: httpx.Client, chunked: bool
) -> None:
    connection = http.client.HTTPConnection(shared.base_url.host, shared.base_url.port, timeout=20)
    body = (b"x" * 100_000 for _ in range(100)) if chunked else b"x" * 10_000_000
    try:
        connection.request(
            "POST", "/v1/events", body, {**AUTH, "content-type": "application/json"}, encode_chunked=chunked
        )
    except (BrokenPipeError, ConnectionResetError):
        return  # refused before all was sent: just as clear to a client that reads on error
    answer = connection.getresponse()
    assert answer.status == 413
    assert json.loads(answer.read())["type"] == "urn:fairlane:problem:body-too-large"
    connection.close()
    assert shared.get("/livez").status_code == 200


def test_a_client_that_leaves_in_the_middle_of_its_body_harms_nobody(shared: httpx.Client) -> None:
    with socket.create_connection((str(shared.base_url.host), shared.base_url.port or 0), 5) as raw:
        raw.sendall(
            b"POST /v1/events HTTP/1.1\r\nhost: x\r\nauthorization: Bearer known\r\ncontent-length: 500\r\n\r\n{"
        )
    assert shared.post("/v1/events", json=GOOD, headers=AUTH).status_code == 202


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(st.text() | st.sampled_from([*GOOD, "token", "event_id", "timestamp"]), inner, max_size=5)
    ),
    max_leaves=15,
)


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.binary(max_size=200) | JSON.map(lambda value: json.dumps(value).encode()),
    st.sampled_from([{}, AUTH, {"x-api-key": "no such"}]),
)
def test_no_body_whatsoever_makes_it_stumble(shared: httpx.Client, content: bytes, headers: dict[str, str]) -> None:
    answer = shared.post("/v1/events", content=content, headers=headers)
    assert answer.status_code in {202, 400, 401, 413, 422}, answer.text
    if answer.status_code != 202:
        is_problem(answer, answer.status_code)


def test_too_many_in_flight_are_sent_away_with_a_time_to_come_back(
    pipeline: PipelineConfig, kafka_config: KafkaConfig
) -> None:
    with capturing(pipeline, kafka_config, CaptureConfig(max_in_flight=10)) as client:
        answer = client.post("/v1/events", json=[GOOD] * 11, headers=AUTH)
        is_problem(answer, 429)
        assert answer.headers["retry-after"] == "1"
        assert client.post("/v1/events", json=[GOOD] * 10, headers=AUTH).status_code == 202
    assert len(general(pipeline, kafka_config)) == 10


def test_an_unreachable_broker_is_a_503_in_bounded_time_and_the_process_stays_alive() -> None:
    nowhere = KafkaConfig(bootstrap="127.0.0.1:1", log_level=0)
    with capturing(PipelineConfig(replication=1), nowhere, CaptureConfig(delivery_timeout_s=2)) as client:
        started = time.monotonic()
        answer = client.post("/v1/events", json=[GOOD, {"event": 1}, GOOD], headers=AUTH)
        assert time.monotonic() - started < 3
        problem = is_problem(answer, 503)
        assert answer.headers["retry-after"]
        assert [r["status"] for r in problem["results"]] == ["unconfirmed", "invalid", "unconfirmed"]
        assert all(r["event_id"] for r in problem["results"] if r["status"] == "unconfirmed")
        assert client.get("/livez").status_code == 200
        is_problem(client.get("/readyz"), 503)


def test_ready_only_when_the_general_topic_is_there(kafka: LocalKafka, pipeline_config: PipelineConfig) -> None:
    with capturing(pipeline_config, kafka.config()) as client:
        assert "could not be described" in is_problem(client.get("/readyz"), 503)["detail"]
        ensure_topics(kafka.admin(), pipeline_config, local=True)
        assert client.get("/readyz").json()["partitions"] == 4


def test_what_was_answered_is_counted_and_reported_each_second(
    client: httpx.Client, pipeline: PipelineConfig, kafka_config: KafkaConfig
) -> None:
    client.post("/v1/events", json=[GOOD, GOOD, {"event": 1}], headers=AUTH)
    client.post("/v1/events", content=b"{", headers=AUTH)
    text = client.get("/metrics").text
    label = f'pipeline="{pipeline.name}"'
    assert f'fairlane_capture_events_total{{outcome="accepted",{label}}} 2.0' in text
    assert f'fairlane_capture_events_total{{outcome="invalid",{label}}} 1.0' in text
    assert f'fairlane_capture_requests_total{{{label},status="202"}} 1.0' in text
    assert f'fairlane_capture_requests_total{{{label},status="400"}} 1.0' in text
    assert f"fairlane_capture_in_flight{{{label}}} 0.0" in text
    until = time.monotonic() + 15
    reports: list[CaptureReport] = []
    while sum(r.accepted for r in reports) < 2:
        assert time.monotonic() < until, "no report came"
        found = [m for m in read_topic(kafka_config, TELEMETRY_TOPIC, 4) if m.key() == pipeline.name.encode()]
        assert {m.partition() for m in found} <= {partition_of(pipeline.name, 4)}
        reports = [r for m in found if isinstance(r := telemetry.decode(m.value() or b""), CaptureReport)]
    assert (sum(r.accepted for r in reports), sum(r.invalid for r in reports)) == (2, 1)
    assert any(len(r.latency_s) == 3 and 0 < r.latency_s[0] <= r.latency_s[2] < 30 for r in reports)


@pytest.mark.parametrize(
    ("name", "value"), [("acks", "1"), ("request.required.acks", 0), ("enable.idempotence", "false")]
)
def test_settings_that_would_lose_acknowledged_events_are_refused(name: str, value: object) -> None:
    with pytest.raises(ConfigError, match=name):
        create_app(PipelineConfig(), CaptureConfig(), KafkaConfig(**{name: value}), SystemClock(), CollectorRegistry())


def test_an_event_larger_than_the_topic_allows_is_not_acknowledged(
    kafka: LocalKafka, pipeline_config: PipelineConfig
) -> None:
    topic = pipeline_config.names.topic(Lane.GENERAL)
    admin = kafka.admin()
    admin.create_topics([NewTopic(topic, 1, 1, config={"max.message.bytes": "2000"})])[topic].result(20)
    with capturing(pipeline_config, kafka.config(), CaptureConfig(delivery_timeout_s=4)) as client:
        answer = client.post("/v1/events", json={**GOOD, "properties": {"a": "x" * 5000}}, headers=AUTH)
        assert "too large" in is_problem(answer, 503)["results"][0]["reason"].lower()
    assert read_topic(kafka.config(), topic, 1) == []


def test_the_contract_can_be_read_by_machines(shared: httpx.Client) -> None:
    document = shared.get("/openapi.json").json()
    assert set(document["paths"]["/v1/events"]["post"]["responses"]) == {
        "202",
        "400",
        "401",
        "408",
        "413",
        "415",
        "422",
        "429",
        "503",
    }
    assert "300" in document["paths"]["/v1/events"]["post"]["summary"]


def test_stopping_lets_requests_in_flight_finish(pipeline: PipelineConfig, kafka_config: KafkaConfig) -> None:
    app = create_app(pipeline, CaptureConfig(), kafka_config, SystemClock(), CollectorRegistry())
    with serving(app) as url, socket.create_connection((httpx.URL(url).host, httpx.URL(url).port or 0), 5) as raw:
        body = json.dumps(GOOD).encode()
        raw.sendall(
            b"POST /v1/events HTTP/1.1\r\nhost: x\r\nauthorization: Bearer a\r\ncontent-length: %d\r\n\r\n%b"
            % (len(body), body)
        )
        time.sleep(0.002)
    assert len(general(pipeline, kafka_config)) == 1
