"""The frame around a role: signals to a stop event, a limit on stopping, health, metrics of the process."""

import logging
import os
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Final, Protocol

from prometheus_client import CollectorRegistry, GCCollector, PlatformCollector, ProcessCollector

from fairlane import logs
from fairlane.health import HealthServer
from fairlane.settings import Settings

STOP_LIMIT_S: Final = 10.0
"""A role that has not left this long after it was told to is ended hard: whatever it did not commit comes again."""
STUCK: Final = 70
log = logging.getLogger(__name__)


class Part(Protocol):
    """What a role runs."""

    def run(self, stop: threading.Event) -> int:
        """Work until `stop` is set or something fatal happens; returns the exit code."""
        ...

    def live(self) -> bool:
        """Does it work at all?"""
        ...

    def ready(self) -> bool:
        """Does it do its job now?"""
        ...


def new_registry() -> CollectorRegistry:
    """A registry with the process's own metrics."""
    registry = CollectorRegistry()
    ProcessCollector(registry=registry)
    PlatformCollector(registry=registry)
    GCCollector(registry=registry)
    return registry


@contextmanager
def stop_on_signals(limit_s: float = STOP_LIMIT_S) -> Iterator[threading.Event]:
    """An event that SIGTERM, SIGINT and SIGHUP set; `limit_s` seconds later the process ends, come what may. For the main thread."""
    stop = threading.Event()
    done = threading.Event()

    def limit() -> None:
        stop.wait()
        if not done.wait(limit_s):
            log.error("still running %.0f s after the signal to stop: ending hard", limit_s)
            os._exit(STUCK)

    def on_signal(number: int, _frame: FrameType | None) -> None:
        if not stop.is_set():
            log.info("stopping on %s", signal.Signals(number).name)
        stop.set()

    previous = {number: signal.signal(number, on_signal) for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)}
    threading.Thread(target=limit, name="stop-limit", daemon=True).start()
    try:
        yield stop
    finally:
        done.set()
        stop.set()
        for number, handler in previous.items():
            signal.signal(number, handler)


def serve(part: Part, registry: CollectorRegistry, settings: Settings, stop: threading.Event) -> int:
    """Run `part` with a health server beside it; returns its exit code. Raises ConfigError when the health port cannot be had."""
    with HealthServer(registry, part.live, part.ready, settings.health.host, settings.health.port) as health:
        log.info("health and metrics on %s", health.url)
        code = part.run(stop)
    log.info("stopped with exit code %d", code)
    return code


def begin(role: str) -> None:
    """Set the process up: logs that name the role."""
    logs.to_stderr(role)
    log.info("starting", extra={"pid": os.getpid()})
