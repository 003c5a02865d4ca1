"""The API of moves and the forms over HTTP: what is answered, what becomes a command, and who is kept out."""

from collections.abc import Iterator
from typing import Any

import httpx
import pytest
from prometheus_client import CollectorRegistry

from fairlane.app import canned, canned_moves
from fairlane.app.canned_moves import ASKS, EPOCH, FLOOD, NOISY
from fairlane.app.canned_source import CannedSource
from fairlane.app.main import create_app
from fairlane.app.origin import COOKIE, foreign, refusal
from ingestion.contracts.names import Lane
from ingestion.contracts.telemetry import Action
from slo.clock import ManualClock
from slo.errors import BrokerUnreachable, Conflict, NoController
from tests.support.desk import KeptDesk
from tests.support.served import served


@pytest.fixture(scope="module")
def source() -> CannedSource:
    return CannedSource(canned.calm(), ("events", "clicks"))


@pytest.fixture(scope="module")
def kept() -> KeptDesk:
    return KeptDesk()


@pytest.fixture(scope="module")
def url(source: CannedSource, kept: KeptDesk) -> Iterator[str]:
    with served(create_app(source, CollectorRegistry(), desk=kept, clock=ManualClock(EPOCH))) as url:
        yield url


@pytest.fixture
def desk(kept: KeptDesk) -> KeptDesk:
    kept.sent.clear()
    kept.error, kept.verdict_id = None, ""
    return kept


@pytest.fixture
def client(url: str, source: CannedSource, desk: KeptDesk, monkeypatch: pytest.MonkeyPatch) -> Iterator[httpx.Client]:
    monkeypatch.setattr("fairlane.app.moves_pages.SEEN_S", 0.0)
    source.scene = canned_moves.moved()
    with httpx.Client(base_url=url, timeout=5) as client:
        yield client


def problem(answer: httpx.Response, status: int) -> dict[str, Any]:
    assert answer.status_code == status, answer.text
    assert answer.headers["content-type"] == "application/problem+json"
    body: dict[str, Any] = answer.json()
    assert body["status"] == status
    return body


@pytest.mark.parametrize("scene", canned_moves.SCENES)
@pytest.mark.parametrize("path", ["/moves", "/fragment/moves", "/api/v1/moves", "/api/v1/changes"])
def test_every_scene_is_answered(client: httpx.Client, source: CannedSource, scene: str, path: str) -> None:
    source.scene = canned_moves.SCENES[scene]()
    answer = client.get(path)
    assert answer.status_code == 200
    assert answer.headers["cache-control"] == "no-store"


@pytest.mark.parametrize("path", ["/moves/{}", "/fragment/moves/{}", "/api/v1/moves/{}"])
def test_every_move_of_every_scene_has_a_page(client: httpx.Client, source: CannedSource, path: str) -> None:
    for scene in canned_moves.SCENES.values():
        source.scene = scene()
        for name in source.scene.state.verdicts:
            assert client.get(path.format(name)).status_code == 200
    assert client.get(path.format("nope")).status_code == 404


def test_the_json_has_the_sentence_and_the_numbers(client: httpx.Client) -> None:
    row = next(one for one in client.get("/api/v1/moves").json()["current"] if one["token"] == NOISY)
    assert row["sentence"].startswith("Work 31x its baseline")
    body = client.get(f"/api/v1/moves/{FLOOD.id}").json()
    assert body["verdict"]["lag_blamed_s"] == 44.0
    assert [step["name"] for step in body["steps"]] == ["moved", "verified", "calm", "restored"]
    assert len(body["pictures"][0]["lines"][0]["points"]) > 50


def test_a_token_is_explained_and_an_unknown_one_gets_the_nearest_name(
    client: httpx.Client, source: CannedSource
) -> None:
    told = client.get(f"/api/v1/tokens/{NOISY}/explain").json()
    assert (told["lane"], told["verdicts"][0]["ratio"]) == ("overflow", 31.0)
    assert any("44 s of 46 s of queue are its" in line for line in told["lines"])
    assert any("it helped" in line for line in told["lines"])
    missing = problem(client.get(f"/api/v1/tokens/{NOISY[:-1]}e/explain"), 404)
    assert f"Did you mean {NOISY}?" in missing["detail"]
    assert client.get("/api/v1/tokens/a%2Fb/explain").status_code == 404


