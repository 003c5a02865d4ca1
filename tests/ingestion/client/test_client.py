"""The client: nothing lost, nothing doubled, everything told."""

import json
from collections.abc import Callable
from typing import Any

import httpx
import pytest

from fairlane.stack.kafka import LocalKafka
from ingestion.client.backoff import Backoff
from ingestion.client.client import Client
from ingestion.config import CaptureConfig, PipelineConfig
from ingestion.contracts.headers import EVENT_ID, get
from ingestion.contracts.names import Lane
from ingestion.lanes.topics import ensure_topics
from slo.errors import UnknownToken, UsageError
from tests.support.capture_server import capturing, read_topic

Answer = Callable[[list[dict[str, Any]]], httpx.Response]


class Scripted(httpx.BaseTransport):
    """Answers each request by the next line of a script; the last one stays."""

    def __init__(self, *answers: Answer) -> None:
        self.answers = list(answers)
        self.seen: list[list[dict[str, Any]]] = []

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        batch = json.loads(request.read())
        self.seen.append(batch)
        answer = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        return answer(batch)


def results(status: int, *statuses: str, retry_after: str = "1") -> Answer:
    def answer(batch: list[dict[str, Any]]) -> httpx.Response:
        given = statuses or ("accepted",) * len(batch)
        rows = [
            {
                "event_id": e["event_id"],
                "status": s,
                **({"errors": [{"path": f"events[{n}].event", "message": "is bad"}]} if s == "invalid" else {}),
            }
            for n, (e, s) in enumerate(zip(batch, given, strict=True))
        ]
        return httpx.Response(status, json={"results": rows, "detail": "why"}, headers={"retry-after": retry_after})

    return answer


def plain(status: int) -> Answer:
    return lambda _batch: httpx.Response(status, text="<html>proxy</html>")


def broken(_batch: list[dict[str, Any]]) -> httpx.Response:
    raise httpx.ReadTimeout("the answer was lost")


@pytest.fixture
def waits() -> list[float]:
    return []


def client(transport: httpx.BaseTransport, waits: list[float], **how: Any) -> Client:
    return Client("http://capture", "tok", transport=transport, sleep=waits.append, **how)


EVENTS = [{"event": "e", "distinct_id": f"u{n}"} for n in range(3)]


@pytest.mark.parametrize(
    "trouble",
    [plain(503), plain(429), plain(500), plain(502), broken, results(503, "unconfirmed", "unconfirmed", "not_sent")],
)
def test_trouble_that_passes_is_retried_with_the_same_event_ids(trouble: Answer, waits: list[float]) -> None:
    server = Scripted(trouble, trouble, results(202))
    with client(server, waits) as c:
        report = c.send(EVENTS)
    assert (report.accepted, report.rejected, report.undelivered) == (3, (), ())
    assert [[e["event_id"] for e in batch] for batch in server.seen] == [[e["event_id"] for e in server.seen[0]]] * 3
    assert len(waits) == 2


def test_only_what_is_not_confirmed_is_sent_again(waits: list[float]) -> None:
    server = Scripted(results(503, "accepted", "invalid", "unconfirmed"), results(202))
    with client(server, waits) as c:
        report = c.send(EVENTS)
    assert report.accepted == 2
    assert [(r.event["distinct_id"], r.errors) for r in report.rejected] == [("u1", ("event is bad",))]
    assert [e["distinct_id"] for e in server.seen[1]] == ["u2"]
    assert waits[0] >= 1.0, "Retry-After was not honoured"


@pytest.mark.parametrize("trouble", [plain(503), broken])
def test_what_cannot_be_delivered_is_given_back_with_its_ids(trouble: Answer, waits: list[float]) -> None:
    server = Scripted(trouble)
    with client(server, waits, backoff=Backoff(attempts=4)) as c:
        report = c.send(EVENTS)
    assert len(server.seen) == 4
    assert len(waits) == 3
    assert report.accepted == 0
    assert [e["event_id"] for e in report.undelivered] == [e["event_id"] for e in server.seen[0]]
    assert report.reason


def test_a_batch_that_is_too_large_is_halved_until_the_one_that_is_to_blame(waits: list[float]) -> None:
    def answer(batch: list[dict[str, Any]]) -> httpx.Response:
        if any(e["distinct_id"] == "u1" for e in batch):
            return httpx.Response(413, json={"detail": "too large"})
        return results(202)(batch)

    with client(Scripted(answer), waits) as c:
        report = c.send(EVENTS)
    assert report.accepted == 2
    assert [(r.event["distinct_id"], r.errors) for r in report.rejected] == [("u1", ("too large",))]


