"""A lane worker as a real process that breaks at a named point of its turn: `python -m tests.support.faulty`, told what to do by an environment variable."""

import logging
import os
import signal
import sys
import threading
from pathlib import Path
from typing import Final

from prometheus_client import CollectorRegistry
from pydantic import BaseModel

from ingestion.config import KafkaConfig, PipelineConfig, WorkerConfig
from ingestion.contracts.names import Lane
from ingestion.lanes.hooks import ForcedAbort, ForcedUnknown, Moment, Point
from slo.clock import SystemClock
from tests.support import mutants
from tests.support.journal import JournalHandler

VARIABLE: Final = "FAIRLANE_TEST_WORKER"


class Fault(BaseModel):
    """What goes wrong, and where."""

    do: str = ""
    """`kill` or `stop` (once), `abort` or `unknown` (every time); nothing goes wrong when empty."""
    at: Point = Point.COMMITTED
    every: int = 1
    """Only in turns whose number is a multiple of it."""
    only_forwards: bool = True
    """Only in turns that forward something."""


class Spec(BaseModel):
    """One worker process."""

    lane: Lane
    slot: str
    bootstrap: str
    pipeline: PipelineConfig
    journal: Path
    work_s: float
    mutant: str = ""
    fault: Fault = Fault()


class Saboteur:
    """The hooks that do it, in the worker's Kafka thread."""

    def __init__(self, fault: Fault) -> None:
        self._fault = fault
        self._done = False

    def at(self, point: Point, moment: Moment) -> None:
        """Strike when it is time."""
        fault = self._fault
        if point is not fault.at or moment.turn % fault.every or (fault.only_forwards and not moment.forwards):
            return
        if fault.do == "abort":
            raise ForcedAbort
        if fault.do == "unknown":
            raise ForcedUnknown
        if fault.do and not self._done:
            self._done = True
            os.kill(os.getpid(), signal.SIGKILL if fault.do == "kill" else signal.SIGSTOP)


def main() -> int:
    """Run until SIGTERM."""
    spec = Spec.model_validate_json(os.environ[VARIABLE])
    logging.basicConfig(level=logging.INFO, format="%(relativeCreated)7d %(name)s %(message)s")
    stop = threading.Event()
    signal.signal(signal.SIGTERM, lambda *_: stop.set())
    worker = mutants.find(spec.mutant)(
        spec.lane,
        spec.pipeline,
        KafkaConfig(bootstrap=spec.bootstrap),
        WorkerConfig(slot=spec.slot, build="test"),
        JournalHandler(spec.journal, spec.work_s),
        SystemClock(),
        CollectorRegistry(),
        hooks=Saboteur(spec.fault),
    )
    return worker.run(stop)


if __name__ == "__main__":
    sys.exit(main())
