"""The isolator's commands at the command line, against a controller on the real broker."""

import threading
import time
from collections.abc import Iterator
from pathlib import Path

import orjson
import pytest
from prometheus_client import CollectorRegistry
from typer.testing import CliRunner

from fairlane.auth.audit import AuditLog
from fairlane.cli import isolate
from fairlane.cli.context import Globals
from fairlane.database import open_database
from fairlane.durations import duration_s
from fairlane.stack.kafka import LocalKafka
from ingestion.config import PipelineConfig
from ingestion.contracts.routes import Mode
from ingestion.lanes.topics import ensure_topics
from isolator import commands
from isolator.constants import Policy
from isolator.controller import Controller
from isolator.projection import NoProjection
from slo.clock import SystemClock
from slo.errors import Conflict, NoController, NotFound, UsageError


@pytest.mark.parametrize(("text", "seconds"), [("", None), ("90s", 90), ("30m", 1800), ("1.5h", 5400), ("2d", 172_800)])
def test_a_time_limit_is_a_number_with_its_unit(text: str, seconds: float | None) -> None:
    assert duration_s(text) == seconds


@pytest.mark.parametrize("text", ["5", "soon", "-3m", "0s", "m", "5 weeks"])
def test_another_time_limit_is_refused(text: str) -> None:
    with pytest.raises(UsageError, match="90s, 30m"):
        duration_s(text)


@pytest.mark.parametrize("text", ["36501d", "9" * 400 + "d"], ids=["a day more", "infinity"])
def test_a_time_beyond_a_century_is_refused(text: str) -> None:
    with pytest.raises(UsageError, match=r"a century \(36500d\) is the most"):
        duration_s(text)


class Line:
    """The command line of one pipeline."""

    def __init__(self, kafka: LocalKafka, name: str, state_dir: Path) -> None:
        self.overrides = {"kafka.bootstrap": kafka.bootstrap, "pipeline.name": name, "state_dir": str(state_dir)}

    def __call__(self, *words: str) -> str:
        result = CliRunner().invoke(isolate.app, list(words), obj=Globals(None, dict(self.overrides)))
        if result.exception is not None and not isinstance(result.exception, SystemExit):
            raise result.exception
        assert result.exit_code == 0, result.output
        return result.output


@pytest.fixture
def line(kafka: LocalKafka, pipeline_config: PipelineConfig, state_dir: Path) -> Line:
    ensure_topics(kafka.admin(), pipeline_config, local=True)
    return Line(kafka, pipeline_config.name, state_dir)


@pytest.fixture
def controller(kafka: LocalKafka, line: Line) -> Iterator[Controller]:
    stop = threading.Event()
    one = Controller(
        [line.overrides["pipeline.name"]],
        kafka.config().client(),
        Policy(tick_s=0.5),
        SystemClock(),
        CollectorRegistry(),
        NoProjection(),
        Mode.OBSERVE,
    )
    thread = threading.Thread(target=one.run, args=(stop,), daemon=True)
    thread.start()
    until = time.monotonic() + 20
    while not one.ready():
        assert time.monotonic() < until
        time.sleep(0.05)
    yield one
    stop.set()
    thread.join(15)
    assert not thread.is_alive()


@pytest.mark.kafka
def test_a_token_is_moved_explained_protected_and_brought_back(line: Line, controller: Controller) -> None:
    assert "wanted in overflow" in line("move", "t1", "--reason", "import", "--by", "ann", "--for", "10m")
    told = orjson.loads(line("explain", "t1", "--json"))
    assert (told["lane"], told["by"]) == ("overflow", "ann")
    assert 0 <= 600_000 - (told["expires_ms"] - told["since_ms"]) < 10_000, "it counts from when it was asked"
    said = line("explain", "t1")
    assert "t1 is wanted in overflow since 20" in said
    assert " UTC (" in said
    assert "(manual, by ann); ends in " in said
    assert "t1 moved general -> overflow. By ann: import." in said
    with pytest.raises(NotFound, match=r"nothing is known of the token t1x: .* Did you mean t1\?"):
        line("explain", "t1x")
    status = orjson.loads(line("status", "--json"))
    assert status["moved"] == ["t1"]
    assert "t1 -> overflow" in line("status")
    assert orjson.loads(line("mode", "off", "--json"))["ok"] is True
    assert line("restore", "--all")
    assert "protected" in line("protect", "t2")
    with pytest.raises(Conflict, match="protected"):
        line("move", "t2")
    assert line("protect", "t2", "--clear")
    assert "exempt" in line("exempt", "t3", "--for", "1h")
    with pytest.raises(Conflict, match="no proposal"):
        line("approve", "t4")
    with pytest.raises(Conflict, match="no proposal"):
        line("decline", "t4")
    assert "worker v42" in line("change", "worker", "v42", "--note", "new geoip table", "--ago", "5m", "--by", "ci")
    assert orjson.loads(line("change", "worker", "v43", "--json"))["ok"] is True
    with pytest.raises(UsageError, match="--ago soon"):
        line("change", "worker", "--ago", "soon")
    engine = open_database(f"sqlite:///{line.overrides['state_dir']}/fairlane.db")
    log = [one.entry for one in AuditLog(engine).links()]
    engine.dispose()
    done = [(one.action, one.target, one.outcome) for one in log]
    assert done[:3] == [("move", "t1", "ok"), ("mode", "off", "ok"), ("restore_all", "", "ok")]
    assert ("move", "t2", "refused") in done
    assert done[-2:] == [("change", "worker", "ok"), ("change", "worker", "ok")]
    assert {one.via for one in log} == {"os"}
    assert log[0].details["said_by"] == "ann"


@pytest.mark.kafka
def test_without_a_controller_the_commands_exit_with_4(line: Line, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(NoController) as never:
        line("status")
    assert never.value.exit_code == 4
    monkeypatch.setattr(commands, "WAIT_S", 1.0)
    with pytest.raises(NoController):
        line("mode", "off")


def test_restore_wants_one_token_or_all() -> None:
    for words in (["restore"], ["restore", "t", "--all"]):
        result = CliRunner().invoke(isolate.app, words, obj=Globals(None, {}))
        assert isinstance(result.exception, UsageError)


def test_general_is_no_lane_to_move_to() -> None:
    told = CliRunner().invoke(isolate.app, ["move", "--help"]).output
    assert "quarantine" in told
    assert "general|" not in told
    assert CliRunner().invoke(isolate.app, ["move", "t", "--to", "general"], obj=Globals(None, {})).exit_code == 2
