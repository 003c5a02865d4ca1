"""`fairlane sla`, `fairlane slo report`, `fairlane publish`: what a person and a program read, exit codes, what is refused."""

import csv
import hashlib
import io
from pathlib import Path

import orjson
import pytest
import typer
from sqlalchemy import select, update
from typer.testing import CliRunner

from fairlane.auth.audit import AuditLog
from fairlane.cli import app, publish, sla, slo_report
from fairlane.cli.context import Globals
from fairlane.schema import SLA_MONTHS
from fairlane.sla.signing import TamperedMonth
from slo.adjust import Adjustments
from slo.errors import AuditBroken, Conflict, FairlaneError, NotFound, UsageError
from tests.support import sla_story as story
from tests.support.beheaded import behead


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A state directory with the story in it, on 3 November 2026."""
    clock = story.copy(tmp_path)
    for module in (sla, publish, slo_report):
        monkeypatch.setattr(module, "SystemClock", lambda: clock)
    monkeypatch.delenv("FAIRLANE_API_KEY", raising=False)
    return tmp_path


def run(home: Path, *arguments: str, zone: str = story.ZONE) -> str:
    wired = ["--state-dir", str(home), "--set", f"slo.zone={zone}", *arguments]
    result = CliRunner().invoke(app, wired, obj=Globals())
    if result.exception is not None and not isinstance(result.exception, SystemExit | typer.Exit):
        raise result.exception
    assert result.exit_code == 0, result.output
    return result.output


def refused(home: Path, *arguments: str) -> FairlaneError:
    with pytest.raises(FairlaneError) as caught:
        run(home, *arguments)
    return caught.value


def test_a_report_says_the_worst_first_and_both_numbers(home: Path) -> None:
    lines = run(home, "slo", "report", "--month", "2026-10").splitlines()
    assert lines[0] == "2026-10, days of Europe/Berlin"
    assert lines[1].split()[:2] == ["SLO", "OUTCOME"]
    (row,) = [line for line in lines if line.startswith(story.ALL)]
    assert row.split()[1:6] == ["kept", "99.9", "%", "99.96", "%"]
    assert "of 44.7 min" in row
    broken = run(home, "slo", "report", "--month", "2026-05").splitlines()
    assert broken[2].startswith(story.ALL)
    assert "broken" in broken[2]


def test_a_report_as_json_has_every_day(home: Path) -> None:
    told = orjson.loads(run(home, "slo", "report", "--month", "2026-10", "--slo", story.ALL, "--json"))
    assert (told["period"], told["zone"], told["end"] - told["begin"]) == ("2026-10", story.ZONE, 745 * 3600)
    (one,) = told["objectives"]
    assert (one["name"], one["outcome"], len(one["days"])) == (story.ALL, "kept", 31)
    assert sum(day["good"] for day in one["days"]) == one["good"]
    assert one["achieved"] > one["achieved_with_maintenance"]


@pytest.mark.parametrize(
    ("period", "says"),
    [("", "2026-11"), ("2026-Q4", "2026-Q4"), ("2026", "2026"), ("2026-10-21", "2026-10-21"), ("28d", "last 28 days")],
)
def test_a_report_takes_every_period(home: Path, period: str, says: str) -> None:
    assert run(home, "slo", "report", "--period", period).startswith(f"{says}, days of")


def test_a_report_as_csv(home: Path) -> None:
    rows = list(csv.DictReader(io.StringIO(run(home, "slo", "report", "--month", "2026-10", "--csv"))))
    assert [row["promise"] for row in rows] == [o.name for o in story.OBJECTIVES]
    assert {row["period"] for row in rows} == {"2026-10"}


@pytest.mark.parametrize(
    ("arguments", "error", "says"),
    [
        (["slo", "report", "--month", "2026-13"], UsageError, "no period that exists"),
        (["slo", "report", "--month", "2031-01"], NotFound, "2031-01 has not begun; the running month is 2026-11"),
        (["slo", "report", "--period", "999d"], UsageError, "1d to 400d"),
        (["slo", "report", "--slo", "nope"], NotFound, "there is no objective nope"),
        (["slo", "report", "--json", "--csv"], UsageError, "choose one"),
        (["sla", "show", "2031-01"], NotFound, "has not begun"),
        (["sla", "sign", "2026-11", "--by", "me"], Conflict, "is not over"),
        (["sla", "sign", "2026-02-30", "--by", "me"], UsageError, "no period that exists"),
        (["sla", "cancel", "nope", "--by", "me", "--reason", "x"], NotFound, "no maintenance 'nope'"),
        (["publish", "-o", "site"], NotFound, "there is no signed month to publish"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else None,
)
def test_what_cannot_be_done_says_why(home: Path, arguments: list[str], error: type[Exception], says: str) -> None:
    found = refused(home, *arguments)
    assert isinstance(found, error)
    assert says in str(found)


def test_a_month_is_shown_signed_and_verified(home: Path) -> None:
    assert run(home, "sla", "list").splitlines()[:2] == ["2026-11  running", "2026-10  draft"]
    assert "October 2026: every promise was kept." in run(home, "sla", "show")
    told = orjson.loads(run(home, "sla", "sign", "2026-10", "--by", "M. Varga", "--note", "reviewed", "--json"))
    assert (told["stage"], told["signed"]["by"], told["signed"]["note"]) == ("signed", "M. Varga", "reviewed")
    assert isinstance(refused(home, "sla", "sign", "2026-10", "--by", "x"), Conflict)
    assert orjson.loads(run(home, "sla", "verify", "--json"))[0]["sha256"] == told["signed"]["sha256"]
    engine = story.opened(home)
    (entry,) = [link.entry for link in AuditLog(engine).links() if link.entry.action == "sla.sign"]
    engine.dispose()
    assert (entry.target, entry.details["said_by"]) == ("2026-10", "M. Varga")


def test_a_month_that_was_changed_with_its_digest_is_found_by_the_audit_log(home: Path) -> None:
    run(home, "sla", "sign", "2026-10", "--by", "M. Varga")
    engine = story.opened(home)
    with engine.begin() as conn:
        body = conn.execute(select(SLA_MONTHS.c.body)).scalar_one().replace('"good":', '"good":1', 1)
        digest = hashlib.sha256(body.encode()).hexdigest()
        conn.execute(update(SLA_MONTHS).values(body=body, sha256=digest))
    engine.dispose()
    assert isinstance(refused(home, "sla", "verify"), TamperedMonth)


def test_verify_tells_what_each_signature_covers(home: Path) -> None:
    run(home, "sla", "sign", "2026-10", "--by", "M. Varga", "--note", "reviewed")
    assert (
        run(home, "sla", "verify")
        .strip()
        .endswith("sealed (version 2): document, signer, time and note; the audit log agrees")
    )
    (told,) = orjson.loads(run(home, "sla", "verify", "--json"))
    assert (told["version"], told["covered"], told["logged"]) == (2, ["document", "signer", "time", "note"], True)
    shown = orjson.loads(run(home, "sla", "show", "2026-10", "--json"))["signed"]
    assert shown["seal"] == told["seal"]
    engine = story.opened(home)
    with engine.begin() as conn:
        conn.execute(update(SLA_MONTHS).values(signed_by="Somebody Else"))
    engine.dispose()
    assert "its seal does not fit" in str(refused(home, "sla", "verify"))


def test_maintenance_and_its_entry_in_the_audit_log_are_both_there_or_neither(home: Path) -> None:
    window = ["--from", "2026-11-08T02:00", "--to", "2026-11-08T03:00", "--by", "boss", "--reason", "upgrade"]
    said = orjson.loads(run(home, "sla", "adjust", *window, "--json"))
    engine = story.opened(home)
    behead(engine)
    assert isinstance(refused(home, "sla", "cancel", said["id"], "--by", "boss", "--reason", "x"), AuditBroken)
    later = ["--from", "2026-11-09T02:00", "--to", "2026-11-09T03:00", "--by", "boss", "--reason", "again"]
    assert isinstance(refused(home, "sla", "adjust", *later), AuditBroken)
    assert [(a.reason, a.holds) for a in Adjustments(engine).all() if a.by == "boss"] == [("upgrade", True)]
    engine.dispose()


def test_a_month_as_json_and_csv(home: Path) -> None:
    assert orjson.loads(run(home, "sla", "show", "2026-10", "--json"))["document"]["month"] == "2026-10"
    assert len(list(csv.DictReader(io.StringIO(run(home, "sla", "show", "2026-10", "--csv"))))) == len(story.OBJECTIVES)


def test_maintenance_is_announced_listed_and_called_off(home: Path) -> None:
    window = ["--from", "2026-11-08T02:00", "--to", "2026-11-08T03:00"]
    said = orjson.loads(run(home, "sla", "adjust", *window, "--by", "boss", "--reason", "upgrade", "--json"))
    assert (said["end"] - said["begin"], said["by"], said["cancelled_ms"]) == (3600, "boss", None)
    assert "8 Nov 02:00–03:00 Europe/Berlin  all  upgrade, approved by boss" in run(home, "sla", "adjustments")
    assert isinstance(refused(home, "sla", "adjust", *window, "--by", "b", "--reason", "again"), Conflict)
    run(home, "sla", "cancel", said["id"], "--by", "boss", "--reason", "moved to Monday")
    assert "called off by boss: moved to Monday" in run(home, "sla", "adjustments")


def test_a_signed_month_takes_no_more_maintenance(home: Path) -> None:
    run(home, "sla", "sign", "2026-10", "--by", "M. Varga")
    error = refused(
        home, "sla", "adjust", "--from", "2026-10-30T02:00", "--to", "2026-10-30T02:10", "--by", "b", "--reason", "r"
    )
    assert isinstance(error, Conflict)
    assert "2026-10 is signed" in str(error)


def test_publishing_writes_signed_months_and_drafts_when_asked(home: Path) -> None:
    run(home, "sla", "sign", "2026-10", "--by", "M. Varga")
    out = home / "site"
    told = orjson.loads(run(home, "publish", "-o", str(out), "--json"))
    assert told["months"] == ["2026-10"]
    assert sorted(file["path"] for file in told["files"]) == sorted(p.name for p in out.iterdir())
    assert orjson.loads(run(home, "publish", "-o", str(out), "--json"))["sha256"] == told["sha256"]
    run(home, "publish", "-o", str(out), "--drafts")
    assert (out / "2025-11.html").is_file()
    run(home, "publish", "-o", str(out))
    assert not (out / "2025-11.html").exists()
