"""Who it is: the ring of keys, sessions, a proxy's headers, and the settings behind them."""

import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError
from sqlalchemy import Engine

from fairlane.auth import proxy
from fairlane.auth.config import AuthConfig
from fairlane.auth.identity import Identity, acting, current
from fairlane.auth.keys import ApiKey
from fairlane.auth.keystore import KeyStore
from fairlane.auth.ring import FRESH_S, GRACE_S, NOTE_S, KeyRing
from fairlane.auth.role import Role, covers
from fairlane.auth.session import Session, Sessions, secret_of, stamp_of
from fairlane.settings import load
from slo.clock import ManualClock
from slo.errors import ConfigError, Forbidden, StateDirectoryError, Unauthenticated, Unreachable

NOW = 1_800_000_000


def test_a_role_covers_itself_and_reading_and_an_admin_everything() -> None:
    for held in Role:
        for needed in Role:
            assert covers({held}, needed) == (held is needed or held is Role.ADMIN or needed is Role.VIEWER)
    assert not covers(set(), Role.VIEWER)


def test_who_may_not_is_told_which_role_it_needs() -> None:
    with pytest.raises(Forbidden, match="POST /x needs the role approver; ann has viewer, operator"):
        Identity("ann", frozenset({Role.OPERATOR, Role.VIEWER}), "os").demand(Role.APPROVER, "POST /x")


def test_who_acts_is_known_within_the_block_only() -> None:
    ann = Identity("ann", frozenset(), "os")
    with acting(ann):
        assert current() is ann
        with acting(None):
            assert current() is None
        assert current() is ann
    assert current() is None


# ---- the ring ---------------------------------------------------------------------------------------------------------------------------


class Switch:
    def __init__(self, engine: Engine) -> None:
        self.engine = engine
        self.away = False
        self.uses = 0

    @contextmanager
    def use(self) -> Iterator[Engine]:
        self.uses += 1
        if self.away:
            raise Unreachable("it is away")
        yield self.engine


def test_a_new_key_is_seen_and_a_revoked_one_refused_within_two_seconds(engine: Engine) -> None:
    clock, database = ManualClock(NOW), Switch(engine)
    ring, store = KeyRing(database.use, clock), KeyStore(engine)
    assert ring.find("0" * 12) is None
    key, _ = store.create("ann", [Role.VIEWER], NOW * 1000)
    assert ring.find(key.id) is None
    assert database.uses == 1, "not for every request"
    clock.advance(FRESH_S)
    assert ring.find(key.id) == key
    store.revoke(key.id, NOW * 1000)
    clock.advance(FRESH_S)
    found = ring.find(key.id)
    assert found is not None
    assert found.state(NOW * 1000) == "revoked"


def test_known_keys_open_the_pages_while_the_database_is_away_for_a_while(engine: Engine) -> None:
    clock, database = ManualClock(NOW), Switch(engine)
    ring = KeyRing(database.use, clock)
    key, _ = KeyStore(engine).create("ann", [Role.VIEWER], NOW * 1000)
    assert ring.find(key.id)
    database.away = True
    clock.advance(GRACE_S)
    assert ring.find(key.id) == key
    clock.advance(FRESH_S)
    with pytest.raises(Unreachable, match="keys cannot be checked: it is away"):
        ring.find(key.id)
    database.away = False
    clock.advance(FRESH_S)
    assert ring.find(key.id) == key


def test_a_database_that_was_never_there_lets_nobody_in(engine: Engine) -> None:
    database = Switch(engine)
    database.away = True
    with pytest.raises(Unreachable):
        KeyRing(database.use, ManualClock(NOW)).find("0" * 12)


def test_it_is_noted_when_a_key_was_last_used(engine: Engine) -> None:
    clock, store = ManualClock(NOW), KeyStore(engine)
    ring = KeyRing(Switch(engine).use, clock)
    key, _ = store.create("ann", [Role.VIEWER], NOW * 1000)
    ring.find(key.id)
    ring.note(key.id, NOW * 1000 + 7)
    clock.advance(NOTE_S)
    ring.find(key.id)
    assert [one.used_ms for one in store.all()] == [NOW * 1000 + 7]


