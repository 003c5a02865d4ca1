"""Blocking calls in a thread of their own, which is left behind with a call that does not come back.

librdkafka does not hold every time-out that it is given: `send_offsets_to_transaction` waits for a broker's state to change, not for the clock, and was
seen to block for 27 s with a limit of 1 s when its connections had been cut. Meanwhile the consumer's heartbeats go on, so the group waits for this worker.
"""

import queue
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final

_GRACE_S: Final = 1.0
_STEP_S: Final = 0.2


class NotBack(Exception):
    """The call has not come back in time. Its thread, and what it works on, must be left alone."""


@dataclass(slots=True)
class _Call:
    function: Callable[[], object]
    done: threading.Event = field(default_factory=threading.Event)
    error: BaseException | None = None


class Caller:
    """One thread at a time; a new one after NotBack. Used by one thread only."""

    def __init__(self, name: str) -> None:
        self._name = name
        self._calls: queue.SimpleQueue[_Call | None] | None = None

    def call(self, function: Callable[[], object], left: Callable[[], float]) -> None:
        """Raises what `function` raises, and NotBack when it goes on for a second after `left()`, the seconds that it still has, has come to 0."""
        if self._calls is None:
            self._calls = queue.SimpleQueue()
            threading.Thread(target=_serve, args=(self._calls,), name=self._name, daemon=True).start()
        call = _Call(function)
        self._calls.put(call)
        while not call.done.wait(_STEP_S):
            if left() < -_GRACE_S:
                self.close()
                raise NotBack("a call has not come back within its time")
        if call.error is not None:
            raise call.error

    def close(self) -> None:
        """Let the thread end once its call has come back, if ever."""
        if self._calls is not None:
            self._calls.put(None)
            self._calls = None


def _serve(calls: "queue.SimpleQueue[_Call | None]") -> None:
    while (call := calls.get()) is not None:
        try:
            call.function()
        except BaseException as error:  # handed to whoever waits
            call.error = error
        call.done.set()
