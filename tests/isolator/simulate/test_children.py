"""A pool's processes: one thread each, and none outlives its parent."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np

from isolator.simulate.children import children

NAME = "OPENBLAS_NUM_THREADS"
PARENT = """
import os, time
from isolator.simulate.children import children
if __name__ == "__main__":
    with children(1) as pool:
        print(pool.submit(os.getpid).result(60), flush=True)
        time.sleep(120)
"""


def threads_of_a_product() -> int:
    before = len(list(Path("/proc/self/task").iterdir()))
    square = np.ones((400, 400))
    assert (square @ square)[0, 0] == 400
    assert len(list(Path("/proc/self/task").iterdir())) == before
    return before


def test_a_matrix_product_has_one_thread_beside_the_one_that_watches_the_parent() -> None:
    before = dict(os.environ)
    with children(1) as pool:
        assert pool.submit(threads_of_a_product).result(timeout=60) == 2
    assert dict(os.environ) == before


def test_a_setting_of_the_user_is_put_back() -> None:
    os.environ[NAME] = "7"
    try:
        with children(1):
            assert os.environ[NAME] == "1"
        assert os.environ[NAME] == "7"
    finally:
        del os.environ[NAME]


def test_a_killed_parent_leaves_no_process_behind(tmp_path: Path) -> None:
    script = tmp_path / "parent.py"
    script.write_text(PARENT)
    with subprocess.Popen([sys.executable, str(script)], stdout=subprocess.PIPE, text=True) as parent:
        assert parent.stdout is not None
        child = int(parent.stdout.readline())
        assert _alive(child)
        parent.send_signal(signal.SIGKILL)
        parent.wait(10)
    until = time.monotonic() + 30
    while _alive(child):
        assert time.monotonic() < until, "the pool's process is still there"
        time.sleep(0.1)


def _alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text(encoding="ascii").rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False
