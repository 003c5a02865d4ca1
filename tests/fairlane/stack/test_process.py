"""Child processes end when they must, and say what they said into their log."""

import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import psutil
import pytest

from fairlane.stack.process import ChildProcess
from tests.support.waiting import until

DEAF = "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); print('deaf', flush=True); time.sleep(60)"


def python(code: str, log: Path) -> ChildProcess:
    child = ChildProcess([sys.executable, "-c", code], log)
    child.start()
    return child


def test_output_goes_to_the_log_and_the_exit_code_is_kept(tmp_path: Path) -> None:
    child = python("import sys; print('out'); print('err', file=sys.stderr); sys.exit(7)", tmp_path / "log")
    assert child.wait(10)
    assert child.returncode() == 7
    assert sorted((tmp_path / "log").read_text().split()) == ["err", "out"]


def test_the_process_id_is_the_programs_own(tmp_path: Path) -> None:
    child = python("import os, time; print(os.getpid(), flush=True); time.sleep(60)", tmp_path / "log")
    until(lambda: (tmp_path / "log").read_text().strip(), 10)
    assert int((tmp_path / "log").read_text()) == child.pid
    assert child.stop(5)
    assert child.returncode() == -signal.SIGTERM


def test_a_deaf_one_is_killed_after_the_grace(tmp_path: Path) -> None:
    child = python(DEAF, tmp_path / "log")
    until(lambda: "deaf" in (tmp_path / "log").read_text(), 10)
    began = time.monotonic()
    assert not child.stop(0.3)
    assert time.monotonic() - began < 5
    assert child.returncode() == -signal.SIGKILL


def test_a_frozen_one_can_be_stopped(tmp_path: Path) -> None:
    child = python("import time; print('up', flush=True); time.sleep(60)", tmp_path / "log")
    until(lambda: "up" in (tmp_path / "log").read_text(), 10)
    child.signal(signal.SIGSTOP)
    assert child.stop(5)


def test_what_cannot_be_started_raises(tmp_path: Path) -> None:
    with pytest.raises(OSError):
        ChildProcess(["x"], tmp_path / "no" / "log").start()
    child = ChildProcess([str(tmp_path / "nothing")], tmp_path / "log")
    child.start()  # the launcher starts, and finds nothing to become
    assert child.wait(10)
    assert child.returncode() == 1


def test_the_end_of_the_thread_that_started_it_is_not_its_end(tmp_path: Path) -> None:
    child = ChildProcess(
        [sys.executable, "-c", "import time; print('up', flush=True); time.sleep(60)"], tmp_path / "log"
    )
    starter = threading.Thread(target=child.start)
    starter.start()
    starter.join(10)
    until(lambda: "up" in (tmp_path / "log").read_text(), 10)
    time.sleep(0.3)
    assert child.returncode() is None
    child.kill()


@pytest.mark.skipif(sys.platform != "linux", reason="PR_SET_PDEATHSIG is Linux's")
def test_it_dies_with_us_however_we_die(tmp_path: Path) -> None:
    code = "import sys, time; from pathlib import Path; from fairlane.stack.process import ChildProcess\n"
    code += "c = ChildProcess([sys.executable, '-c', 'import time; print(1, flush=True); time.sleep(60)'], Path(sys.argv[1])); c.start(); print(c.pid, flush=True); time.sleep(60)"
    with subprocess.Popen(
        [sys.executable, "-c", code, str(tmp_path / "log")], stdout=subprocess.PIPE, text=True
    ) as parent:
        assert parent.stdout is not None
        pid = int(parent.stdout.readline())
        # past the launcher, which looks for its parent by itself: from here on the kernel alone can tell it
        until(lambda: (tmp_path / "log").read_text().strip(), 10)
        os.kill(parent.pid, signal.SIGKILL)
    until(lambda: not psutil.pid_exists(pid), 5)