def test_a_token_of_which_only_a_baseline_is_known_is_not_unknown(client: httpx.Client, source: CannedSource) -> None:
    source.scene = canned_moves.Scene(canned_moves.calm().state, known=("small",))
    assert client.get("/api/v1/tokens/small/explain").json()["verdicts"] == []
    problem(client.get("/api/v1/tokens/smal/explain"), 404)


@pytest.mark.parametrize(
    ("path", "body", "expected"),
    [
        ("move", {"token": "t", "lane": "quarantine", "for": "2h"}, (Action.MOVE, "t", Lane.QUARANTINE, 7_200_000)),
        ("move", {"token": "t", "expires": "2026-10-21T14:04:31+02:00", "by": "ann"}, "past"),
        ("move", {"token": "t", "expires": "2026-10-21T13:04:31Z"}, (Action.MOVE, "t", Lane.OVERFLOW, 3_600_000)),
        ("restore", {"token": "t"}, (Action.RESTORE, "t", None, None)),
        ("restore-all", {}, (Action.RESTORE_ALL, "", None, None)),
        ("protect", {"token": "t", "for": "1d"}, (Action.PROTECT, "t", None, 86_400_000)),
        ("exempt", {"token": "t"}, (Action.EXEMPT, "t", None, None)),
        ("clear", {"token": "t"}, (Action.CLEAR, "t", None, None)),
        ("mode", {"mode": "off"}, (Action.MODE, "", None, None)),
    ],
    ids=str,
)
def test_an_action_becomes_a_command(
    client: httpx.Client, desk: KeptDesk, path: str, body: dict[str, str], expected: object
) -> None:
    answer = client.post(f"/api/v1/actions/{path}", json={"reason": "why", **body})
    if expected == "past":
        assert "is in the past" in problem(answer, 400)["detail"]
        assert desk.sent == []
        return
    assert answer.status_code == 200, answer.text
    (sent,) = desk.sent
    lasts = None if sent.expires_ms is None else sent.expires_ms - sent.at_ms
    assert (sent.action, sent.token, sent.lane, lasts) == expected
    assert (sent.reason, sent.by, sent.pipeline) == ("why", "web", "events")
    assert answer.json() == {
        "ok": True,
        "message": "as you wish",
        "pipeline": "events",
        "command_id": sent.id,
        "verdict_id": "",
        "at_ms": sent.at_ms,
    }


@pytest.mark.parametrize(
    ("path", "body", "said"),
    [
        ("move", b'{"token": ""}', "token:"),
        ("move", b"{}", "token: field required"),
        ("move", b'{"token": "t", "lane": "general", "nope": 1}', "nope:"),
        ("move", b'{"token": "t", "lane": "fast"}', "lane:"),
        ("move", b'{"token": "t", "for": "soon"}', "for soon: write a positive number"),
        ("move", b'{"token": "t", "for": "1h", "expires": "2027-01-01T00:00:00Z"}', "not both"),
        ("move", b'{"token": "t", "expires": "2027-01-01T00:00:00"}', "needs its zone"),
        ("move", b'{"token": "t", "for": "9999d"}', "at most 366 days"),
        ("mode", b'{"mode": "yolo"}', "mode:"),
        ("mode", b"[1, 2]", "body:"),
        ("mode", b"{", "body:"),
        ("move", b'{"token": "' + b"t" * 201 + b'"}', "token:"),
        ("mode", b'{"mode": "off", "reason": "' + b"r" * 501 + b'"}', "reason:"),
    ],
    ids=lambda value: value.decode()[:40] if isinstance(value, bytes) else str(value),
)
def test_a_body_that_makes_no_sense_is_a_400_with_the_place(
    client: httpx.Client, desk: KeptDesk, path: str, body: bytes, said: str
) -> None:
    answer = client.post(f"/api/v1/actions/{path}", content=body, headers={"content-type": "application/json"})
    assert said in problem(answer, 400)["detail"]
    assert desk.sent == []


