"""Waiting with a limit, for tests on real processes."""

import time
from collections.abc import Callable


def until(condition: Callable[[], object], limit_s: float, step_s: float = 0.05) -> None:
    """Return when `condition()` is true; fail after `limit_s` seconds."""
    deadline = time.monotonic() + limit_s
    while not condition():
        assert time.monotonic() < deadline, f"not so within {limit_s} s"
        time.sleep(step_s)
