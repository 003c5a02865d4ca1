"""Keys: what is shown once, what is kept, what ends them."""

import re

import pytest
from sqlalchemy import Engine, text

from fairlane.auth import keys
from fairlane.auth.audit import AuditLog
from fairlane.auth.identity import Identity, acting
from fairlane.auth.keystore import KeyStore
from fairlane.auth.role import Role, covers
from slo.errors import NotFound, UsageError

NOW = 1_800_000_000_000
ROOT = Identity("root", frozenset({Role.ADMIN}), "os")


def test_a_key_is_256_random_bits_behind_a_visible_id() -> None:
    made = [keys.mint() for _ in range(50)]
    assert len({key_id for key_id, _, _ in made}) == len({digest for _, _, digest in made}) == 50
    for key_id, shown, digest in made:
        assert re.fullmatch(rf"fairlane_{key_id}_[A-Za-z0-9_-]{{43}}", shown)
        presented = keys.read(f" {shown}\n")
        assert presented is not None
        assert (presented.id, keys.digest(presented.secret)) == (key_id, digest)


@pytest.mark.parametrize(
    "text", ["", "fairlane_", "x" * 64, "fairlane_0123456789AB_" + "x" * 43, "fairlane_0123456789ab_" + "x" * 42]
)
def test_what_is_no_key_is_none(text: str) -> None:
    assert keys.read(text) is None


def test_only_the_right_secret_matches(engine: Engine) -> None:
    key, shown = KeyStore(engine).create("ann", [Role.VIEWER], NOW)
    presented = keys.read(shown)
    assert presented is not None
    assert keys.matches(presented, key)
    other = "A" if presented.secret[0] != "A" else "B"
    assert not keys.matches(keys.Presented(key.id, other + presented.secret[1:]), key)
    assert not keys.matches(presented, None)
    assert not keys.matches(keys.Presented(key.id, ""), None), "nobody's digest is nobody's key"


def test_the_secret_is_nowhere_in_the_database(engine: Engine) -> None:
    with acting(ROOT):
        _, shown = KeyStore(engine).create("ann", [Role.OPERATOR], NOW)
    secret = shown.rpartition("_")[2] if shown.count("_") == 2 else shown[22:]
    with engine.connect() as conn:
        for table in ("api_keys", "audit"):
            for row in conn.execute(text(f"SELECT * FROM {table}")):
                assert secret not in "|".join(map(str, row))


def test_what_is_done_to_keys_is_in_the_audit_log(engine: Engine) -> None:
    store = KeyStore(engine)
    with acting(ROOT):
        key, _ = store.create("ann", [Role.OPERATOR, Role.APPROVER], NOW, NOW + 1000)
        store.revoke(key.id, NOW + 5)
    ended, made = (one.entry for one in AuditLog(engine).newest(9))
    assert (made.action, made.target, made.actor) == ("key.create", key.id, "root")
    assert made.details == {"name": "ann", "roles": "operator, approver", "until": "2027-01-15T08:00:01Z"}
    assert (ended.action, ended.target, ended.details) == ("key.revoke", key.id, {"name": "ann"})


def test_a_key_ends_when_it_expires_or_is_revoked(engine: Engine) -> None:
    store = KeyStore(engine)
    key, _ = store.create("ann", [Role.VIEWER], NOW, NOW + 1000)
    assert [key.state(NOW + ms) for ms in (0, 999, 1000)] == ["valid", "valid", "expired"]
    assert store.revoke(key.id, NOW + 1).state(NOW + 2) == "revoked"
    with pytest.raises(NotFound, match="keys list"):
        store.revoke(key.id, NOW + 3)
    with pytest.raises(NotFound):
        store.revoke("0" * 12, NOW)
    assert store.find(key.id) == store.all()[0]
    assert store.find("0" * 12) is None


@pytest.mark.parametrize(
    ("name", "roles", "expires_ms", "said"),
    [
        (" ", [Role.VIEWER], None, "needs the name"),
        ("a\nb", [Role.VIEWER], None, "printable"),
        ("x" * 101, [Role.VIEWER], None, "100"),
        ("ann", [], None, "needs a role: viewer, operator"),
        ("ann", [Role.VIEWER], NOW, "cannot have expired"),
    ],
)
def test_a_key_that_makes_no_sense_is_refused(
    engine: Engine, name: str, roles: list[Role], expires_ms: int | None, said: str
) -> None:
    with pytest.raises(UsageError, match=said):
        KeyStore(engine).create(name, roles, NOW, expires_ms)
    assert KeyStore(engine).all() == []
    assert AuditLog(engine).newest(1) == []


def test_a_role_that_this_build_does_not_know_gives_nothing(engine: Engine) -> None:
    key, _ = KeyStore(engine).create("ann", [Role.VIEWER], NOW)
    with engine.begin() as conn:
        conn.execute(text("UPDATE api_keys SET roles = 'emperor'"))
    found = KeyStore(engine).find(key.id)
    assert found is not None
    assert not covers(found.roles, Role.VIEWER)
