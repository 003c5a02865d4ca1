"""`fairlane keys` and `fairlane audit` at the command line, and whose roles count there."""

import sqlite3
from pathlib import Path
from typing import Any

import orjson
import pytest
import typer
from typer.testing import CliRunner

from fairlane.cli import audit, capacity, isolate, keys, pager, slo
from fairlane.cli.acting import VARIABLE
from fairlane.cli.context import Globals
from slo.errors import AuditBroken, FairlaneError, Forbidden, NotFound, Unauthenticated, UsageError


class Line:
    """The command line of one state directory."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory

    def __call__(self, app: typer.Typer, *words: str) -> str:
        overrides = {"state_dir": str(self.directory), "kafka.bootstrap": "127.0.0.1:1"}
        result = CliRunner().invoke(app, list(words), obj=Globals(None, overrides))
        if isinstance(result.exception, FairlaneError):
            raise result.exception
        assert result.exit_code == 0, result.output
        return result.stdout

    def harm(self, *statements: str) -> None:
        with sqlite3.connect(self.directory / "fairlane.db") as file:
            for (name,) in file.execute("SELECT name FROM sqlite_master WHERE type = 'trigger'").fetchall():
                file.execute(f"DROP TRIGGER {name}")
            for statement in statements:
                file.execute(statement)
        file.close()

    def key(self, *roles: str) -> dict[str, Any]:
        words = [word for role in roles for word in ("--role", role)]
        told: dict[str, Any] = orjson.loads(self(keys.app, "create", "ann", *words, "--json"))
        return told


@pytest.fixture
def line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Line:
    monkeypatch.delenv(VARIABLE, raising=False)
    monkeypatch.chdir(tmp_path)
    return Line(tmp_path)


def test_a_key_is_shown_once_listed_and_revoked(line: Line) -> None:
    said = line(keys.app, "create", "ann", "--role", "operator", "--role", "approver", "--for", "90d")
    shown, key_id = said.split("\n")[0], said.split("_")[1]
    assert "the key of ann (operator, approver) until 20" in said
    assert "set auth.keys = true" in said
    listed = line(keys.app, "list")
    assert listed.startswith(f"{key_id}  valid  ann  operator, approver  made 20")
    assert "never used" in listed
    assert shown.rpartition("_")[2][-20:] not in listed + line(keys.app, "list", "--json") + line(audit.app, "export")
    assert f"The key {key_id} of ann is revoked." in line(keys.app, "revoke", key_id)
    assert orjson.loads(line(keys.app, "list", "--json"))["keys"][0]["state"] == "revoked"
    with pytest.raises(NotFound):
        line(keys.app, "revoke", key_id)
    entries = orjson.loads(line(audit.app, "list", "--json"))["entries"]
    assert [(e["action"], e["target"], e["via"]) for e in entries] == [
        ("key.revoke", key_id, "os"),
        ("key.create", key_id, "os"),
    ]


def test_a_key_in_the_environment_says_who_acts_and_what_they_may(line: Line, monkeypatch: pytest.MonkeyPatch) -> None:
    admin, operator, viewer = line.key("admin"), line.key("operator"), line.key("viewer")
    monkeypatch.setenv(VARIABLE, operator["key"])
    with pytest.raises(Forbidden, match="`fairlane keys create` needs the role admin; ann has operator"):
        line(keys.app, "create", "bob", "--role", "admin")
    with pytest.raises(Forbidden, match="`fairlane approve` needs the role approver"):
        line(isolate.app, "approve", "t")
    with pytest.raises(Forbidden, match="`fairlane slo waive` needs the role approver"):
        line(slo.app, "waive", "--by", "me", "--reason", "because")
    monkeypatch.setenv(VARIABLE, viewer["key"])
    with pytest.raises(Forbidden, match="`fairlane pager test` needs the role operator; ann has viewer"):
        line(pager.app, "test")
    assert line(audit.app, "verify").startswith("3 entries")
    monkeypatch.setenv(VARIABLE, admin["key"])
    made = line.key("viewer")
    assert made["created_by"] == "ann"
    newest = orjson.loads(line(audit.app, "list", "--limit", "1", "--json"))["entries"][0]
    assert (newest["actor"], newest["via"]) == ("ann", f"key:{admin['id']}")


@pytest.mark.parametrize(
    ("shown", "said"), [("x", "holds no key"), ("fairlane_0123456789ab_" + "x" * 43, "is not known here")]
)
def test_a_key_that_is_none_does_nothing(line: Line, monkeypatch: pytest.MonkeyPatch, shown: str, said: str) -> None:
    monkeypatch.setenv(VARIABLE, shown)
    with pytest.raises(Unauthenticated, match=said) as refused:
        line(keys.app, "list")
    assert refused.value.exit_code == 2


def test_a_revoked_key_does_nothing(line: Line, monkeypatch: pytest.MonkeyPatch) -> None:
    made = line.key("admin")
    line(keys.app, "revoke", made["id"])
    monkeypatch.setenv(VARIABLE, made["key"])
    with pytest.raises(Unauthenticated, match="is revoked"):
        line(keys.app, "list")


def test_an_exception_from_a_freeze_is_its_approvers(line: Line, monkeypatch: pytest.MonkeyPatch) -> None:
    approver = line.key("approver")
    monkeypatch.setenv(VARIABLE, approver["key"])
    said = line(slo.app, "waive", "--by", "the queen", "--reason", "the fix")
    assert "approved by ann: the fix" in said
    line(slo.app, "unwaive", said.split(":", 1)[0])
    monkeypatch.delenv(VARIABLE)
    ended, granted = orjson.loads(line(audit.app, "list", "--action", "waiver", "--json"))["entries"]
    assert (granted["action"], granted["target"], granted["actor"]) == ("waiver.grant", "all", "ann")
    assert (granted["details"]["reason"], granted["details"]["said_by"]) == ("the fix", "the queen")
    assert (ended["action"], ended["target"]) == ("waiver.revoke", granted["details"]["id"])


def test_the_log_is_exported_and_verified_anywhere(line: Line, tmp_path: Path) -> None:
    for _ in range(3):
        line.key("viewer")
    file = tmp_path / "audit.jsonl"
    line(audit.app, "export", "--out", str(file))
    assert len(file.read_bytes().splitlines()) == 3
    assert "cannot show whether its end was cut off" in line(audit.app, "verify", "--file", str(file))
    told = orjson.loads(line(audit.app, "verify", "--json"))
    assert (told["ok"], told["entries"]) == (True, 3)
    head = told["head"]
    assert "3 entries" in line(audit.app, "verify", "--file", str(file), "--expect", head)
    lines = file.read_bytes().splitlines(keepends=True)
    file.write_bytes(b"".join(lines[:2]))
    with pytest.raises(AuditBroken, match="entry 3, whose hash was written down, is missing"):
        line(audit.app, "verify", "--file", str(file), "--expect", head)
    file.write_bytes(lines[0] + lines[2])
    with pytest.raises(AuditBroken, match="entry 2 is missing"):
        line(audit.app, "verify", "--file", str(file))
    file.write_bytes(lines[0] + b"nonsense\n")
    with pytest.raises(AuditBroken, match="line 2: not an entry"):
        line(audit.app, "verify", "--file", str(file))
    with pytest.raises(UsageError, match="cannot read"):
        line(audit.app, "verify", "--file", str(tmp_path / "nothing"))
    with pytest.raises(UsageError, match="NUMBER:HASH"):
        line(audit.app, "verify", "--expect", "3")


@pytest.mark.parametrize(
    ("harm", "said"),
    [
        ("UPDATE audit SET actor = 'eve' WHERE seq = 2", "Entry 2 .* by eve.: it was edited"),
        ("DELETE FROM audit WHERE seq = 3", "After entry 2: the newest entry is missing"),
        ("DELETE FROM audit_head", "The kept head is gone"),
    ],
)
def test_harm_ends_with_exit_code_1_and_its_place(line: Line, harm: str, said: str) -> None:
    for _ in range(3):
        line.key("viewer")
    line.harm(harm)
    with pytest.raises(AuditBroken, match=said) as broken:
        line(audit.app, "verify")
    assert broken.value.exit_code == 1


def test_a_log_rewritten_as_a_whole_is_found_by_a_head_kept_elsewhere(line: Line) -> None:
    line.key("viewer")
    head = orjson.loads(line(audit.app, "verify", "--json"))["head"]
    line.harm("DELETE FROM audit", f"UPDATE audit_head SET seq = 0, hash = '{'0' * 64}'")
    line.key("viewer")
    assert line(audit.app, "verify").startswith("1 entry,")
    with pytest.raises(AuditBroken, match="rewritten"):
        line(audit.app, "verify", "--expect", head)


def test_an_export_that_cannot_be_written_or_is_none_is_said(line: Line) -> None:
    with pytest.raises(UsageError, match=r"cannot write nowhere/audit\.jsonl: No such file"):
        line(audit.app, "export", "--out", "nowhere/audit.jsonl")
    line.key("viewer")
    told = line(audit.app, "export").replace('"seq":1', '"seq":"1"')
    (line.directory / "edited.jsonl").write_text(told)
    with pytest.raises(AuditBroken, match=r"edited.jsonl, line 1: its members are not those of an entry"):
        line(audit.app, "verify", "--file", "edited.jsonl")


def test_what_the_log_cannot_take_is_kept_aside_until_it_can(line: Line) -> None:
    line.key("viewer")
    line.harm("DELETE FROM audit_head")
    line(capacity.app, "record", "events-side-lane-wait", "3")
    (kept,) = (line.directory / "audit-spool.jsonl").read_text().splitlines()
    told = orjson.loads(kept)
    assert (told["action"], told["details"]["value"]) == ("capacity.record", "3")


def test_an_exception_that_the_log_cannot_take_is_not_granted_and_not_kept_aside(line: Line) -> None:
    line.key("viewer")
    line.harm("DELETE FROM audit_head")
    with pytest.raises(AuditBroken, match="lost its head"):
        line(slo.app, "waive", "--by", "eve", "--reason", "the fix itself")
    assert not (line.directory / "audit-spool.jsonl").exists()
    assert line(slo.app, "waivers") == "There has been no exception.\n"


def test_the_log_can_be_narrowed(line: Line) -> None:
    line.key("viewer")
    assert "key.create" in line(audit.app, "list", "--action", "key", "--since", "1h")
    assert line(audit.app, "list", "--actor", "nobody") == "There is no such entry.\n"
