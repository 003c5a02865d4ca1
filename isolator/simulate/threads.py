"""One process a core: numeric libraries must not start threads of their own beside it."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

_SETTINGS: Final = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")


@contextmanager
def single_threaded_children() -> Iterator[None]:
    """Processes spawned within use one thread each; what the environment said before is put back.

    The libraries read it when they are loaded, which in a spawned process is before a pool's initializer runs.
    """
    before = {name: os.environ.get(name) for name in _SETTINGS}
    os.environ.update(dict.fromkeys(_SETTINGS, "1"))
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value
