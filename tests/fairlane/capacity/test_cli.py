"""`fairlane capacity`: what it prints, and its exit codes."""

import json
import time
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from fairlane.auth.audit import AuditLog
from fairlane.auth.keystore import KeyStore
from fairlane.auth.role import Role
from fairlane.cli import app
from slo.capacity.limit import DAY
from slo.capacity.store import Samples
from slo.waivers import Waivers
from tests.support.beheaded import behead
from tests.support.databases import opened

FILE = """
limits:
  - {name: seats, title: Seats, trigger: 80, critical: 100, lead_days: 30, owner: it, project: buy seats}
budgets:
  - {name: warehouse, title: Warehouse, monthly: 100000, currency: EUR, owner: data}
"""


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    (tmp_path / "c.yaml").write_text(FILE, encoding="utf-8")
    monkeypatch.setenv("FAIRLANE_STATE_DIR", str(tmp_path / "state"))
    monkeypatch.setenv("FAIRLANE_DATABASE__URL", f"sqlite:///{tmp_path / 'fairlane.db'}")
    monkeypatch.setenv("FAIRLANE_CAPACITY__FILES", json.dumps([str(tmp_path / "c.yaml")]))

    def go(*args: str) -> Result:
        return CliRunner().invoke(app, ["capacity", *args])

    return go


def code(done: Result) -> int:
    """The exit code of `fairlane`, which turns our errors into theirs."""
    return getattr(done.exception, "exit_code", done.exit_code)


def fill(tmp_path: Path, a_day: float) -> None:
    now = time.time()
    today = int(now) // DAY
    with opened(f"sqlite:///{tmp_path / 'fairlane.db'}") as engine:
        past = {("seats", (today - n) * DAY): 70.0 - a_day * n for n in range(1, 40)}
        Samples(engine).put({**past, ("seats", int(now)): 70.0})


def test_nothing_known_is_said_and_the_gate_does_not_know(run) -> None:
    done = run()
    assert done.exit_code == 0
    assert done.output.startswith("No data: nothing has been measured")
    assert "tell it with" not in done.output.splitlines()[0]
    assert code(run("gate")) == 4


def test_what_nobody_knows_is_said_first_by_the_command_and_by_the_gate(run, tmp_path: Path) -> None:
    fill(tmp_path, a_day=0.0)
    assert run().output.startswith("No data on ")
    told = json.loads(run("--json").output.splitlines()[-1])
    assert told["state"] == "frozen"
    assert "1 of 1 cost budget" in told["sentence"]
    assert {"warehouse", "events-side-lane-wait"} <= set(told["unknown"])
    assert "seats" not in told["unknown"]
    gate = run("gate", "--limit", "seats", "--limit", "warehouse")
    assert (gate.exit_code, gate.output.strip()) == (0, "Open, but nobody knows how full warehouse is.")
    gate = json.loads(run("gate", "--limit", "seats", "--limit", "warehouse", "--json").output)
    assert (gate["open"], gate["unknown"]) == (True, ["warehouse"])
    assert run("gate", "--limit", "seats").output.strip() == "Open."


def test_a_red_limit_closes_the_gate_until_somebody_answers_for_it(run, tmp_path: Path) -> None:
    fill(tmp_path, a_day=1.5)
    told = json.loads(run("--json").output.splitlines()[-1])
    row = next(one for one in told["limits"] if one["name"] == "seats")
    assert (row["word"], row["late"], told["state"]) == ("red", True, "burning")
    assert row["slack_days"] == pytest.approx(-10, abs=2)
    assert "too late; it: buy seats" in told["sentence"]
    closed = run("gate")
    assert closed.exit_code == 3
    assert closed.output.startswith("Closed: seats is red")
    assert code(run("gate", "--limit", "warehouse")) == 4
    assert run("waive", "seats", "--by", "ana", "--reason", "seats are ordered").exit_code == 0
    opened_ = run("gate")
    assert opened_.exit_code == 0
    assert "exception by ana" in opened_.output
    assert json.loads(run("gate", "--json").output.splitlines()[-1])["limits"]["seats"] == {
        "stage": "red",
        "blocks": False,
    }


def test_what_is_told_and_excused_is_in_the_audit_log_under_the_name_of_the_key(
    run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with opened(f"sqlite:///{tmp_path / 'fairlane.db'}") as engine:
        _, shown = KeyStore(engine).create("ci", [Role.OPERATOR, Role.APPROVER], int(time.time() * 1000))
        monkeypatch.setenv("FAIRLANE_API_KEY", shown)
        assert run("record", "seats", "60").exit_code == 0
        done = run("waive", "seats", "--by", "the queen", "--reason", "seats are ordered")
        assert "approved by ci" in done.output
        record, waive = [one.entry for one in AuditLog(engine).links()][1:]
    assert (record.actor, record.action, record.target, record.details["value"]) == (
        "ci",
        "capacity.record",
        "seats",
        "60",
    )
    assert (waive.actor, waive.action, waive.target) == ("ci", "waiver.grant", "capacity/seats")
    assert waive.details["said_by"] == "the queen"


def test_a_value_can_be_told(run, tmp_path: Path) -> None:
    assert run("record", "warehouse", "120.5").exit_code == 0
    assert run("record", "seats", "60", "--at", "2026-11-01").exit_code == 0
    with opened(f"sqlite:///{tmp_path / 'fairlane.db'}") as engine:
        assert list(Samples(engine).read("warehouse").values()) == [120.5]
        assert list(Samples(engine).read("seats")) == [1_793_491_200]


@pytest.mark.parametrize(
    ("args", "wanted", "reason"),
    [
        (["record", "nothing", "1"], 1, "there is no limit or budget 'nothing'"),
        (["record", "seats", "nan"], 2, "a value is a number"),
        (["record", "seats", "1", "--at", "2026-02-30"], 2, "write it as"),
        (["record", "seats", "1", "--at", "2999-01-01"], 2, "yet to come"),
        (["gate", "--limit", "nothing"], 1, "there is no limit or budget nothing"),
        (["waive", "seats", "--by", " ", "--reason", "x"], 2, "needs who approved it"),
        (["waive", "nothing", "--by", "a", "--reason", "x"], 1, "there is no limit"),
    ],
)
def test_what_cannot_be_done_is_said(run, args: list[str], wanted: int, reason: str) -> None:
    done = run(*args)
    assert reason in str(done.exception) + done.output
    assert code(done) == wanted


def test_an_exception_that_the_audit_log_cannot_take_is_not_granted(run, tmp_path: Path) -> None:
    with opened(f"sqlite:///{tmp_path / 'fairlane.db'}") as engine:
        behead(engine)
        done = run("waive", "seats", "--by", "ana", "--reason", "seats are ordered")
        assert "lost its head" in str(done.exception)
        assert Waivers(engine).all() == []
