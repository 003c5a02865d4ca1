"""Who may do what over HTTP: every route with every role, keys, sessions, a trusted proxy, foreign hosts and pages."""

import re
from collections.abc import Iterator
from contextlib import contextmanager

import httpx
import pytest
from prometheus_client import CollectorRegistry
from sqlalchemy import update
from starlette.requests import Request

from fairlane.app import canned, moves_pages
from fairlane.app.canned_moves import FLOOD, NOISY
from fairlane.app.canned_source import CannedSource
from fairlane.app.login import safe
from fairlane.app.main import create_app
from fairlane.app.origin import COOKIE as FORM_COOKIE
from fairlane.app.origin import host_of, path_of
from fairlane.auth import matrix
from fairlane.auth.role import Role, covers
from fairlane.auth.session import COOKIE
from fairlane.roles import http
from fairlane.schema import API_KEYS
from ingestion.contracts.telemetry import Action
from tests.support.desk import KeptDesk
from tests.support.gates import ROLES, Guarded, guarded
from tests.support.served import served

KNOWN = {"move": FLOOD.id, "token": NOISY, "name": "FairlaneTokenMoved", "path": "app.css", "month": "2026-09"}
PAGE = {"accept": "text/html,application/xhtml+xml"}


@pytest.fixture(scope="module")
def app(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Guarded]:
    with guarded(tmp_path_factory.mktemp("state")) as app:
        yield app


@pytest.fixture
def client(app: Guarded, monkeypatch: pytest.MonkeyPatch) -> Iterator[httpx.Client]:
    monkeypatch.setattr(moves_pages, "SEEN_S", 0.0)
    app.desk.sent.clear()
    app.desk.error = None
    with httpx.Client(base_url=app.url, timeout=10) as client:
        yield client


def cases() -> Iterator[tuple[str, str, Role | None]]:
    """(method, path, role needed) of every line of the matrix; a route of actions once for each action."""
    for name, rule in matrix.ROUTES.items():
        method, _, pattern = name.partition(" ")
        if rule == matrix.BY_ACTION:
            told = {action: role for action, role in matrix.ACTIONS.items() if action is not Action.CHANGE}
            yield from ((method, pattern.replace("{action}", a.replace("_", "-")), role) for a, role in told.items())
        else:
            assert rule is None or isinstance(rule, Role)
            yield method, re.sub(r"\{(\w+)(:path)?\}", lambda m: KNOWN[m[1]], pattern), rule


@pytest.mark.parametrize(("method", "path", "needed"), list(cases()), ids=str)
def test_a_route_opens_to_whom_the_matrix_says_and_to_nobody_else(
    app: Guarded, client: httpx.Client, method: str, path: str, needed: Role | None
) -> None:
    for role in ("", *ROLES):
        answer = client.request(method, path, headers=app.bearer(role))
        may = needed is None or (role != "" and covers({Role(role)}, needed))
        if may:
            # a form without its token is refused by its own page, which comes later
            own = path.startswith(("/moves/do/", "/login")) and "problem" not in answer.headers["content-type"]
            assert own or answer.status_code not in {401, 403}, f"{role}: {answer.status_code} {answer.text[:300]}"
            continue
        assert answer.status_code == (403 if role else 401), role
        assert answer.headers["content-type"] == "application/problem+json"
        body = answer.json()
        assert (body["status"], body["type"]) == (
            (403, "urn:fairlane:problem:forbidden") if role else (401, "urn:fairlane:problem:unauthenticated")
        )
        assert f"the role {needed}" in body["detail"]
        assert role == "" or f"the {role} has {role}" in body["detail"]
        assert role or answer.headers["www-authenticate"] == 'Bearer realm="fairlane"'
    assert all(command.action in matrix.ACTIONS for command in app.desk.sent)


