"""The real controller as a process that kills itself inside a move: `python -m tests.support.faulty_controller`.

Its orders (`tests.support.orders`, under the name it was given) strike in the transaction that answers a command: PRODUCED is before the commit, COMMITTED right after it.
"""

import faulthandler
import logging
import os
import signal
import sys
import threading
from pathlib import Path
from typing import Any, Final

from confluent_kafka import Producer
from prometheus_client import CollectorRegistry
from pydantic import BaseModel

from ingestion.config import KafkaConfig
from ingestion.contracts.routes import Mode
from ingestion.lanes.hooks import Point
from isolator import ledger
from isolator.constants import Policy
from isolator.controller import Controller
from isolator.projection import NoProjection
from slo.clock import SystemClock
from tests.support.orders import Orders
from tests.support.orphans import outlive_nobody

VARIABLE: Final = "FAIRLANE_TEST_CONTROLLER"


class ControllerSpec(BaseModel):
    """One controller process."""

    name: str
    bootstrap: str
    pipeline: str
    orders: Path


def striking(spec: ControllerSpec) -> type[Producer]:
    """A producer whose commit of an answer strikes as ordered."""
    orders = Orders(spec.orders)

    class Striking(Producer):
        """Sees whether the open transaction answers a command."""

        answers = False

        def produce(self, *args: Any, **own: Any) -> None:
            """Look at the key."""
            key = own.get("key") or (args[2] if len(args) > 2 else b"")
            self.answers = self.answers or bytes(key or b"").startswith(b"answer/")
            super().produce(*args, **own)

        def commit_transaction(self, *args: Any) -> None:
            """Strike before or after."""
            answers, self.answers = self.answers, False
            self._strike(Point.PRODUCED, answers=answers)
            super().commit_transaction(*args)
            self._strike(Point.COMMITTED, answers=answers)

        @staticmethod
        def _strike(point: Point, *, answers: bool) -> None:
            ordered = orders.read(spec.name) if answers else None
            if ordered is not None and ordered.at is point:
                orders.withdraw(spec.name)
                os.kill(os.getpid(), signal.SIGKILL)

    return Striking


def main() -> int:
    """Run until SIGTERM."""
    spec = ControllerSpec.model_validate_json(os.environ[VARIABLE])
    logging.basicConfig(level=logging.INFO, format="%(relativeCreated)7d %(name)s %(message)s")
    stop = threading.Event()
    signal.signal(signal.SIGTERM, lambda *_: stop.set())
    outlive_nobody()
    faulthandler.register(signal.SIGUSR1, all_threads=True)  # a stuck one can be asked where it is
    ledger.Producer = striking(spec)  # type: ignore[misc]
    kafka = KafkaConfig(bootstrap=spec.bootstrap).client()
    controller = Controller(
        (spec.pipeline,), kafka, Policy(), SystemClock(), CollectorRegistry(), NoProjection(), Mode.OBSERVE
    )
    return controller.run(stop)


if __name__ == "__main__":
    sys.exit(main())
