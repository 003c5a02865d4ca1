"""Keeps the local Kafka up: when it dies, that is said and it is started again on the same data and ports."""

import threading
from collections.abc import Callable
from typing import Final, Self

from fairlane.stack.kafka import LocalKafka
from slo.errors import FairlaneError

LOOK_S: Final = 0.2
BACKOFF_S: Final = (0.5, 15.0)
"""First and longest wait after a start that failed; doubled each time."""


class Keeper:
    """Watches a broker that has been started; a context manager inside the broker's own. `report` gets a line when it dies and when it is back."""

    def __init__(self, broker: LocalKafka, report: Callable[[str], None]) -> None:
        self._broker = broker
        self._report = report
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._watch, name="kafka-keeper", daemon=True)

    def __enter__(self) -> Self:
        """Watch."""
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        """Watch no more; a start under way is broken off."""
        self._stopping.set()
        self._thread.join(2 * LOOK_S)
        while self._thread.is_alive():
            self._broker.stop()
            self._thread.join(LOOK_S)

    def _watch(self) -> None:
        wait_s = BACKOFF_S[0]
        while not self._stopping.wait(LOOK_S):
            if self._broker.running:
                continue
            self._report(f"Apache Kafka ended, starting it again on the same data; its log: {self._broker.log_path}")
            try:
                self._broker.restart()
            except (FairlaneError, OSError) as error:
                if not self._stopping.is_set():
                    self._report(f"Apache Kafka could not be started again, next try in {wait_s:.1f} s: {error}")
                self._stopping.wait(wait_s)
                wait_s = min(wait_s * 2, BACKOFF_S[1])
            else:
                wait_s = BACKOFF_S[0]
                self._report(f"Apache Kafka is back after {self._broker.ready_s:.1f} s")