def test_who_it_was_comes_from_the_key_and_not_from_the_body(app: Guarded, client: httpx.Client) -> None:
    body = {"mode": "off", "reason": "stop", "by": "the queen"}
    answer = client.post("/api/v1/actions/mode", json=body, headers=app.bearer("operator"))
    assert answer.status_code == 200
    assert [(sent.action, sent.by) for sent in app.desk.sent] == [(Action.MODE, "the operator")]
    entry = app.audited()[-1]
    assert (entry.actor, entry.via) == ("the operator", f"key:{app.ids['operator']}")
    assert (entry.action, entry.target, entry.outcome, entry.details["reason"]) == ("mode", "off", "ok", "stop")


def test_a_deploy_note_is_audited_too(app: Guarded, client: httpx.Client) -> None:
    told = {"service": "worker", "version": "v9", "by": "ci"}
    assert client.post("/v1/changes", json=told, headers=app.bearer("operator")).status_code == 200
    entry = app.audited()[-1]
    assert (entry.action, entry.target, entry.details["version"], entry.actor) == (
        "change",
        "worker",
        "v9",
        "the operator",
    )
    assert app.desk.sent[0].by == "the operator"


def test_me_says_who_i_am(app: Guarded, client: httpx.Client) -> None:
    told = client.get("/api/v1/me", headers=app.bearer("approver")).json()
    assert told == {"name": "the approver", "roles": ["approver"], "via": f"key:{app.ids['approver']}"}


@pytest.mark.parametrize(
    "shown",
    ["Bearer x", "Bearer fairlane_0123456789ab_" + "x" * 43, "Basic YTpi", "Bearer", "", "bearer fairlane_"],
)
def test_what_is_no_valid_key_lets_nobody_in(client: httpx.Client, shown: str) -> None:
    assert client.get("/api/v1/moves", headers={"authorization": shown}).status_code == 401


def test_a_key_with_another_secret_lets_nobody_in(app: Guarded, client: httpx.Client) -> None:
    forged = app.keys["admin"][:-1] + ("A" if app.keys["admin"][-1] != "A" else "B")
    answer = client.get("/api/v1/moves", headers={"authorization": f"Bearer {forged}"})
    assert answer.status_code == 401
    assert forged not in answer.text


def test_an_expired_and_a_revoked_key_are_said_to_be_so(app: Guarded, client: httpx.Client) -> None:
    now_ms = int(app.clock.now() * 1000)
    for state in ("expired", "revoked"):
        made, shown = app.store.create("gone", [Role.ADMIN], now_ms, now_ms + 5_000)
        app.clock.advance(2)
        headers = {"authorization": f"Bearer {shown}"}
        assert client.get("/api/v1/moves", headers=headers).status_code == 200
        if state == "revoked":
            app.store.revoke(made.id, now_ms)
        app.clock.advance(2 if state == "revoked" else 6)
        answer = client.get("/api/v1/moves", headers=headers)
        assert answer.status_code == 401
        assert f"the key is {state}" in answer.json()["detail"]
        now_ms = int(app.clock.now() * 1000)


def test_those_who_are_turned_away_are_counted(app: Guarded, client: httpx.Client) -> None:
    def count(reason: str) -> float:
        return app.registry.get_sample_value("fairlane_web_refused_total", {"reason": reason}) or 0

    before = {reason: count(reason) for reason in ("identity", "role", "origin")}
    client.get("/api/v1/moves")
    client.post("/v1/changes", headers=app.bearer("viewer"))
    client.post("/v1/changes", headers={**app.bearer("operator"), "origin": "https://evil.example"})
    assert {reason: count(reason) - before[reason] for reason in before} == {"identity": 1, "role": 1, "origin": 1}


# ---- the browser ------------------------------------------------------------------------------------------------------------------------


def sign_in(app: Guarded, client: httpx.Client, role: str, target: str = "/moves") -> httpx.Response:
    client.get("/login")
    fields = {"form_token": client.cookies[FORM_COOKIE], "key": app.keys[role], "next": target}
    return client.post("/login", data=fields)


