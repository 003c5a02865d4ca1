"""`fairlane slo`: what a person and a program read."""

import re
import time
from dataclasses import replace
from pathlib import Path

import orjson
import pytest
import typer
from typer.testing import CliRunner

from fairlane.cli.context import Globals
from fairlane.cli.slo import app, row, sentence
from fairlane.database import open_database
from slo.burn import Severity, State
from slo.evaluate import evaluate
from slo.evaluation import Evaluation
from slo.history import History
from slo.presets import pipeline_objectives
from slo.slices import Slice
from slo.store import Booking, SliceStore


def run(directory: Path, *arguments: str) -> str:
    result = CliRunner().invoke(app, list(arguments), obj=Globals(None, {"state_dir": str(directory)}))
    if result.exception is not None and not isinstance(result.exception, SystemExit | typer.Exit):
        raise result.exception
    assert result.exit_code == 0, result.output
    return result.output


@pytest.fixture
def found(tmp_path: Path) -> list[Evaluation]:
    """A pipeline whose freshness burns while its lag is ok."""
    engine = open_database(f"sqlite:///{tmp_path / 'fairlane.db'}")
    store, now = SliceStore(engine), time.time()
    first = int(now) // 60 * 60
    ago = [first - 60 * n for n in range(90)]
    store.book([Booking("events-freshness-protected", at, Slice(970, 1000, 1000, 60), at) for at in ago])
    store.book([Booking("events-lag", at, Slice(60, 60, 60, 60), at) for at in ago])
    History(engine).save(evaluate(pipeline_objectives("events"), store, now))
    kept = list(History(engine).newest().values())
    engine.dispose()
    return kept


def test_status_says_the_worst_first(found: list[Evaluation], tmp_path: Path) -> None:
    lines = run(tmp_path, "status").splitlines()
    assert lines[0].startswith("Burning: events-freshness-protected (page), exhausts in")
    assert lines[2].startswith("events-freshness-protected")
    assert "▲ firing page" in lines[2]
    assert "300x" in lines[2]
    assert next(line for line in lines if line.startswith("events-lag")).split()[1:3] == ["●", "ok"]
    assert "no data" in next(line for line in lines if line.startswith("events-oldest-age"))


def test_status_as_json(found: list[Evaluation], tmp_path: Path) -> None:
    answer = orjson.loads(run(tmp_path, "status", "--json").splitlines()[-1])
    assert (answer["pipeline"], answer["stale"], len(answer["objectives"])) == (
        "events",
        False,
        len(pipeline_objectives("events")),
    )
    assert answer["objectives"][0]["state"] == "firing"
    assert answer["objectives"][0]["pairs"][0]["threshold"] > 0


def test_list_needs_no_database(tmp_path: Path) -> None:
    assert "99.99 %" in run(tmp_path, "list")
    answer = orjson.loads(run(tmp_path, "list", "--json"))
    assert {o["target"] for o in answer["objectives"]} == {"0.9999", "0.999", "0.99", "0.95"}
    assert list(tmp_path.iterdir()) == []


def test_nothing_evaluated_yet_says_what_to_do_and_is_no_failure(tmp_path: Path) -> None:
    # exit 1 is "failed": the question was answered, there is only nothing to tell yet
    assert re.match(r"No data: there is no history at .* yet\. Start `fairlane up`", run(tmp_path, "status"))
    assert list(tmp_path.iterdir()) == []
    open_database(f"sqlite:///{tmp_path / 'fairlane.db'}").dispose()
    assert "no objective of pipeline 'events' has been evaluated yet" in run(tmp_path, "status")
    told = orjson.loads(run(tmp_path, "status", "--json"))
    assert (told["objectives"], told["stale"], told["age_s"]) == ([], True, None)
    assert "evaluated yet" in told["note"]


def test_sentences(found: list[Evaluation]) -> None:
    worst = found[0]
    ok = replace(worst, state=State.OK, severity=Severity.NONE)
    frozen = replace(ok, state=State.FROZEN)
    assert sentence([ok], 5) == "All 1 objectives are ok."
    assert sentence([ok, frozen], 5).startswith("Frozen: 1 objective has")
    assert "it was burning when the telemetry ended" in sentence([replace(worst, state=State.FROZEN)], 5)
    assert sentence([worst], 600).startswith("Blind: last evaluated 10 min ago")
    assert row(replace(worst, exhaustion_s=0.0))[2] == "spent"
    assert "its budget is spent" in sentence([replace(worst, exhaustion_s=0.0)], 5)
