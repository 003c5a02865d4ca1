"""Each role, built from the settings. Imports are local: a probe does not pay for the web's."""

import os
import sys
import threading
from collections.abc import Callable
from typing import Final

from fairlane.roles import frame
from fairlane.settings import Settings
from ingestion.contracts.names import Lane
from slo.clock import SystemClock

ROLES: Final = ("capture", "worker", "probe", "controller", "web")


def capture(settings: Settings, stop: threading.Event) -> int:
    """The HTTP door."""
    from fairlane.roles import http
    from ingestion.capture.app import create_app

    app = create_app(settings.pipeline, settings.capture, settings.kafka, SystemClock(), frame.new_registry())
    return http.run(app, settings.capture.host, settings.capture.port, "capture", stop)


def worker(lane: Lane) -> Callable[[Settings, threading.Event], int]:
    """A lane's worker. The handler's module may lie in the working directory."""

    def run(settings: Settings, stop: threading.Event) -> int:
        from ingestion.lanes.handler import HandlerContext, load
        from ingestion.lanes.worker import LaneWorker

        if (here := os.getcwd()) not in sys.path:  # noqa: PTH109 - a string is wanted
            sys.path.insert(0, here)
        handler = load(settings.pipeline.handler, HandlerContext(lane, settings.pipeline, settings.sink_config))
        registry = frame.new_registry()
        part = LaneWorker(lane, settings.pipeline, settings.kafka, settings.worker, handler, SystemClock(), registry)
        return frame.serve(part, registry, settings, stop)

    return run


def probe(settings: Settings, stop: threading.Event) -> int:
    """The outside look at the lanes."""
    from ingestion.probe.probe import Probe

    registry = frame.new_registry()
    return frame.serve(
        Probe(settings.pipeline, settings.kafka, settings.probe, SystemClock(), registry), registry, settings, stop
    )


def controller(settings: Settings, stop: threading.Event) -> int:
    """The isolator's controller, the booking of SLIs and the evaluation of SLOs."""
    from fairlane.roles.controller import build

    registry = frame.new_registry()
    return frame.serve(build(settings, SystemClock(), registry), registry, settings, stop)


def web(settings: Settings, stop: threading.Event) -> int:
    """The pages."""
    from fairlane.app.main import build
    from fairlane.roles import http

    return http.run(
        build(settings, SystemClock(), frame.new_registry()), settings.web.host, settings.web.port, "web", stop
    )


def runner(role: str, lane: Lane) -> Callable[[Settings, threading.Event], int]:
    """The role's function. Raises KeyError for a name that is not in ROLES."""
    return {"capture": capture, "worker": worker(lane), "probe": probe, "controller": controller, "web": web}[role]
