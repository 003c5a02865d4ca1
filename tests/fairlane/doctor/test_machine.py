"""What the doctor sees on this machine."""

from pathlib import Path

import pytest

from fairlane.doctor import machine
from fairlane.settings import Settings, load
from fairlane.stack.ports import free_ports
from ingestion.lanes.topic_laws import Level


def settings(state_dir: Path, **overrides: str) -> Settings:
    return load(
        None, {"state_dir": str(state_dir)} | {key.replace("__", "."): value for key, value in overrides.items()}
    )


@pytest.fixture(autouse=True)
def elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(str(tmp_path))


def test_the_state_directory(state_dir: Path, tmp_path: Path) -> None:
    assert machine.state_directory(settings(state_dir))[0].level is Level.OK
    (tmp_path / "file").touch()
    (finding,) = machine.state_directory(settings(tmp_path / "file" / "below"))
    assert finding.level is Level.FAIL
    assert "FAIRLANE_STATE_DIR" in finding.fix


@pytest.mark.parametrize(
    ("spec", "level", "says"),
    [
        ("mine:handle", Level.OK, ""),
        ("mine:Handlers.inner", Level.OK, ""),
        ("mine:absent", Level.FAIL, "has no absent"),
        ("mine:number", Level.FAIL, "neither a function"),
        ("absent:handle", Level.FAIL, "No module named 'absent'"),
        ("broken:handle", Level.FAIL, "ZeroDivisionError"),
    ],
)
def test_the_handler(state_dir: Path, tmp_path: Path, spec: str, level: Level, says: str) -> None:
    (tmp_path / "mine.py").write_text(
        "number = 1\ndef handle(record): ...\nclass Handlers:\n    def inner(self): ...\n"
    )
    (tmp_path / "broken.py").write_text("1 / 0\n")
    (finding,) = machine.handler(settings(state_dir, pipeline__handler=spec))
    assert finding.level is level
    assert says in finding.what


@pytest.mark.parametrize(
    ("url", "level", "says"),
    [
        ("", Level.OK, "can be written"),
        ("sqlite://", Level.WARN, "memory"),
        ("nonsense", Level.FAIL, "no database URL"),
        (f"postgresql://u:hunter2@127.0.0.1:{free_ports(1)[0]}/d", Level.FAIL, "does not answer"),
    ],
    ids=["default", "memory", "nonsense", "away"],
)
def test_the_database(state_dir: Path, url: str, level: Level, says: str) -> None:
    finding = machine.database(settings(state_dir, database__url=url))[0]
    assert finding.level is level
    assert says in finding.what
    assert "hunter2" not in str(finding)


def test_a_local_kafka_can_be_started_here() -> None:
    assert Level.FAIL not in {finding.level for finding in machine.local_kafka()}
