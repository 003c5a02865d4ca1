"""`fairlane simulate` as a user meets it."""

import subprocess
import sys
from pathlib import Path

import orjson
import pytest
from typer.testing import CliRunner

from fairlane.cli import app
from slo.errors import UsageError

KEYS = [
    "decide_s_p50",
    "decide_s_p95",
    "protect_s_p95",
    "innocents_over_slo_ratio",
    "excess_moves_mean",
    "decoy_runs_with_false_move_ratio",
    "moves_per_token_hour_max",
    "restore_s_p95",
]
SMALL = ("--background", "500:300", "--seeds", "1", "--jobs", "1", "--hours", "0.06")


def fairlane(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "fairlane", "simulate", *arguments],
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


def test_the_last_line_is_one_object_with_summary_and_scenarios(tmp_path):
    plot = tmp_path / "run.svg"
    done = fairlane("--scenario", "one_flood", "--scenario", "stall", *SMALL, "--json", "--plot", str(plot))
    assert done.returncode == 0, done.stderr
    body = orjson.loads(done.stdout.splitlines()[-1])
    assert list(body["summary"]) == KEYS
    assert list(body["scenarios"]) == ["one_flood", "stall"]
    assert all(set(KEYS) <= set(one) for one in body["scenarios"].values())
    assert body["scenarios"]["one_flood"]["decide_s_p50"] == body["summary"]["decide_s_p50"]
    assert body["scenarios"]["stall"]["decide_s_p50"] is None
    assert body["summary"]["decoy_runs_with_false_move_ratio"] == 0
    assert body["rss_mb"] > 10
    assert "2/2" in done.stderr
    assert plot.read_text().startswith("<svg")


def test_a_trace_is_played_faster(tmp_path):
    trace = tmp_path / "t.csv"
    rows = [f"{t},60,{name},{n},0,{n}" for t in range(0, 3600, 60) for name, n in (("a", 600), ("b", 60))]
    trace.write_text("t,dur,token,records,bytes,work_ms\n" + "\n".join(rows) + "\n")
    done = fairlane("--trace", str(trace), "--speedup", "10", *SMALL, "--json")
    assert done.returncode == 0, done.stderr
    body = orjson.loads(done.stdout.splitlines()[-1])
    assert body["trace"]["tokens"] == 2
    assert body["trace"]["length_s"] == pytest.approx(360.0)
    assert body["trace"]["load"] == pytest.approx(0.3)
    assert body["scenarios"]["t.csv"]["measures"]["moved"]["mean"] == 0


def test_a_small_pipeline_needs_no_other_option():
    result = CliRunner().invoke(
        app, ["simulate", "--scenario", "stall", "--partitions", "2", *SMALL, "--hours", "0.01"]
    )
    assert result.exit_code == 0, result.output


def test_without_json_a_person_reads_a_table():
    result = CliRunner().invoke(app, ["simulate", "--scenario", "stall", *SMALL, "--hours", "0.01"])
    assert result.exit_code == 0, result.output
    assert "stall" in result.stdout
    assert "decoy_runs_with_false_move_ratio" in result.stdout


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("--scenario", "one_flod"), "did you mean one_flood"),
        (("--background", "many"), "TOKENS:RATE"),
        (("--background", "10:-1"), "TOKENS:RATE"),
        (("--policy", "guard_ratio"), "KEY=VALUE"),
        (("--policy", "guard_ratio=1"), "policy.guard_ratio"),
        (("--contender", "nobody"), "there is no contender"),
        (("--partitions", "2", "--slots", "4"), "4 slots cannot share 2 partitions"),
        (("--partitions", "0"), "partitions must be greater than 0"),
        (("--trace", "no.csv"), "cannot be read"),
        (("--scenario", "stall", "--trace", "no.csv"), "exclude each other"),
        (("--scenario", "stall", "--speedup", "3"), "--speedup is for --trace"),
        (("--scenario", "stall", "--plot", "/nowhere/at/all.svg"), "there is no directory"),
    ],
    ids=lambda value: value[1] if isinstance(value, tuple) else "",
)
def test_a_mistake_is_one_message_and_exit_code_2(arguments: tuple[str, ...], said: str, tmp_path: Path):
    result = CliRunner().invoke(app, ["simulate", *arguments])
    assert isinstance(result.exception, UsageError)
    assert said in str(result.exception)
    assert result.exception.exit_code == 2


HEAD = "t,dur,token,records,bytes,work_ms\n"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("t,dur,token,bytes\n0,1,a,5\n", "line 1: columns records, work_ms missing"),
        (HEAD + "0,1,a,5,0,5\n1,1,b,-5,0,5\n", "line 3, column records: -5 is negative"),
        (HEAD + "9,1,a,5,0,5\n3,1,b,5,0,5\n", "line 3, column t: 3 is before 9"),
    ],
    ids=["missing columns", "negative numbers", "unsorted time"],
)
def test_a_bad_trace_is_one_line_with_its_place_and_exit_code_2(text: str, said: str, tmp_path: Path):
    trace = tmp_path / "bad.csv"
    trace.write_text(text)
    done = fairlane("--trace", str(trace), *SMALL, "--json")
    assert done.returncode == 2
    assert said in done.stderr
    assert "Traceback" not in done.stderr
    assert not done.stdout
