"""The supervisor with real roles on the real Kafka: ready, back after a death, stopped, and refused with reasons."""

import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.request import urlopen

import psutil
import pytest

from fairlane.settings import Settings
from fairlane.stack import role_specs, running
from fairlane.stack.kafka import LocalKafka
from fairlane.stack.supervisor import Supervisor, last_words
from ingestion.config import PipelineConfig
from ingestion.lanes.topics import ensure_topics
from slo.errors import ConfigError, FairlaneError, StateDirectoryError
from tests.support.waiting import until

pytestmark = pytest.mark.kafka
PROBE, DOOR = (next(spec for spec in role_specs.ALL if spec.name == name) for name in ("probe", "capture"))
WORKER = role_specs.ALL[0]


@pytest.fixture
def settings(kafka: LocalKafka, pipeline_config: PipelineConfig, state_dir: Path) -> Settings:
    ensure_topics(kafka.admin(), pipeline_config, local=True)
    return Settings(
        state_dir=state_dir,
        kafka=kafka.config().model_dump(),
        pipeline=pipeline_config.model_dump(),
        capture={"port": 0},
        web={"port": 0},
    )


@contextmanager
def supervised(settings: Settings, *specs: role_specs.RoleSpec) -> Iterator[tuple[Supervisor, list[str]]]:
    said: list[str] = []
    with Supervisor(settings, roles=specs, report=said.append, broker_version="4.1.1") as supervisor:
        yield supervisor, said


def test_a_killed_role_comes_back_where_it_was(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    # a variable of the parent must not reach the children, whose configuration is the parent's effective one
    monkeypatch.setenv("FAIRLANE_PIPELINE__NAME", "not-this-one")
    with supervised(settings, PROBE, DOOR) as (supervisor, said):
        supervisor.wait_ready(60)
        now = running.find(settings.state_dir)
        assert now is not None
        assert (now.pid, now.pipeline, now.broker_version) == (os.getpid(), settings.pipeline.name, "4.1.1")
        assert {name: role.url for name, role in now.roles.items()} == supervisor.urls
        before, url = supervisor.pid("probe"), supervisor.urls["probe"]
        os.kill(before, signal.SIGKILL)
        until(lambda: supervisor.restarts["probe"] == 1, 15)
        supervisor.wait_ready(60)
        assert supervisor.urls["probe"] == url
        assert supervisor.pid("probe") != before
        assert "probe was killed by signal 9" in said[0]
        until(lambda: running.find(settings.state_dir).roles["probe"].restarts == 1, 5)  # type: ignore[union-attr] # it runs
        with urlopen(f"{url}/metrics", timeout=5) as answer:
            assert b"process_resident_memory_bytes" in answer.read()
        with pytest.raises(StateDirectoryError, match=f"process {os.getpid()}"):
            Supervisor(settings, roles=[PROBE]).start()
        pids = [supervisor.pid(name) for name in ("probe", "capture")]
    assert not any(psutil.pid_exists(pid) for pid in pids)
    assert running.find(settings.state_dir) is None
    log = (settings.state_dir / "log" / "probe.log").read_text()
    assert '"message":"stopped with exit code 0"' in log
    assert (settings.state_dir / "run" / "fairlane.toml").stat().st_mode & 0o077 == 0, "it may hold passwords"


def test_a_role_that_cannot_start_is_told_with_its_last_words(settings: Settings) -> None:
    wrong = settings.model_copy(
        update={"pipeline": settings.pipeline.model_copy(update={"handler": "no_such_module:handle"})}
    )
    with (
        supervised(wrong, WORKER) as (supervisor, _),
        pytest.raises(FairlaneError, match=r"worker-general cannot start .*no_such_module"),
    ):
        supervisor.wait_ready(90)


def test_a_taken_port_is_refused_before_anything_starts(settings: Settings, kafka: LocalKafka) -> None:
    taken = settings.model_copy(
        update={"capture": settings.capture.model_copy(update={"port": int(kafka.direct.partition(":")[2])})}
    )
    with pytest.raises(ConfigError, match=r"capture\.port"):
        Supervisor(taken, roles=[DOOR]).start()
    with supervised(settings, DOOR) as (supervisor, _):  # the refusal left no lock behind
        supervisor.wait_ready(60)


def test_what_a_dead_supervisor_left_counts_as_nothing(tmp_path: Path) -> None:
    running.write(tmp_path, running.Running(os.getpid(), running.own_start() - 100, "b:1", "events"))
    assert running.find(tmp_path) is None
    running.write(
        tmp_path,
        running.Running(
            os.getpid(), running.own_start(), "b:1", "events", roles={"web": running.RoleProcess(1, "u", "l")}
        ),
    )
    assert running.find(tmp_path) == running.Running(
        os.getpid(), running.own_start(), "b:1", "events", roles={"web": running.RoleProcess(1, "u", "l")}
    )
    (tmp_path / running.FILE).write_text("{")
    assert running.find(tmp_path) is None


def test_last_words_are_the_telling_ones(tmp_path: Path) -> None:
    log = tmp_path / "log"
    assert last_words(log) == "it left no log"
    log.write_text('{"level":"error","message":"why"}\n{"level":"info","message":"bye"}\n\n')
    assert "why" in last_words(log)
