"""The app over HTTP: every scene renders, nothing is a 500, errors say what to do, names stay text."""

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import httpx
import pytest
from prometheus_client import CollectorRegistry

from fairlane.app import canned
from fairlane.app.canned_source import CannedSource
from fairlane.app.main import create_app
from ingestion.contracts.names import Lane
from slo.errors import UsageError
from tests.support.desk import KeptDesk
from tests.support.served import served


@pytest.fixture
def source() -> CannedSource:
    return CannedSource(canned.calm(), ("events", "clicks"))


@pytest.fixture
def client(source: CannedSource) -> Iterator[httpx.Client]:
    with (
        served(create_app(source, CollectorRegistry(), desk=KeptDesk())) as url,
        httpx.Client(base_url=url, timeout=5) as client,
    ):
        yield client


@pytest.mark.parametrize("scene", canned.SCENES)
@pytest.mark.parametrize("path", ["/", "/fragment/live", "/api/v1/live"])
def test_every_scene_is_answered(client: httpx.Client, source: CannedSource, scene: str, path: str) -> None:
    source.shown = canned.SCENES[scene]()
    answer = client.get(path)
    assert answer.status_code == 200
    assert answer.headers["cache-control"] == "no-store"
    assert "default-src 'none'" in answer.headers["content-security-policy"]


def test_the_json_carries_numbers_and_their_words(client: httpx.Client, source: CannedSource) -> None:
    source.shown = canned.moved()
    body: dict[str, Any] = client.get("/api/v1/live").json()
    assert body["state"] == "moved"
    assert body["opening"]["text"].startswith("Protected")
    assert body["lanes"][1]["lag"] == {"value": 48213, "text": "48.2k"}
    assert body["moves"][1]["token"] == canned.NOISY


def test_an_unknown_pipeline_is_a_404_that_names_those_there_are(client: httpx.Client) -> None:
    for path in ("/", "/fragment/live", "/api/v1/live"):
        answer = client.get(path, params={"pipeline": "nope"})
        assert answer.status_code == 404
        assert answer.headers["content-type"] == "application/problem+json"
        assert "events, clicks" in answer.json()["detail"]


def test_a_path_that_is_not_there_is_a_problem_too(client: httpx.Client) -> None:
    for path in ("/nope", "/runbooks/nope", "/static/nope"):
        answer = client.get(path)
        assert answer.headers["content-type"] == "application/problem+json"
        assert (
            answer.json().items()
            >= {"type": "urn:fairlane:problem:not-found", "title": "Not Found", "status": 404}.items()
        )
        assert answer.json()["detail"] not in ("", "Not Found")
    refused = client.post("/")
    assert (refused.status_code, refused.headers["allow"]) == (405, "GET")
    assert refused.json()["type"] == "urn:fairlane:problem:method-not-allowed"
    assert client.get("/static/../main.py").status_code == 404
    assert client.get("/runbooks/..%2F..%2FREADME").status_code == 404


def test_a_parameter_that_cannot_be_is_a_problem_of_capture_s_kind(client: httpx.Client) -> None:
    answer = client.get("/api/v1/live", params={"pipeline": "a" * 101})
    assert (answer.status_code, answer.headers["content-type"]) == (400, "application/problem+json")
    assert answer.json()["type"] == f"urn:fairlane:problem:{UsageError.problem}"
    assert "query pipeline" in answer.json()["detail"]


def test_hostile_names_stay_text(client: httpx.Client, source: CannedSource) -> None:
    evil = '"><script>alert(1)</script>'
    moved = canned.moved()
    source.shown = replace(
        moved,
        sentence=evil,
        moves=(replace(moved.moves[0], token=evil, sentence=evil, alternatives=(evil,)),),
        partitions=tuple(replace(row, token=evil, share=0.9, oldest_age_s=60.0) for row in moved.partitions),
        scores=(replace(moved.scores[0], token=evil),),
    )
    for path in ("/", "/fragment/live"):
        page = client.get(path).text
        assert "<script>alert" not in page
        assert "&lt;script&gt;" in page


def test_a_command_to_copy_holds_the_token_as_one_quoted_word(client: httpx.Client, source: CannedSource) -> None:
    moved = canned.moved()
    for token, word in (
        ("acme", "acme"),
        ("x; reboot", "&#39;x; reboot&#39;"),
        ("$(reboot)", "&#39;$(reboot)&#39;"),
        ("-x", "-- -x"),
    ):
        source.shown = replace(moved, moves=(replace(moved.moves[0], token=token),))
        page = client.get("/").text
        assert f"<code>fairlane explain {word}</code>" in page
        assert f"<code>fairlane restore {word}</code>" in page


def test_nothing_is_inline_and_nothing_comes_from_elsewhere(client: httpx.Client) -> None:
    page = client.get("/").text
    assert "<style" not in page
    assert " style=" not in page
    assert "http://" not in page.replace("http://www.w3.org/2000/svg", "")
    assert "https://" not in page


def test_without_javascript_the_page_reloads_itself(client: httpx.Client) -> None:
    assert '<noscript><meta http-equiv="refresh"' in client.get("/").text


def test_health_and_metrics(client: httpx.Client, source: CannedSource) -> None:
    assert client.get("/livez").status_code == 200
    assert client.get("/readyz").status_code == 200
    client.get("/")
    scraped = client.get("/metrics").text
    assert 'fairlane_web_requests_total{route="/",status="200"}' in scraped
    assert 'fairlane_web_source_age_seconds{pipeline="events"} 0.59' in scraped
    source.started = False
    assert client.get("/readyz").status_code == 503


def test_a_scanner_makes_no_series(client: httpx.Client) -> None:
    for number in range(20):
        client.get(f"/wp-admin/{number}")
    assert "wp-admin" not in client.get("/metrics").text


def test_a_runbook_is_shown_as_a_page(client: httpx.Client) -> None:
    page = client.get("/runbooks/FairlaneTokenMoved")
    assert page.status_code == 200
    assert "<h2>Mitigation</h2>" in page.text
    assert "<code>fairlane status</code>" in page.text


def test_a_lane_that_is_empty_says_so(client: httpx.Client) -> None:
    page = client.get("/").text
    assert page.count("</span> empty</span>") == len(Lane) - 1
