"""One holder at a time, and none after the holder's death."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from fairlane.stack.lock import FileLock, Held, locked


def test_the_second_is_told_who_holds_it(tmp_path: Path) -> None:
    with locked(tmp_path / "lock", wait_s=0), pytest.raises(Held) as caught:
        FileLock(tmp_path / "lock").acquire()
    assert caught.value.pid == str(os.getpid())
    again = FileLock(tmp_path / "lock")
    again.acquire()
    again.release()


def test_a_killed_holder_holds_nothing(tmp_path: Path) -> None:
    code = "import sys, time; from pathlib import Path; from fairlane.stack.lock import FileLock\nFileLock(Path(sys.argv[1])).acquire(); print('held', flush=True); time.sleep(60)"
    with subprocess.Popen(
        [sys.executable, "-c", code, str(tmp_path / "lock")], stdout=subprocess.PIPE, text=True
    ) as holder:
        assert holder.stdout is not None
        assert holder.stdout.readline().strip() == "held"
        holder.kill()
    lock = FileLock(tmp_path / "lock")
    lock.acquire(wait_s=5)
    lock.release()
