"""`fairlane generate`: the same bytes each time, a check that writes nothing, a clear error where it may not write."""

import json
from pathlib import Path

import pytest

from alerts.config import AlertSettings
from fairlane.cli.generate import ALERTMANAGER_FILE, RULES_FILE, artefacts, generate, write
from slo.errors import FairlaneError, UsageError

CONTENTS = artefacts(AlertSettings())


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
        "grafana/fairlane-isolation.json",
        "grafana/fairlane-pipeline.json",
    }


def test_check_writes_nothing_and_names_what_is_stale(tmp_path: Path) -> None:
    write(tmp_path, CONTENTS)
    (tmp_path / RULES_FILE).write_text("groups: []\n", encoding="utf-8")
    (tmp_path / ALERTMANAGER_FILE).unlink()
    with pytest.raises(FairlaneError, match=r"2 of 4 files .* fairlane generate -o"):
        generate(tmp_path, check=True)
    assert (tmp_path / RULES_FILE).read_text(encoding="utf-8") == "groups: []\n"
    assert not (tmp_path / ALERTMANAGER_FILE).exists()


def test_json_tells_what_was_written(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    generate(tmp_path, as_json=True)
    told = json.loads(capsys.readouterr().out.splitlines()[-1])
    assert told["alerts"] + told["recordings"] > 20
    assert [file["path"] for file in told["files"]] == list(CONTENTS)
    assert all(file["bytes"] == (tmp_path / file["path"]).stat().st_size for file in told["files"])


def test_lines_tell_what_was_written(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    generate(tmp_path)
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == len(CONTENTS)
    assert all(line.startswith("written") for line in lines)


def test_a_directory_that_cannot_be_written_is_a_clear_error(tmp_path: Path) -> None:
    blocked = tmp_path / "file"
    blocked.write_text("", encoding="utf-8")
    with pytest.raises(UsageError, match=r"generate: cannot write .*file.*Choose a directory"):
        generate(blocked / "build")


def test_foreign_files_are_left_alone(tmp_path: Path) -> None:
    mine = tmp_path / "prometheus" / "mine.yml"
    mine.parent.mkdir()
    mine.write_text("x", encoding="utf-8")
    write(tmp_path, CONTENTS)
    assert mine.read_text(encoding="utf-8") == "x"