def test_a_person_is_led_to_the_login_page_and_back(app: Guarded, client: httpx.Client) -> None:
    led = client.get("/moves?pipeline=events", headers=PAGE)
    assert (led.status_code, led.headers["location"]) == (303, "/login?next=%2Fmoves%3Fpipeline%3Devents")
    page = client.get(led.headers["location"])
    assert 'name="next" value="/moves?pipeline=events"' in page.text
    entered = sign_in(app, client, "viewer", "/moves?pipeline=events")
    assert (entered.status_code, entered.headers["location"]) == (303, "/moves?pipeline=events")
    shown = client.get("/moves", headers=PAGE)
    assert shown.status_code == 200
    assert "the viewer" in shown.text
    entry = app.audited()[-1]
    assert (entry.action, entry.actor) == ("session.begin", "the viewer")


def test_the_cookie_holds_no_key_and_is_out_of_reach(app: Guarded, client: httpx.Client) -> None:
    said = sign_in(app, client, "operator").headers["set-cookie"]
    for wanted in ("HttpOnly", "SameSite=strict", "Path=/", "Max-Age=43200"):
        assert wanted in said
    assert "Secure" not in said
    assert app.keys["operator"].rpartition("_")[2] not in said
    client.cookies.clear()
    client.get("/login")
    fields = {"form_token": client.cookies[FORM_COOKIE], "key": app.keys["operator"]}
    assert "Secure" in client.post("/login", data=fields, headers={"x-forwarded-proto": "https"}).headers["set-cookie"]


def test_a_session_ends_with_its_key_and_with_its_time(app: Guarded, client: httpx.Client) -> None:
    assert sign_in(app, client, "viewer").status_code == 303
    cookie = client.cookies[COOKIE]
    assert client.get("/api/v1/me").json()["name"] == "the viewer"
    app.clock.advance(12 * 3600)
    assert client.get("/api/v1/me").status_code == 401
    made, shown = app.store.create("short", [Role.VIEWER], int(app.clock.now() * 1000))
    app.clock.advance(2)
    client.cookies.clear()
    client.get("/login")
    client.post("/login", data={"form_token": client.cookies[FORM_COOKIE], "key": shown})
    assert client.cookies[COOKIE] != cookie
    assert client.get("/api/v1/me").json()["name"] == "short"
    app.store.revoke(made.id, int(app.clock.now() * 1000))
    app.clock.advance(2)
    assert client.get("/api/v1/me").status_code == 401


@contextmanager
def signed_in(app: Guarded, roles: list[Role]) -> Iterator[tuple[httpx.Client, str]]:
    """A browser that has signed in with a new key of these roles, and the key's id."""
    made, shown = app.store.create("short", roles, int(app.clock.now() * 1000))
    app.clock.advance(2)
    with httpx.Client(base_url=app.url, timeout=10) as browser:
        browser.get("/login")
        browser.post("/login", data={"form_token": browser.cookies[FORM_COOKIE], "key": shown})
        assert browser.get("/api/v1/me").json()["name"] == "short"
        yield browser, made.id


def test_a_revoked_key_ends_its_session_and_itself_at_once(app: Guarded) -> None:
    with signed_in(app, [Role.OPERATOR]) as (browser, key_id):
        app.store.revoke(key_id, int(app.clock.now() * 1000))
        answer = browser.get("/api/v1/me")
        assert (answer.status_code, "the key is revoked" in answer.json()["detail"]) == (401, True)
        form = {"mode": "off", "reason": "x", "form_token": browser.cookies[FORM_COOKIE]}
        sent = len(app.desk.sent)
        assert browser.post("/moves/do/mode", data=form, headers={"origin": app.url}).status_code == 401
        assert len(app.desk.sent) == sent
        assert browser.get("/moves", headers=PAGE).headers["location"] == "/login?next=%2Fmoves"