def test_what_is_not_there_is_a_404(client: httpx.Client, desk: KeptDesk) -> None:
    assert "restore-all" in problem(client.post("/api/v1/actions/explode", json={}), 404)["detail"]
    assert (
        "events, clicks"
        in problem(client.post("/api/v1/actions/mode", json={"mode": "off", "pipeline": "x"}), 404)["detail"]
    )
    for action in ("approve", "decline"):
        problem(client.post(f"/api/v1/actions/{action}", json={"token": "nobody"}), 404)
    assert desk.sent == []


@pytest.mark.parametrize(
    ("error", "status"),
    [
        (Conflict("t is protected by ann (pays for it): clear its protection first"), 409),
        (NoController("no controller of pipeline events answered: is one running?"), 503),
        (BrokerUnreachable("Kafka did not take the command; check kafka.bootstrap"), 503),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, Exception) else str(value),
)
def test_a_refusal_says_why_and_silence_what_to_do(
    client: httpx.Client, desk: KeptDesk, error: Conflict, status: int
) -> None:
    desk.error = error
    told = problem(client.post("/api/v1/actions/move", json={"token": "t"}), status)
    assert (told["detail"], told["type"]) == (str(error), f"urn:fairlane:problem:{error.problem}")


def test_a_deploy_is_told_of(client: httpx.Client, desk: KeptDesk) -> None:
    body = {"service": "worker", "version": "v42", "note": "geoip", "by": "ci", "at": "2026-10-21T11:50:00Z"}
    assert client.post("/v1/changes", json=body).status_code == 200
    (sent,) = desk.sent
    assert (sent.action, sent.service, sent.version, sent.reason, sent.by) == (
        Action.CHANGE,
        "worker",
        "v42",
        "geoip",
        "ci",
    )
    assert sent.happened_ms == 1_792_583_400_000
    problem(client.post("/v1/changes", json={"version": "v42"}), 400)
    assert client.get("/api/v1/changes").json()["changes"][0]["version"] == "v42"


# ---- who is kept out -----------------------------------------------------------------------------------------------------------------

KILL = {"mode": "off"}


@pytest.mark.parametrize(
    "headers",
    [
        {"origin": "https://evil.example"},
        {"origin": "null"},
        {"origin": "http://127.0.0.1:1"},
        {"sec-fetch-site": "cross-site"},
        {"sec-fetch-site": "same-site"},
        {"host": "evil.example:8090", "origin": "http://evil.example:8090", "sec-fetch-site": "same-origin"},
        {"host": "127.0.0.1.evil.example"},
    ],
    ids=str,
)
def test_a_foreign_page_cannot_press_the_kill_switch(
    client: httpx.Client, desk: KeptDesk, headers: dict[str, str]
) -> None:
    problem(client.post("/api/v1/actions/mode", json=KILL, headers=headers), 403)
    problem(client.post("/moves/do/mode", data=KILL, headers=headers), 403)
    problem(client.post("/v1/changes", json={"service": "x"}, headers=headers), 403)
    assert desk.sent == []


def test_our_own_page_and_a_program_may(client: httpx.Client, desk: KeptDesk, url: str) -> None:
    for headers in ({}, {"origin": url}, {"origin": url, "sec-fetch-site": "same-origin"}, {"sec-fetch-site": "none"}):
        assert client.post("/api/v1/actions/mode", json=KILL, headers=headers).status_code == 200
    assert len(desk.sent) == 4


def test_a_foreign_form_cannot_send_what_the_api_takes(client: httpx.Client, desk: KeptDesk) -> None:
    for kind in ("text/plain", "application/x-www-form-urlencoded", "multipart/form-data", ""):
        answer = client.post("/api/v1/actions/mode", content=b'{"mode":"off"}', headers={"content-type": kind})
        problem(answer, 415)
    assert desk.sent == []