@pytest.mark.parametrize(
    ("status", "error"),
    [
        (401, UnknownToken),
        (400, UsageError),
        (415, UsageError),
        (404, UsageError),
        (422, UsageError),
        (202, UsageError),
    ],
)
def test_what_no_retry_cures_is_raised_at_once(status: int, error: type[UsageError], waits: list[float]) -> None:
    server = Scripted(plain(status))
    with client(server, waits) as c, pytest.raises(error):
        c.send(EVENTS)
    assert len(server.seen) == 1


def test_events_are_batched_by_number_and_by_size(waits: list[float]) -> None:
    server = Scripted(results(202))
    with client(server, waits, batch=4) as c:
        assert c.send({"event": "e", "distinct_id": str(n)} for n in range(10)).accepted == 10
        assert [len(batch) for batch in server.seen] == [4, 4, 2]
        server.seen.clear()
        assert (
            c.send({"event": "e", "distinct_id": "u", "properties": {"a": "x" * 600_000}} for _ in range(3)).accepted
            == 3
        )
        assert [len(batch) for batch in server.seen] == [1, 1, 1]


def test_the_buffer_is_sent_when_it_is_full_and_at_the_end(waits: list[float]) -> None:
    server = Scripted(results(202))
    with client(server, waits, batch=2) as c:
        for n in range(3):
            c.add("e", f"u{n}", {"n": n})
        assert [len(batch) for batch in server.seen] == [2]
        assert c.flush().accepted == 3
        assert c.flush().accepted == 0
        c.add("e", "last")
    assert [batch[0]["distinct_id"] for batch in server.seen] == ["u0", "u2", "last"]


def test_an_event_that_is_no_json_is_refused_before_anything_is_sent(waits: list[float]) -> None:
    server = Scripted(results(202))
    with client(server, waits) as c, pytest.raises(UsageError, match="JSON"):
        c.send([{"event": "e", "distinct_id": "u", "properties": {"a": object()}}])
    assert server.seen == []


@pytest.mark.parametrize(
    ("attempt", "retry_after", "low", "high"),
    [
        (0, None, 0.1, 0.2),
        (3, None, 0.8, 1.6),
        (50, None, 5, 10),
        (5000, None, 5, 10),
        (0, "3", 3, 3),
        (0, "9999", 10, 10),
        (0, "Wed, 21 Oct 2026 07:28:00 GMT", 0.1, 0.2),
        (0, "nan", 0.1, 0.2),
        (0, "-5", 0.1, 0.2),
    ],
)
def test_the_wait_grows_to_its_limit_and_honours_the_server(
    attempt: int, retry_after: str | None, low: float, high: float
) -> None:
    backoff = Backoff()
    assert backoff.delay_s(attempt, retry_after, lambda: 0.0) == pytest.approx(low)
    assert backoff.delay_s(attempt, retry_after, lambda: 1.0) == pytest.approx(high)


class Forgetful(httpx.BaseTransport):
    """A line that carries every second request to the server and loses the answer."""

    def __init__(self, inner: httpx.BaseTransport) -> None:
        self.inner = inner
        self.count = 0

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        self.count += 1
        answer = self.inner.handle_request(request)
        if self.count % 2:
            answer.read()
            answer.close()
            raise httpx.ReadError("connection reset")
        return answer

    def close(self) -> None:
        self.inner.close()


@pytest.fixture
def pipeline(kafka: LocalKafka, pipeline_config: PipelineConfig) -> PipelineConfig:
    ensure_topics(kafka.admin(), pipeline_config, local=True)
    return pipeline_config


@pytest.mark.kafka
def test_lost_answers_repeat_event_ids_on_the_broker_and_lose_none(
    kafka: LocalKafka, pipeline: PipelineConfig, waits: list[float]
) -> None:
    with capturing(pipeline, kafka.config(), CaptureConfig(tokens=("tok",))) as server:
        line = Forgetful(httpx.HTTPTransport())
        with Client(str(server.base_url), "tok", batch=10, transport=line, sleep=waits.append) as c:
            report = c.send(
                [{"event": "e", "distinct_id": f"u{n}"} for n in range(40)] + [{"event": "e", "distinct_id": 5}]
            )
        with Client(str(server.base_url), "wrong") as c, pytest.raises(UnknownToken):
            c.send(EVENTS)
    assert report.accepted == 40
    assert [r.errors for r in report.rejected] == [("distinct_id must be a string, not a number",)]
    found = read_topic(kafka.config(), pipeline.names.topic(Lane.GENERAL), pipeline.partitions)
    assert len(found) == 80
    assert len({get(message.headers(), EVENT_ID) for message in found}) == 40