@pytest.mark.parametrize("roles", ["admin,operator", "viewer", ""], ids=["more", "fewer", "none"])
def test_a_key_whose_roles_were_changed_ends_its_session_at_once(app: Guarded, roles: str) -> None:
    with signed_in(app, [Role.OPERATOR]) as (browser, key_id):
        # Fairlane itself has no way to change a key's roles: whoever holds the database has
        with app.engine.begin() as conn:
            conn.execute(update(API_KEYS).where(API_KEYS.c.id == key_id).values(roles=roles))
        answer = browser.get("/api/v1/me")
        assert (answer.status_code, "the key has other roles" in answer.json()["detail"]) == (401, True)


def test_signing_out_takes_the_cookie_away(app: Guarded, client: httpx.Client) -> None:
    sign_in(app, client, "viewer")
    left = client.post("/logout")
    assert (left.status_code, left.headers["location"]) == (303, "/login")
    assert COOKIE not in client.cookies
    assert client.get("/api/v1/me").status_code == 401


def test_a_wrong_key_says_so_and_signs_nobody_in(app: Guarded, client: httpx.Client) -> None:
    client.get("/login")
    before = len(app.audited())
    fields = {"form_token": client.cookies[FORM_COOKIE], "key": "fairlane_wrong", "next": "/moves"}
    answer = client.post("/login", data=fields)
    assert answer.status_code == 401
    assert "no key that is valid here" in answer.text
    assert "fairlane_wrong" not in answer.text
    assert 'name="next" value="/moves"' in answer.text
    assert COOKIE not in client.cookies
    assert len(app.audited()) == before, "a stranger cannot fill the audit log"


def test_a_foreign_page_cannot_sign_anybody_in(app: Guarded, client: httpx.Client) -> None:
    client.get("/login")
    fields = {"key": app.keys["admin"], "next": "/"}
    assert client.post("/login", data=fields).status_code == 403
    token = client.cookies[FORM_COOKIE]
    foreign = {"origin": "https://evil.example"}
    assert client.post("/login", data={**fields, "form_token": token}, headers=foreign).status_code == 403
    assert COOKIE not in client.cookies


def test_headers_that_are_no_address_are_refused_and_break_nothing(app: Guarded, client: httpx.Client) -> None:
    headers = {**app.bearer("operator"), "origin": "http://["}
    answer = client.post("/v1/changes", json={"service": "worker"}, headers=headers)
    assert (answer.status_code, app.desk.sent) == (403, [])
    assert client.get("/login?next=//[").status_code == 200
    assert host_of(Request({"type": "http", "headers": [(b"host", b"[")]})) == ""


def test_the_path_is_the_routers_and_not_what_the_header_host_makes_of_it(app: Guarded, client: httpx.Client) -> None:
    for host in ("a/livez?", "a/static/", "a/login#"):
        assert client.get("/api/v1/moves", headers={"host": host}).status_code == 401
        assert path_of(Request({"type": "http", "path": "/moves", "headers": [(b"host", host.encode())]})) == "/moves"


def test_a_page_that_asks_for_an_identity_says_which_kind(client: httpx.Client) -> None:
    answer = client.post("/moves/do/mode", data={"mode": "off"}, headers=PAGE)
    assert (answer.status_code, answer.headers["www-authenticate"]) == (401, 'Bearer realm="fairlane"')


def test_a_session_presses_no_button_for_a_foreign_page(app: Guarded, client: httpx.Client) -> None:
    sign_in(app, client, "operator")
    token = client.cookies[FORM_COOKIE]
    form = {"mode": "off", "reason": "x", "form_token": token}
    for headers in ({"origin": "https://evil.example"}, {"sec-fetch-site": "cross-site"}):
        assert client.post("/moves/do/mode", data=form, headers=headers).status_code == 403
    assert client.post("/moves/do/mode", data={**form, "form_token": ""}).status_code == 403
    assert app.desk.sent == []
    assert client.post("/moves/do/mode", data={**form, "by": "someone"}, headers={"origin": app.url}).status_code == 303
    assert [sent.by for sent in app.desk.sent] == ["the operator"]