def test_a_form_without_our_token_does_nothing(client: httpx.Client, desk: KeptDesk) -> None:
    assert client.post("/moves/do/mode", data=KILL).status_code == 403
    client.get("/moves")
    token = client.cookies[COOKIE]
    for given in ("", "x" * 43, token[:-1]):
        assert client.post("/moves/do/mode", data={**KILL, "form_token": given}).status_code == 403
    assert desk.sent == []
    assert client.post("/moves/do/mode", data={**KILL, "form_token": token}).status_code == 303
    assert len(desk.sent) == 1


def test_the_cookie_is_out_of_reach_of_scripts_and_foreign_pages(client: httpx.Client) -> None:
    said = client.get("/moves").headers["set-cookie"].lower()
    assert "httponly" in said
    assert "samesite=strict" in said
    assert "set-cookie" not in client.get("/moves").headers, "a token stays as it is"


def test_behind_a_proxy_its_own_name_is_taken() -> None:
    asked = {"host": "fairlane.internal:8090", "origin": "https://lanes.example.org"}
    named = {**asked, "x-forwarded-host": "lanes.example.org"}
    assert "comes from a page of" in refusal(asked, proxied=True)
    assert refusal(named, proxied=True) == ""
    assert "comes from a page of" in refusal(named, proxied=False), "only the trusted proxy's word counts"
    assert "auth.trusted_peers" in foreign("fairlane.internal")


# ---- forms and HEAD ---------------------------------------------------------------------------------------------------------------------


def test_a_form_leads_to_the_page_with_the_answer(client: httpx.Client, desk: KeptDesk) -> None:
    client.get("/moves")
    fields = {"form_token": client.cookies[COOKIE], "pipeline": "events", "back": FLOOD.id}
    answer = client.post("/moves/do/restore", data={**fields, "token": NOISY, "reason": "done"})
    assert answer.status_code == 303
    assert answer.headers["location"] == f"/moves/{FLOOD.id}?pipeline=events&answer={desk.sent[0].id}"
    desk.verdict_id = "v9"
    moved = client.post("/moves/do/move", data={**fields, "token": "t", "for": "2h", "lane": "quarantine"})
    assert moved.headers["location"].startswith("/moves/v9?")
    desk.error = Conflict("refused, as the state topic tells")
    assert client.post("/moves/do/restore", data={**fields, "token": NOISY}).status_code == 303


def test_a_form_that_nobody_answers_says_what_to_do(client: httpx.Client, desk: KeptDesk) -> None:
    client.get("/moves")
    desk.error = NoController("no controller of pipeline events answered `mode`: is one running?")
    answer = client.post("/moves/do/mode", data={**KILL, "form_token": client.cookies[COOKIE]})
    assert answer.status_code == 503
    assert "Nothing was done" in answer.text
    assert "is one running?" in answer.text


def test_a_proposal_that_has_expired_offers_no_button(client: httpx.Client, source: CannedSource) -> None:
    source.scene = canned_moves.asks()
    assert "/moves/do/approve" in client.get(f"/moves/{ASKS.id}").text
    page = client.get("/moves/1792580000000-99-proposal").text
    assert "/moves/do/approve" not in page
    assert "The proposal expired 56 min ago" in page


@pytest.mark.parametrize(
    "path", ["/", "/moves", f"/moves/{FLOOD.id}", "/api/v1/moves", "/livez", "/metrics", "/static/app.css"]
)
def test_head_is_answered_like_get_without_a_body(client: httpx.Client, path: str) -> None:
    answer = client.head(path)
    assert (answer.status_code, answer.content) == (200, b"")
    assert int(answer.headers["content-length"]) > 0


def test_hostile_names_stay_text(client: httpx.Client, source: CannedSource) -> None:
    evil = '"><script>alert(1)</script>'
    source.scene = canned_moves.hostile(evil)
    for path in ("/moves", "/fragment/moves", "/moves/evil"):
        page = client.get(path).text
        assert "<script>alert" not in page
        assert "&lt;script&gt;" in page


def test_nothing_is_inline(client: httpx.Client) -> None:
    for path in ("/moves", f"/moves/{FLOOD.id}"):
        page = client.get(path).text
        assert "<style" not in page
        assert " style=" not in page
        assert " onclick=" not in page