def test_a_known_key_is_as_it_is_now_and_as_it_was_while_the_database_is_away(engine: Engine) -> None:
    clock, database = ManualClock(NOW), Switch(engine)
    ring, store = KeyRing(database.use, clock), KeyStore(engine)
    key, _ = store.create("ann", [Role.VIEWER], NOW * 1000)
    assert ring.find(key.id) == key
    assert ring.again(key) == key
    ended = store.revoke(key.id, NOW * 1000)
    assert ring.again(key) == ended, "at once"
    database.away = True
    assert ring.again(key) == key
    uses = database.uses
    assert ring.again(key) == key
    assert database.uses == uses, "nobody waits for it again before the next look"
    database.away = False
    clock.advance(FRESH_S)
    ring.find(key.id)
    assert ring.again(key) == ended


def test_behind_a_database_that_hangs_stands_one_request_and_not_all(engine: Engine) -> None:
    clock, asked, over = ManualClock(NOW), threading.Event(), threading.Event()

    @contextmanager
    def use() -> Iterator[Engine]:
        if clock.now() > NOW:
            asked.set()
            assert over.wait(10)
        yield engine

    ring = KeyRing(use, clock)
    key, _ = KeyStore(engine).create("ann", [Role.VIEWER], NOW * 1000)
    assert ring.find(key.id) == key
    clock.advance(FRESH_S)
    with ThreadPoolExecutor(2) as others:
        first = others.submit(ring.find, key.id)
        assert asked.wait(10)
        clock.advance(FRESH_S)
        try:
            assert ring.find(key.id) == key
            assert others.submit(ring.again, key).result(5) == key
        finally:
            over.set()
        assert first.result(10) == key


# ---- sessions ---------------------------------------------------------------------------------------------------------------------------


ANN = ApiKey("0123456789ab", "ann", frozenset({Role.VIEWER}), "d" * 64, NOW * 1000, "admin")


def test_a_session_names_its_key_until_it_is_over() -> None:
    sessions = Sessions(b"s" * 32, 3600)
    cookie = sessions.seal(ANN, NOW)
    found = sessions.read(cookie, NOW + 3599)
    assert found is not None
    assert (found.key_id, found.began_with(ANN)) == ("0123456789ab", True)
    assert sessions.read(cookie, NOW + 3600) is None
    assert Sessions(b"t" * 32, 3600).read(cookie, NOW) is None


def test_a_cookie_with_one_other_character_is_none() -> None:
    sessions = Sessions(b"s" * 32, 3600)
    cookie = sessions.seal(ANN, NOW)
    for at, was in enumerate(cookie):
        for other in "0a.":
            if other != was:
                assert sessions.read(cookie[:at] + other + cookie[at + 1 :], NOW) is None, at
    for junk in ("", "1.", cookie + "x", cookie[:-1], "2.0123456789ab.0123456789abcdef.99999999999999999." + "x" * 43):
        assert sessions.read(junk, NOW) is None


@pytest.mark.parametrize(
    "other",
    [
        {"roles": frozenset({Role.VIEWER, Role.ADMIN})},
        {"roles": frozenset()},
        {"digest": "e" * 64},
        {"id": "ba9876543210"},
    ],
    ids=["more roles", "no role", "another secret", "another key"],
)
def test_a_session_is_not_one_of_a_key_that_was_changed(other: dict[str, Any]) -> None:
    session = Session(ANN.id, stamp_of(ANN))
    assert session.began_with(replace(ANN, used_ms=7, name="Ann"))
    assert not session.began_with(replace(ANN, **other))


def test_the_secret_is_made_once_and_is_nobody_elses(tmp_path: Path) -> None:
    state = tmp_path / "state"
    secret = secret_of("", state)
    assert len(secret) == 32
    assert secret_of("", state) == secret
    assert [path.name for path in state.iterdir()] == ["session.secret"]
    assert (state / "session.secret").stat().st_mode & 0o077 == 0
    assert secret_of("x" * 32, state) not in {secret, secret_of("y" * 32, state)}
    (state / "session.secret").write_bytes(b"short")
    with pytest.raises(StateDirectoryError, match="delete it"):
        secret_of("", state)


# ---- a proxy ----------------------------------------------------------------------------------------------------------------------------

BEHIND = AuthConfig(
    trusted_peers=("10.1.0.0/16", "::1", "127.0.0.1"),
    groups={"sre": (Role.OPERATOR,), "leads": (Role.APPROVER, Role.PUBLISHER)},
    everyone=(Role.VIEWER,),
)


@pytest.mark.parametrize(
    ("peer", "trusted"),
    [
        ("10.1.2.3", True),
        ("::ffff:10.1.2.3", True),
        ("::1", True),
        ("10.2.0.1", False),
        ("", False),
        ("proxy", False),
        ("127.0.0.1", True),
    ],
)
def test_only_the_named_peers_are_believed(peer: str, trusted: bool) -> None:
    assert proxy.is_trusted(peer, BEHIND) == trusted
    assert not proxy.is_trusted(peer, AuthConfig())


