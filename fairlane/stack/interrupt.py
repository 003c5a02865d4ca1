"""Ctrl-C, SIGTERM and a closed terminal all unwind the same way, so that everything started is stopped."""

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType


@contextmanager
def interruptible() -> Iterator[None]:
    """Within the block the first SIGINT, SIGTERM or SIGHUP raises KeyboardInterrupt in the main thread; later ones are ignored while it unwinds.

    Outside the main thread nothing is changed.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    hit = False

    def once(_number: int, _frame: FrameType | None) -> None:
        nonlocal hit
        if not hit:
            hit = True
            raise KeyboardInterrupt

    previous = {number: signal.signal(number, once) for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)}
    try:
        yield
    finally:
        for number, handler in previous.items():
            signal.signal(number, handler)