def test_who_follows_a_link_from_elsewhere_asks_once_more_from_here(client: httpx.Client) -> None:
    # SameSite=Strict: the first request from a chat or a mail brings no cookie, the page's own does
    first = client.get("/moves", headers={**PAGE, "sec-fetch-site": "cross-site"})
    assert (first.status_code, 'http-equiv="refresh"' in first.text) == (200, True)
    assert NOISY not in first.text
    then = client.get("/moves", headers={**PAGE, "sec-fetch-site": "same-origin"})
    assert then.status_code == 303


@pytest.mark.parametrize(
    "target",
    [
        "//evil.example",
        "//[",
        "https://evil.example/",
        "/\\evil.example",
        "\\\\evil",
        "javascript:alert(1)",
        "/\x07",
        "",
        "moves",
    ],
)
def test_a_login_leads_to_our_own_pages_only(target: str) -> None:
    assert safe(target) == "/"
    assert safe("/moves/x?answer=1") == "/moves/x?answer=1"


def test_buttons_that_a_role_may_not_press_say_which_it_needs(app: Guarded, client: httpx.Client) -> None:
    sign_in(app, client, "viewer")
    page = client.get("/moves", headers=PAGE).text
    assert "/moves/do/" not in page
    assert "It needs the role operator; you have viewer." in page
    client.cookies.clear()
    sign_in(app, client, "operator")
    page = client.get("/moves", headers=PAGE).text
    assert "/moves/do/restore" in page
    assert 'name="by"' not in page, "nobody is asked for a name that is known"
    told = client.get("/api/v1/moves", headers=app.bearer("viewer")).json()["current"][0]["buttons"]
    assert {button["why_not"] for button in told} == {"It needs the role operator; you have viewer."}


def test_a_person_is_told_on_a_page(app: Guarded, client: httpx.Client) -> None:
    sign_in(app, client, "viewer")
    form = {"mode": "off", "reason": "x", "form_token": client.cookies[FORM_COOKIE]}
    answer = client.post("/moves/do/mode", data=form, headers=PAGE)
    assert answer.status_code == 403
    assert answer.headers["content-type"].startswith("text/html")
    assert "needs the role operator; the viewer has viewer" in answer.text


# ---- a proxy ----------------------------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def behind(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Guarded]:
    groups = {"sre": ["operator"]}
    with guarded(
        tmp_path_factory.mktemp("state"), keys=False, trusted_peers=["127.0.0.1"], groups=groups, everyone=["viewer"]
    ) as app:
        yield app


def test_a_trusted_proxy_says_who_it_is(behind: Guarded) -> None:
    ann = {"x-forwarded-user": "ann", "x-forwarded-groups": "dev, sre"}
    with httpx.Client(base_url=behind.url, timeout=10) as client:
        assert client.get("/moves", headers=ann).status_code == 200
        assert client.get("/api/v1/me", headers=ann).json() == {
            "name": "ann",
            "roles": ["operator", "viewer"],
            "via": "proxy",
        }
        behind.desk.sent.clear()
        body = {"token": "t", "reason": "r"}
        assert client.post("/api/v1/actions/move", json=body, headers=ann).status_code == 200
        assert [sent.by for sent in behind.desk.sent] == ["ann"]
        assert behind.audited()[-1].via == "proxy"
        bob = {"x-forwarded-user": "bob"}
        assert client.get("/moves", headers=bob).status_code == 200
        assert client.post("/api/v1/actions/move", json=body, headers=bob).status_code == 403
        assert client.get("/moves", headers={"x-forwarded-groups": "sre"}).status_code == 401
        assert client.get("/login").status_code == 404, "there is nothing to sign in with"