def test_groups_give_roles() -> None:
    headers = [
        (b"X-Forwarded-User", "zoë".encode()),
        (b"x-forwarded-groups", b"leads, other,sre"),
    ]
    found = proxy.identity(headers, BEHIND)
    assert found == Identity("zoë", frozenset({Role.VIEWER, Role.OPERATOR, Role.APPROVER, Role.PUBLISHER}), "proxy")
    nobody = proxy.identity([(b"x-forwarded-user", b"bob"), (b"x-forwarded-groups", b"Sre")], BEHIND)
    assert nobody is not None
    assert nobody.roles == {Role.VIEWER}
    assert proxy.identity([(b"x-forwarded-groups", b"sre")], BEHIND) is None
    assert proxy.identity([(b"x-forwarded-user", b" ")], BEHIND) is None


def test_groups_that_are_said_twice_give_nobody_a_role() -> None:
    """A proxy that adds its header to the client's own would let everybody name their groups."""
    headers = [(b"x-forwarded-user", b"ann"), (b"X-Forwarded-Groups", b"sre"), (b"x-forwarded-groups", b"dev")]
    with pytest.raises(Unauthenticated, match="x-forwarded-groups came more than once"):
        proxy.identity(headers, BEHIND)


@pytest.mark.parametrize(
    "headers",
    [
        [(b"x-forwarded-user", b"ann"), (b"X-Forwarded-User", b"root")],
        [(b"x-forwarded-user", b"a" * 101)],
        [(b"x-forwarded-user", b"a\x07b")],
    ],
    ids=["twice", "too long", "a bell"],
)
def test_a_name_that_is_none_is_nobody(headers: list[tuple[bytes, bytes]]) -> None:
    with pytest.raises(Unauthenticated, match="x-forwarded-user"):
        proxy.identity(headers, BEHIND)


# ---- settings ---------------------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("values", "said"),
    [
        ({"trusted_peers": ["proxy.local"], "everyone": "viewer"}, "no address or network"),
        ({"trusted_peers": ["0.0.0.0/0"], "everyone": "viewer"}, "is everybody"),
        ({"trusted_peers": ["::/0"], "everyone": "viewer"}, "is everybody"),
        ({"trusted_peers": ["10.0.0.1"]}, "nobody would have a role"),
        ({"user_header": "x user"}, "is no header's name"),
        ({"session_secret": "short"}, "32 characters"),
        ({"session_hours": 0}, "greater than 0"),
        ({"groups": {"sre": "emperor"}}, "'viewer', 'operator'"),
        ({"keyz": True}, "Extra inputs"),
    ],
    ids=str,
)
def test_settings_that_would_be_a_hole_are_refused(values: dict[str, object], said: str) -> None:
    with pytest.raises(ValidationError, match=said):
        AuthConfig.model_validate(values)


@pytest.mark.parametrize(
    "host", ["0.0.0.0", "::", "192.168.1.5", "127.evil.example", "localhost.example", "pages.internal"]
)
def test_listening_beyond_loopback_without_auth_is_refused(host: str) -> None:
    with pytest.raises(ConfigError, match=r"web: host .* set auth\.keys = true") as refused:
        load(None, {"web.host": host})
    assert refused.value.exit_code == 2
    assert load(None, {"web.host": host, "auth.keys": "true"}).web.host == host
    proxied = {"auth.trusted_peers": ["10.0.0.1"], "auth.everyone": ["viewer"]}
    assert load(None, {"web.host": host, **proxied}).auth.on


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "::1", "127.0.0.2"])
def test_loopback_needs_no_auth(host: str) -> None:
    assert not load(None, {"web.host": host}).auth.on


def test_the_settings_survive_being_written_and_read(tmp_path: Path) -> None:
    first = tmp_path / "a.toml"
    first.write_text(
        '[auth]\nkeys = true\ntrusted_peers = ["10.0.0.1"]\neveryone = "viewer"\n[auth.groups]\n"team:sre" = ["operator", "approver"]\nleads = "publisher"\n'
    )
    settings = load(first)
    assert settings.auth.groups == {"team:sre": (Role.OPERATOR, Role.APPROVER), "leads": (Role.PUBLISHER,)}
    second = tmp_path / "b.toml"
    second.write_text(settings.dump())
    assert load(second) == settings
