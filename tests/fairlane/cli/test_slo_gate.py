"""`fairlane slo gate`: exit codes for a deploy pipeline."""

import time
from pathlib import Path

import orjson
import pytest
from sqlalchemy import text
from typer.testing import CliRunner

from fairlane.auth.audit import AuditLog
from fairlane.cli.context import Globals
from fairlane.cli.slo import app
from fairlane.database import open_database
from slo.errors import AuditBroken, FairlaneError, NotFound, Unreachable, UsageError
from slo.evaluate import evaluate
from slo.history import History
from slo.presets import pipeline_objectives
from slo.slices import Slice
from slo.store import Booking, SliceStore
from slo.waivers import Waivers
from tests.support.beheaded import behead

FRESH = "events-freshness-protected"


def run(folder: Path, *arguments: str) -> tuple[int, str]:
    result = CliRunner().invoke(app, list(arguments), obj=Globals(None, {"state_dir": str(folder)}))
    if isinstance(result.exception, FairlaneError):
        raise result.exception
    return result.exit_code, result.output


def history(folder: Path, bad: int, age_s: float = 0) -> None:
    engine = open_database(f"sqlite:///{folder / 'fairlane.db'}")
    now = time.time() - age_s
    first = int(now) // 60 * 60
    store = SliceStore(engine)
    born = first - 40 * 86_400
    store.book([Booking(FRESH, first - 60 * n, Slice(1000 - bad, 1000, 1000, 60), born) for n in range(1, 30)])
    History(engine).save(evaluate(pipeline_objectives("events"), store, now))
    engine.dispose()


def test_a_healthy_budget_opens_the_gate(tmp_path: Path) -> None:
    history(tmp_path, 0)
    code, said = run(tmp_path, "gate", "--slo", FRESH)
    assert (code, said.splitlines()[0]) == (0, "Open (healthy).")


def test_a_spent_budget_closes_it_until_somebody_answers_for_it(tmp_path: Path) -> None:
    history(tmp_path, 5)
    code, said = run(tmp_path, "gate")
    assert code == 3
    assert said.startswith("Closed: 1 error budget is frozen.")
    code, said = run(tmp_path, "waive", "--slo", FRESH, "--by", "Ada", "--reason", "the fix", "--for", "2h")
    waiver = said.split(":")[0]
    assert code == 0
    code, said = run(tmp_path, "gate", "--json")
    told = orjson.loads(said)
    assert (code, told["open"], told["stage"]) == (0, True, "freeze")
    assert told["objectives"][0]["waiver"]["by"] == "Ada"
    assert run(tmp_path, "unwaive", waiver)[0] == 0
    assert run(tmp_path, "gate")[0] == 3
    assert "revoked" in run(tmp_path, "waivers")[1]


@pytest.mark.parametrize("age_s", [700, None], ids=["too old", "nothing"])
def test_when_nobody_knows_the_answer_is_not_yes(tmp_path: Path, age_s: float | None) -> None:
    if age_s is not None:
        history(tmp_path, 0, age_s)
    with pytest.raises(Unreachable, match="nobody knows"):
        run(tmp_path, "gate")


def test_one_objective_that_nobody_evaluates_any_more_is_named_and_keeps_the_gate_shut(tmp_path: Path) -> None:
    history(tmp_path, 0, age_s=700)
    engine = open_database(f"sqlite:///{tmp_path / 'fairlane.db'}")
    fresh = [o for o in pipeline_objectives("events") if o.name != "events-lag"]
    History(engine).save(evaluate(fresh, SliceStore(engine), time.time()))
    engine.dispose()
    with pytest.raises(Unreachable, match="events-lag was not evaluated lately"):
        run(tmp_path, "gate")
    assert run(tmp_path, "gate", "--slo", FRESH)[0] == 0


def test_an_unknown_objective_and_an_endless_exception_are_refused(tmp_path: Path) -> None:
    history(tmp_path, 0)
    with pytest.raises(NotFound, match="slo list"):
        run(tmp_path, "gate", "--slo", "nothing")
    with pytest.raises(UsageError, match="14 days"):
        run(tmp_path, "waive", "--by", "Ada", "--reason", "x", "--for", "30d")


def test_an_exception_and_its_entry_in_the_audit_log_are_both_there_or_neither(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("FAIRLANE_API_KEY", raising=False)
    engine = open_database(f"sqlite:///{tmp_path / 'fairlane.db'}")
    said = run(tmp_path, "waive", "--by", "Ada", "--reason", "the fix", "--for", "2h")[1]
    first = said.split(":")[0]
    (entry,) = [link.entry for link in AuditLog(engine).links()]
    assert (entry.action, entry.target, entry.details["id"], entry.details["said_by"]) == (
        "waiver.grant",
        "all",
        first,
        "Ada",
    )
    behead(engine)
    with pytest.raises(AuditBroken, match="lost its head"):
        run(tmp_path, "waive", "--by", "Ada", "--reason", "another", "--for", "2h")
    with pytest.raises(AuditBroken, match="lost its head"):
        run(tmp_path, "unwaive", first)
    kept = Waivers(engine).all()
    assert [(w.id, w.revoked_ms) for w in kept] == [(first, None)]
    assert len(list(AuditLog(engine).links())) == 1
    engine.dispose()


def test_what_cannot_be_granted_is_not_in_the_audit_log(tmp_path: Path) -> None:
    engine = open_database(f"sqlite:///{tmp_path / 'fairlane.db'}")
    with engine.begin() as conn:
        conn.execute(text("CREATE TRIGGER full BEFORE INSERT ON waivers BEGIN SELECT RAISE(ABORT, 'disk full'); END"))
    with pytest.raises(Unreachable, match="disk full"):
        run(tmp_path, "waive", "--by", "Ada", "--reason", "the fix", "--for", "2h")
    assert (Waivers(engine).all(), list(AuditLog(engine).links())) == ([], [])
    engine.dispose()
