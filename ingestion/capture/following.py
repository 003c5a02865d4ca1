"""Capture follows `fairlane.state` for limits, in a thread of its own that belongs to no group.

It fails open: without a broker, or with one that is behind, the limits that are known stay until their own end, and no others come. It never delays a request.
"""

import logging
import threading
from collections.abc import Callable, Mapping
from typing import Final

from confluent_kafka import KafkaException

from ingestion.capture.throttle import Limit
from ingestion.config import KafkaConfig
from ingestion.lanes.routes import RouteFollower

log = logging.getLogger(__name__)

POLL_S: Final = 0.2
RETRY_S: Final = 5.0

Tell = Callable[[Mapping[str, Limit]], None]


class LimitFollower:
    """Tells `tell` (from its thread) of every change of the pipeline's limits."""

    def __init__(self, kafka: KafkaConfig, pipeline: str, tell: Tell) -> None:
        self._kafka = kafka
        self._pipeline = pipeline
        self._tell = tell
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="limits", daemon=True)

    def start(self) -> None:
        """Begin to follow."""
        self._thread.start()

    def stop(self, wait_s: float = 5.0) -> None:
        """Stop following, waiting at most `wait_s` for the thread."""
        self._stop.set()
        if self._thread.is_alive():
            self._thread.join(wait_s)

    def _run(self) -> None:
        while not self._stop.is_set():
            try:
                self._follow()
            except KafkaException as error:
                log.warning("limits cannot be followed: %s; those that are known hold until they end", error.args[0])
                self._stop.wait(RETRY_S)

    def _follow(self) -> None:
        routes = RouteFollower(self._kafka, self._pipeline)
        known: dict[str, Limit] | None = None
        try:
            # what a compacted topic still holds of the past must not flash by
            while not self._stop.is_set() and not routes.catch_up(POLL_S):
                pass
            while not self._stop.is_set():
                routes.poll(POLL_S)
                found = {
                    token: Limit(route.limit_per_s, route.limit_until_ms)
                    for token, route in routes.table.routes.items()
                    if route.limit_per_s is not None
                }
                if found != known:
                    known = found
                    self._tell(found)
        finally:
            routes.close()
