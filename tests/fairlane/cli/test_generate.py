"""`fairlane generate`: the same bytes each time, a check that writes nothing, a clear error where it may not write."""

import json
from pathlib import Path

import pytest
import typer
import typer.core

from alerts.config import AlertSettings
from fairlane.cli.context import Globals
from fairlane.cli.generate import ALERTMANAGER_FILE, RULES_FILE, artefacts, check_url, generate, write
from slo.errors import FairlaneError, UsageError

CONTENTS = artefacts(AlertSettings())
CONTEXT = typer.Context(typer.core.TyperCommand("generate"), obj=Globals())


def test_everything_is_written_once_and_then_unchanged(tmp_path: Path) -> None:
    assert {file.state for file in write(tmp_path, CONTENTS)} == {"written"}
    before = {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()}
    assert {file.state for file in write(tmp_path, artefacts(AlertSettings()))} == {"unchanged"}
    assert {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()} == before
    assert sorted(str(path.relative_to(tmp_path)) for path in before) == sorted(CONTENTS)


def test_the_artefacts_are_where_the_docs_say() -> None:
    assert set(CONTENTS) == {
        RULES_FILE,
        ALERTMANAGER_FILE,
        "grafana/fairlane-capacity.json",
        "grafana/fairlane-isolation.json",
        "grafana/fairlane-oncall.json",
        "grafana/fairlane-pipeline.json",
        "grafana/fairlane-sla.json",
    }


def test_check_writes_nothing_and_names_what_is_stale(tmp_path: Path) -> None:
    write(tmp_path, CONTENTS)
    (tmp_path / RULES_FILE).write_text("groups: []\n", encoding="utf-8")
    (tmp_path / ALERTMANAGER_FILE).unlink()
    with pytest.raises(FairlaneError, match=r"2 of 7 files .* fairlane generate -o"):
        generate(CONTEXT, tmp_path, check=True)
    assert (tmp_path / RULES_FILE).read_text(encoding="utf-8") == "groups: []\n"
    assert not (tmp_path / ALERTMANAGER_FILE).exists()


def test_json_tells_what_was_written(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    generate(CONTEXT, tmp_path, as_json=True)
    told = json.loads(capsys.readouterr().out.splitlines()[-1])
    assert told["alerts"] + told["recordings"] > 20
    assert [file["path"] for file in told["files"]] == list(CONTENTS)
    assert all(file["bytes"] == (tmp_path / file["path"]).stat().st_size for file in told["files"])


def test_lines_tell_what_was_written(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    generate(CONTEXT, tmp_path)
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == len(CONTENTS)
    assert all(line.startswith("written") for line in lines)


def test_a_directory_that_cannot_be_written_is_a_clear_error(tmp_path: Path) -> None:
    blocked = tmp_path / "file"
    blocked.write_text("", encoding="utf-8")
    with pytest.raises(UsageError, match=r"generate: cannot write .*file.*Choose a directory"):
        generate(CONTEXT, blocked / "build")


def test_foreign_files_are_left_alone(tmp_path: Path) -> None:
    mine = tmp_path / "prometheus" / "mine.yml"
    mine.parent.mkdir()
    mine.write_text("x", encoding="utf-8")
    write(tmp_path, CONTENTS)
    assert mine.read_text(encoding="utf-8") == "x"


@pytest.mark.parametrize(
    ("name", "url"),
    [
        ("--webhook", "example.org/hook"),
        ("--webhook", "ftp://example.org"),
        ("--webhook", "http://"),
        ("--webhook", "https://example.org:notaport/"),
        ("--heartbeat", "https://example.org/a b"),
        ("--grafana", "https://example.org/\nroute: x"),
        ("--grafana", "javascript:alert(1)"),
        ("--runbooks", "https://example.org/{name}"),
        ("--webhook", "https://example.org/{alert}"),
    ],
)
def test_an_address_that_nobody_could_open_is_refused_by_name(name: str, url: str) -> None:
    with pytest.raises(UsageError, match=f"generate: {name}"):
        check_url(name, url)


@pytest.mark.parametrize(
    "url", ["", "https://example.org", "http://127.0.0.1:9093/x?y=z#a", "http://[::1]:80/", AlertSettings().grafana]
)
def test_an_address_that_can_be_opened_is_taken(url: str) -> None:
    check_url("--webhook", url)
    check_url("--runbooks", AlertSettings().runbooks)


def test_nothing_is_written_with_a_bad_address(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="--webhook"):
        generate(CONTEXT, tmp_path / "build", webhook="nonsense")
    assert not (tmp_path / "build").exists()


def test_the_windows_that_objectives_bring_are_written(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "slo.yaml"
    file.write_text(CUSTOM, encoding="utf-8")
    own = typer.Context(typer.core.TyperCommand("generate"), obj=Globals(overrides={"slo.files": [str(file)]}))
    generate(own, tmp_path / "build", as_json=True)
    told = json.loads(capsys.readouterr().out)
    generate(CONTEXT, tmp_path / "plain", as_json=True)
    assert told["recordings"] == json.loads(capsys.readouterr().out)["recordings"] + 2, (
        "two rules for the new window of two minutes"
    )
    assert "window: 2m" in (tmp_path / "build" / RULES_FILE).read_text(encoding="utf-8")


CUSTOM = """
apiVersion: openslo/v1
kind: SLO
metadata: {name: quick}
spec:
  service: shop
  indicator:
    metadata: {name: i}
    spec:
      ratioMetric:
        counter: true
        good: {metricSource: {type: push, spec: {of: orders}}}
        total: {metricSource: {type: push, spec: {of: orders}}}
  timeWindow: [{duration: 30d, isRolling: true}]
  budgetingMethod: Occurrences
  objectives: [{target: 0.9}]
  alertPolicies:
    - kind: AlertPolicy
      metadata: {name: p}
      spec:
        alertWhenBreaching: true
        conditions:
          - kind: AlertCondition
            metadata: {name: c}
            spec: {severity: page, condition: {kind: burnrate, op: gt, threshold: 2, lookbackWindow: 30m}}
        notificationTargets: [{targetRef: oncall}]
---
apiVersion: openslo/v1
kind: AlertNotificationTarget
metadata: {name: oncall}
spec: {target: pager}
"""
