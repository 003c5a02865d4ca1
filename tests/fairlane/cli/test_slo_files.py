"""`fairlane slo validate`: exit codes, sentences and JSON."""

from pathlib import Path

import orjson
import pytest
from typer.testing import CliRunner

from fairlane.cli.context import Globals
from fairlane.cli.slo import app
from fairlane.database import open_database
from slo.errors import ConfigError
from tests.slo.openslo.test_read import ALERTS, RATIO, THRESHOLD, changed


def run(*arguments: object) -> tuple[int, str]:
    result = CliRunner().invoke(app, ["validate", *map(str, arguments)], obj=Globals(None, {}))
    if isinstance(result.exception, ConfigError):
        raise result.exception
    return result.exit_code, result.output


def write(folder: Path, **texts: str) -> Path:
    for name, text in texts.items():
        (folder / f"{name}.yaml").write_text(text, encoding="utf-8")
    return folder


def test_valid_documents_of_a_folder_are_told_as_objectives(tmp_path: Path) -> None:
    code, said = run(write(tmp_path, a=RATIO, b=THRESHOLD, c=ALERTS), "--json")
    told = orjson.loads(said)
    assert (code, told["valid"], told["usable"]) == (0, True, True)
    assert [o["name"] for o in told["objectives"]] == ["checkout", "latency"]
    assert told["objectives"][0]["target"] == "0.995"


def test_what_is_not_valid_is_told_with_its_place_and_exits_with_2(tmp_path: Path) -> None:
    folder = write(tmp_path, a=changed(RATIO, "kind: SLO", "kind: Slo"), b=changed(THRESHOLD, "op: lte", "op: less"))
    code, said = run(folder)
    assert code == 2
    assert "a.yaml:3: document: kind: there is no kind 'Slo'; did you mean SLO?" in said
    assert "spec.objectives.0.op" in said
    assert said.strip().splitlines()[-1].startswith("Not valid: 2 problems")


def test_a_valid_document_that_cannot_be_measured_here_is_valid(tmp_path: Path) -> None:
    code, said = run(write(tmp_path, a=RATIO.replace("Prometheus", "Datadog")))
    assert code == 0
    assert "left out: " in said
    assert "Datadog" in said


def test_an_alert_that_could_never_fire_is_refused_with_1(tmp_path: Path) -> None:
    text = changed(RATIO, "  objectives:", "  alertPolicies: [{alertPolicyRef: fast}]\n  objectives:")
    code, said = run(write(tmp_path, a=changed(text, "0.995", "0.9"), b=ALERTS))
    assert code == 1
    assert "can never be exceeded" in said


@pytest.mark.parametrize(("name", "says"), [("missing.yaml", "cannot be read"), ("empty", "no .yaml")])
def test_a_path_without_documents_is_refused(tmp_path: Path, name: str, says: str) -> None:
    (tmp_path / "empty").mkdir()
    with pytest.raises(ConfigError, match=says):
        run(tmp_path / name)


SECRET = "https://ann:hunter2@prometheus/x?token=hunter2"


@pytest.mark.parametrize(
    "command", [["list"], ["list", "--json"], ["status", "--json"], ["show", "latency"], ["show", "latency", "--json"]]
)
def test_no_command_prints_the_password_of_a_source(tmp_path: Path, command: list[str]) -> None:
    write(tmp_path, a=changed(THRESHOLD, "http://prometheus:9090", SECRET))
    settings = {"state_dir": str(tmp_path / "state"), "slo": {"files": [str(tmp_path / "a.yaml")]}}
    open_database(f"sqlite:///{tmp_path / 'fairlane.db'}").dispose()
    settings["database"] = {"url": f"sqlite:///{tmp_path / 'fairlane.db'}"}
    result = CliRunner().invoke(app, command, obj=Globals(None, settings))
    assert result.exit_code == 0, result.output
    assert "hunter2" not in result.output
    if command == ["list", "--json"]:
        (one,) = (o for o in orjson.loads(result.output)["objectives"] if o["name"] == "latency")
        assert one["source"]["url"] == "https://prometheus/x?token=********"
