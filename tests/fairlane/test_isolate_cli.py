"""The isolator's commands at the command line, against a controller on the real broker."""

import threading
import time
from collections.abc import Iterator

import orjson
import pytest
from prometheus_client import CollectorRegistry
from typer.testing import CliRunner

from fairlane.cli import isolate
from fairlane.cli.context import Globals
from fairlane.stack.kafka import LocalKafka
from ingestion.config import PipelineConfig
from ingestion.contracts.routes import Mode
from ingestion.lanes.topics import ensure_topics
from isolator import commands
from isolator.constants import Policy
from isolator.controller import Controller
from isolator.projection import NoProjection
from slo.clock import SystemClock
from slo.errors import Conflict, NoController, UsageError


@pytest.mark.parametrize(("text", "seconds"), [("", None), ("90s", 90), ("30m", 1800), ("1.5h", 5400), ("2d", 172_800)])
def test_a_time_limit_is_a_number_with_its_unit(text: str, seconds: float | None) -> None:
    assert isolate.duration_s(text) == seconds


@pytest.mark.parametrize("text", ["5", "soon", "-3m", "0s", "m", "5 weeks"])
def test_another_time_limit_is_refused(text: str) -> None:
    with pytest.raises(UsageError, match="90s, 30m"):
        isolate.duration_s(text)


class Line:
    """The command line of one pipeline."""

    def __init__(self, kafka: LocalKafka, name: str) -> None:
        self.overrides = {"kafka.bootstrap": kafka.bootstrap, "pipeline.name": name}

    def __call__(self, *words: str) -> str:
        result = CliRunner().invoke(isolate.app, list(words), obj=Globals(None, dict(self.overrides)))
        if result.exception is not None and not isinstance(result.exception, SystemExit):
            raise result.exception
        assert result.exit_code == 0, result.output
        return result.output


@pytest.fixture
def line(kafka: LocalKafka, pipeline_config: PipelineConfig) -> Line:
    ensure_topics(kafka.admin(), pipeline_config, local=True)
    return Line(kafka, pipeline_config.name)


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
    assert "import" in line("explain", "t1")
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
