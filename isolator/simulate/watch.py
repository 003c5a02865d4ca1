"""How far a long run is, said every few seconds."""

import time
from collections.abc import Callable
from typing import Final

EVERY_S: Final = 10.0


class Watch:
    """Called with the simulated second and the last one after each step; says a line every EVERY_S of real time."""

    def __init__(self, say: Callable[[str], None], what: str, clock: Callable[[], float] = time.perf_counter) -> None:
        self._say = say
        self._what = what
        self._clock = clock
        self._began = self._last = clock()

    def __call__(self, now_s: float, end_s: float) -> None:
        """Never ends a run: it only speaks."""
        now = self._clock()
        if now - self._last < EVERY_S:
            return
        self._last = now
        self._say(f"{self._what}: {now_s / 3600:.1f} h of at most {end_s / 3600:.1f} h ({now - self._began:.0f} s)")