def test_whom_the_proxy_names_is_who_it_is_whatever_cookie_the_browser_sends(
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    with (
        guarded(
            tmp_path_factory.mktemp("state"),
            trusted_peers=["127.0.0.1"],
            groups={"sre": ["operator"]},
            everyone=["viewer"],
        ) as app,
        signed_in(app, [Role.ADMIN]) as (browser, _),
    ):
        bob = {"x-forwarded-user": "bob"}
        told = browser.get("/api/v1/me", headers=bob).json()
        assert told == {"name": "bob", "roles": ["viewer"], "via": "proxy"}
        body = {"token": "t", "reason": "r"}
        assert browser.post("/api/v1/actions/move", json=body, headers=bob).status_code == 403
        twice = [("x-forwarded-user", "bob"), ("x-forwarded-user", "root")]
        assert browser.get("/api/v1/me", headers=twice).status_code == 401, "and no cookie mends what it says"
        assert browser.get("/api/v1/me").json()["name"] == "short", "where the proxy names nobody, the session does"
        shown = {**bob, **app.bearer("approver")}
        assert browser.get("/api/v1/me", headers=shown).json()["name"] == "the approver"


def test_its_own_name_is_a_page_of_ours(behind: Guarded) -> None:
    asked = {"x-forwarded-user": "ann", "x-forwarded-groups": "sre", "origin": "https://lanes.example.org"}
    body = {"token": "t", "reason": "r"}
    with httpx.Client(base_url=behind.url, timeout=10) as client:
        path = "/api/v1/actions/move"
        assert client.post(path, json=body, headers=asked).status_code == 403
        named = {**asked, "x-forwarded-host": "lanes.example.org"}
        assert client.post(path, json=body, headers=named).status_code == 200
        assert client.post(path, json=body, headers={**named, "host": "fairlane.internal"}).status_code == 200


def test_nobody_else_can_say_so(tmp_path_factory: pytest.TempPathFactory) -> None:
    with guarded(tmp_path_factory.mktemp("state"), trusted_peers=["10.9.9.9"], everyone=["admin"]) as app:
        claims = {
            "x-forwarded-user": "root",
            "x-forwarded-for": "10.9.9.9",
            "x-real-ip": "10.9.9.9",
            "forwarded": "for=10.9.9.9",
        }
        with httpx.Client(base_url=app.url, timeout=10) as client:
            assert client.get("/api/v1/moves", headers=claims).status_code == 401
            assert client.get("/api/v1/moves", headers={**claims, **app.bearer("viewer")}).status_code == 200


def test_the_server_leaves_the_peers_address_as_it_is() -> None:
    """uvicorn would believe X-Forwarded-For of any local peer: then whoever reaches the proxy could be the proxy."""
    assert (
        http.config_of(create_app(CannedSource(canned.calm()), CollectorRegistry(), desk=KeptDesk())).proxy_headers
        is False
    )


# ---- without auth -----------------------------------------------------------------------------------------------------------------------


def test_without_auth_a_foreign_name_reads_nothing_either() -> None:
    """DNS rebinding: a page of evil.example whose name suddenly means this machine."""
    source = CannedSource(canned.calm())
    with served(create_app(source, CollectorRegistry(), desk=KeptDesk())) as url, httpx.Client(base_url=url) as client:
        for path in ("/", "/moves", "/api/v1/moves", "/api/v1/live", "/metrics", "/static/app.css", "/nowhere"):
            foreign = client.get(path, headers={"host": "evil.example:8090"})
            assert (foreign.status_code, foreign.headers["content-type"]) == (403, "application/problem+json")
            assert "a loopback name only" in foreign.json()["detail"]
            assert client.get(path, headers={"host": "localhost:8090"}).status_code == (
                404 if path == "/nowhere" else 200
            )
        for path in ("/livez", "/readyz"):
            assert client.get(path, headers={"host": "10.0.0.7:8090"}).status_code == 200
        assert client.get("/login").status_code == 404
        assert client.get("/api/v1/me").status_code == 404
