"""A pool of processes for numeric work: one thread each, and none outlives who started it."""

import os
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from multiprocessing import get_context
from typing import Final

LOOK_S: Final = 1.0
_SETTINGS: Final = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")


@contextmanager
def children(count: int) -> Iterator[ProcessPoolExecutor]:
    """A pool of `count` spawned processes.

    Numeric libraries read their number of threads when they are loaded, which is before an initializer runs: the environment tells it, and is put back. A pool's
    process waits for work for ever when its parent is killed, so each looks whether that is still there.
    """
    before = {name: os.environ.get(name) for name in _SETTINGS}
    os.environ.update(dict.fromkeys(_SETTINGS, "1"))
    try:
        with ProcessPoolExecutor(
            count, mp_context=get_context("spawn"), initializer=_follow, initargs=(os.getpid(),)
        ) as pool:
            yield pool
    finally:
        for name, value in before.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value


def _follow(parent: int) -> None:
    threading.Thread(target=_watch, args=(parent,), name="parent", daemon=True).start()


def _watch(parent: int) -> None:
    while os.getppid() == parent:
        time.sleep(LOOK_S)
    os._exit(1)
