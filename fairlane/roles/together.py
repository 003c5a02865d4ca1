"""Several parts in one process: each in a thread, one stop for all, and the end of one is the end of all."""

import logging
import threading
from collections.abc import Callable, Mapping
from typing import Final

log = logging.getLogger(__name__)
JOIN_S: Final = 8.0
"""Parts get this long to end after the stop: less than the frame's limit."""


class Together:
    """A Part made of named `run(stop) -> int` functions. Live while all of them run; ready when `ready` says so as well."""

    def __init__(
        self,
        runs: Mapping[str, Callable[[threading.Event], int | None]],
        ready: Callable[[], bool],
        live: Callable[[], bool],
    ) -> None:
        self._runs = dict(runs)
        self._ready = ready
        self._live = live
        self._codes: dict[str, int] = {}
        self._ended = threading.Event()
        self._started = False

    def run(self, stop: threading.Event) -> int:
        """Run all until `stop` or until one ends; returns the worst exit code, at least 1 when one ended unasked."""
        threads = {
            name: threading.Thread(target=self._one, args=(name, run, stop), name=name, daemon=True)
            for name, run in self._runs.items()
        }
        for thread in threads.values():
            thread.start()
        self._started = True
        while not stop.is_set() and not self._ended.is_set():
            stop.wait(0.2)
        unasked = not stop.is_set()
        stop.set()
        for name, thread in threads.items():
            thread.join(JOIN_S)
            if thread.is_alive():
                log.error("%s did not stop within %.0f s", name, JOIN_S)
                self._codes[name] = 1
        return max(self._codes.values(), default=0) or int(unasked)

    def live(self) -> bool:
        """Do all parts run?"""
        return not self._ended.is_set() and self._live()

    def ready(self) -> bool:
        """Do all parts run, and is the job done now?"""
        return self._started and self.live() and self._ready()

    def _one(self, name: str, run: Callable[[threading.Event], int | None], stop: threading.Event) -> None:
        try:
            self._codes[name] = run(stop) or 0
        except Exception as error:
            log.exception("%s failed", name)
            self._codes[name] = getattr(error, "exit_code", 1)
        if not stop.is_set():
            log.error("%s ended by itself with code %d", name, self._codes[name])
        self._ended.set()
