"""The installer never fails a run, and never starts a service."""

import importlib.util
from pathlib import Path
from types import ModuleType

import pytest


@pytest.fixture
def tools(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    spec = importlib.util.spec_from_file_location("install_tools", Path(__file__).parents[1] / "install_tools.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    monkeypatch.setenv("PATH", str(tmp_path))  # nothing is installed, and no apt-get can be run
    return module


def test_without_apt_it_says_so_and_goes_on(tools: ModuleType, capsys: pytest.CaptureFixture[str]) -> None:
    assert tools.main() == 0
    assert "prometheus, prometheus-alertmanager, chromium missing" in capsys.readouterr().err


def test_services_are_kept_down_for_the_time_of_the_installation_only(
    tools: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tools, "POLICY", tmp_path / "policy-rc.d")
    seen: list[tuple[str, bool]] = []

    def run(command: list[str], _limit_s: int) -> bool:
        seen.append((command[-1], (tmp_path / "policy-rc.d").exists()))
        if command[0] == "install":
            Path(command[-1]).write_text(Path(command[-2]).read_text())
        if command[0] == "rm":
            Path(command[-1]).unlink()
        return True

    monkeypatch.setattr(tools, "run", run)
    tools.install(["prometheus"], [])
    assert ("prometheus", True) in seen
    assert not (tmp_path / "policy-rc.d").exists()


def test_a_failing_command_is_told(tools: ModuleType, capsys: pytest.CaptureFixture[str]) -> None:
    assert not tools.run(["/bin/false"], 5)
    assert not tools.run(["/nowhere"], 5)
    assert "ended with 1" in capsys.readouterr().err
