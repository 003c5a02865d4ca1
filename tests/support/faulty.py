"""A lane worker as a real process that breaks at a named point of its turn: `python -m tests.support.faulty`, told what to do by an environment variable."""

import contextlib
import faulthandler
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
from tests.support import mutants, proxy
from tests.support.journal import Conduct, JournalHandler
from tests.support.orders import LINE, Fault, Orders
from tests.support.orphans import outlive_nobody

VARIABLE: Final = "FAIRLANE_TEST_WORKER"


class Spec(BaseModel):
    """One worker process."""

    name: str
    lane: Lane
    slot: str
    bootstrap: str
    pipeline: PipelineConfig
    journal: Path
    conduct: Conduct = Conduct()
    mutant: str = ""
    fault: Fault = Fault()
    orders: Path | None = None
    """Where faults are ordered while it runs."""
    control: int = 0
    """The proxy's control port."""


class Saboteur:
    """The hooks that do it, in the worker's Kafka thread: the standing fault, and whatever is ordered."""

    def __init__(self, spec: Spec) -> None:
        self._fault = spec.fault
        self._name = spec.name
        self._control = spec.control
        self._orders = Orders(spec.orders) if spec.orders is not None else None
        self._done = False

    def at(self, point: Point, moment: Moment) -> None:
        """Strike when it is time."""
        if self._orders is not None:
            ordered = self._orders.read(self._name)
            if ordered is not None and ordered.due(point, moment.turn, moment.forwards):
                self._orders.withdraw(self._name)
                self._strike(ordered)
        fault = self._fault
        if fault.due(point, moment.turn, moment.forwards) and not self._done:
            self._done = fault.do in {"kill", "stop", *LINE}
            self._strike(fault)

    def _strike(self, fault: Fault) -> None:
        if fault.do == "abort":
            raise ForcedAbort
        if fault.do == "unknown":
            raise ForcedUnknown
        if fault.do in LINE:
            with contextlib.suppress(OSError):
                proxy.ask(self._control, proxy.Trouble(fault.do), fault.seconds, os.getpid())
        else:
            os.kill(os.getpid(), signal.SIGKILL if fault.do == "kill" else signal.SIGSTOP)


def main() -> int:
    """Run until SIGTERM."""
    spec = Spec.model_validate_json(os.environ[VARIABLE])
    logging.basicConfig(level=logging.INFO, format="%(relativeCreated)7d %(name)s %(message)s")
    stop = threading.Event()
    signal.signal(signal.SIGTERM, lambda *_: stop.set())
    outlive_nobody()
    faulthandler.register(signal.SIGUSR1, all_threads=True)  # a stuck one can be asked where it is
    worker = mutants.find(spec.mutant)(
        spec.lane,
        spec.pipeline,
        KafkaConfig(bootstrap=spec.bootstrap),
        WorkerConfig(slot=spec.slot, build="test"),
        JournalHandler(spec.journal, spec.conduct),
        SystemClock(),
        CollectorRegistry(),
        hooks=Saboteur(spec),
    )
    return worker.run(stop)


if __name__ == "__main__":
    sys.exit(main())
