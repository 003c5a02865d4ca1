"""Load and routes while everything breaks: many tokens and keys at a steady rate, and routes that change all the time."""

import random
import threading
import time
from collections import Counter
from types import TracebackType
from typing import Final, Self

from ingestion.contracts.names import Lane
from tests.support.stage import Stage

FLAPPING: Final = tuple(f"tenant-{i:02}" for i in range(12))
"""Tokens whose routes flap."""
COMMANDED: Final = ("order-0", "order-1", "order-2")
"""Tokens that the controller moves."""
CALM: Final = tuple(f"calm-{i}" for i in range(5))
KEYS: Final = 6
STEP_S: Final = 0.1
PATIENCE_S: Final = 280.0
"""A broker that was killed is back before that, even on a busy machine, and before the client gives records up (300 s)."""


class Load:
    """`rate` events a second, and a route change every `flap_s`, until it is stopped; a context manager."""

    def __init__(self, stage: Stage, seed: int, rate: int, flap_s: float) -> None:
        self.failure: BaseException | None = None
        self.routes: Counter[Lane] = Counter()
        """Route changes by the lane wanted."""
        self._stage = stage
        self._rate = rate
        self._flap_s = flap_s
        self._chance = random.Random(seed)
        self._stop = threading.Event()
        self._threads = [threading.Thread(target=self._guard, args=(f,), daemon=True) for f in (self._send, self._flap)]

    def __enter__(self) -> Self:
        """Start."""
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Stop, and want everybody back in general."""
        self._stop.set()
        for thread in self._threads:
            thread.join(PATIENCE_S + 10)

    def calm(self) -> None:
        """Every route says general."""
        for token in FLAPPING:
            self._stage.route(token, Lane.GENERAL)

    def _guard(self, work: object) -> None:
        assert callable(work)
        try:
            work()
        except BaseException as error:
            self.failure = error

    def _send(self) -> None:
        tokens = (*FLAPPING, *COMMANDED, *CALM)
        due, sent = time.monotonic(), 0.0
        while not self._stop.is_set():
            sent += self._rate * STEP_S
            self._stage.send(int(sent), tokens, keys=KEYS, limit_s=PATIENCE_S)
            sent -= int(sent)
            due = max(due + STEP_S, time.monotonic() - 1.0)
            self._stop.wait(max(0.0, due - time.monotonic()))

    def _flap(self) -> None:
        lanes, weights = (Lane.GENERAL, Lane.OVERFLOW, Lane.QUARANTINE), (5, 4, 2)
        while not self._stop.wait(self._flap_s):
            lane = self._chance.choices(lanes, weights)[0]
            self._stage.route(self._chance.choice(FLAPPING), lane)
            self.routes[lane] += 1
