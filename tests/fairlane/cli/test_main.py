"""The command line as a person meets it: messages, exit codes, nothing left behind."""

import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from urllib.request import Request, urlopen

import psutil
import pytest
import typer.main

from fairlane.cli import app
from fairlane.cli.lazy import COMMANDS
from fairlane.stack import running
from fairlane.stack.kafka import LocalKafka
from fairlane.stack.ports import free_ports
from tests.support.waiting import until


def fairlane(*args: str, cwd: Path, limit_s: float = 60, **env: str) -> subprocess.CompletedProcess[str]:
    clean = {
        key: value for key, value in os.environ.items() if not key.startswith("FAIRLANE_") or key == "FAIRLANE_CACHE"
    }
    return subprocess.run(
        [sys.executable, "-m", "fairlane", *args],
        capture_output=True,
        text=True,
        cwd=cwd,
        timeout=limit_s,
        check=False,
        env=clean | env,
    )


def test_every_command_can_be_loaded() -> None:
    group = typer.main.get_command(app)
    context = typer.Context(group)
    for name in COMMANDS:
        found = group.get_command(context, name)  # type: ignore[attr-defined] # the application is a group
        assert found is not None
        assert found.get_short_help_str()


REFUSED = {
    "an unknown command": (("shwo",), 2, "No such command"),
    "a mistyped setting": (("--set", "pipeline.nam=x", "config", "show"), 2, "did you mean pipeline.name?"),
    "a setting without a value": (("--set", "pipeline.name", "config", "show"), 2, "SECTION.NAME=VALUE"),
    "a missing file": (
        ("--config", "missing.toml", "config", "show"),
        2,
        "cannot read the configuration file missing.toml",
    ),
    "no Kafka to serve on": (("--state-dir", "state", "serve", "probe"), 4, "start `fairlane up` first"),
    "an unwritable state directory": (("--state-dir", "file/below", "up"), 1, "cannot write to the state directory"),
}


@pytest.mark.parametrize(("args", "code", "says"), REFUSED.values(), ids=REFUSED.keys())
def test_one_message_and_the_exit_code(tmp_path: Path, args: tuple[str, ...], code: int, says: str) -> None:
    (tmp_path / "file").touch()
    done = fairlane(*args, cwd=tmp_path)
    assert done.returncode == code
    assert says in done.stderr
    assert "Traceback" not in done.stderr
    assert done.stdout == ""


def test_config_show_is_a_configuration(tmp_path: Path) -> None:
    done = fairlane(
        "config", "show", cwd=tmp_path, FAIRLANE_PIPELINE__NAME="mine", FAIRLANE_KAFKA__SASL_PASSWORD="hunter2"
    )
    assert 'name = "mine"' in done.stdout
    assert "hunter2" not in done.stdout
    (tmp_path / "again.toml").write_text(done.stdout)
    assert fairlane("-c", "again.toml", "config", "show", cwd=tmp_path).stdout == done.stdout
    assert json.loads(fairlane("config", "keys", "--json", cwd=tmp_path).stdout)[0]["path"] == "state_dir"


@pytest.mark.kafka
def test_serve_refuses_topics_with_every_reason(tmp_path: Path, kafka: LocalKafka, pipeline_name: str) -> None:
    where = (
        "--set",
        f"kafka.bootstrap={kafka.bootstrap}",
        "--set",
        f"pipeline.name={pipeline_name}",
        "--state-dir",
        str(tmp_path),
    )
    done = fairlane(
        *where,
        "--set",
        "pipeline.replication=1",
        "--set",
        "pipeline.retention_hours=24",
        "serve",
        "worker",
        cwd=tmp_path,
    )
    assert done.returncode == 1
    assert "pipeline.replication: is 1" in done.stderr
    assert "pipeline.retention_hours: is 24" in done.stderr


@pytest.mark.kafka
def test_doctor_tells_what_to_change(tmp_path: Path, kafka: LocalKafka, pipeline_name: str) -> None:
    where = (
        "--set",
        f"kafka.bootstrap={kafka.bootstrap}",
        "--set",
        f"pipeline.name={pipeline_name}",
        "--state-dir",
        str(tmp_path),
    )
    done = fairlane(*where, "doctor", "--json", cwd=tmp_path)
    assert done.returncode == 1, "one broker is not fit for production"
    told = json.loads(done.stdout)
    assert not told["fit"]
    assert {finding["where"]: finding["level"] for finding in told["findings"]}.items() >= {
        "brokers": "fail",
        "transactions": "ok",
        "clocks": "ok",
    }.items()
    assert all(finding["fix"] for finding in told["findings"] if finding["level"] != "ok")


def test_doctor_without_an_answer_is_4(tmp_path: Path) -> None:
    done = fairlane(
        "--set", f"kafka.bootstrap=127.0.0.1:{free_ports(1)[0]}", "--state-dir", str(tmp_path), "doctor", cwd=tmp_path
    )
    assert done.returncode == 4
    assert "Kafka does not answer" in done.stderr


@pytest.mark.kafka
@pytest.mark.parametrize("end", [signal.SIGINT, signal.SIGKILL])
def test_up_runs_the_pipeline_and_leaves_nothing_behind(tmp_path: Path, end: signal.Signals) -> None:
    state = tmp_path / "state"
    command = [
        sys.executable,
        "-m",
        "fairlane",
        "--state-dir",
        str(state),
        "--set",
        "capture.port=0",
        "--set",
        "web.port=0",
        "up",
        "--json",
    ]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, cwd=tmp_path) as up:
        assert up.stdout is not None
        urls = json.loads(up.stdout.readline())["urls"]
        children = psutil.Process(up.pid).children(recursive=True)
        assert len(children) == 8, "a broker and seven roles"
        now = running.find(state)
        assert now is not None
        body = json.dumps({"token": "acme", "distinct_id": "u1", "event": "seen", "properties": {}}).encode()
        with urlopen(
            Request(f"{urls['capture']}/v1/events", body, {"content-type": "application/json"}), timeout=20
        ) as answer:
            assert answer.status == 202
        up.send_signal(end)
        assert up.wait(30) == (0 if end is signal.SIGINT else -end)
    until(lambda: not any(child.is_running() for child in children), 15)
    assert running.find(state) is None
