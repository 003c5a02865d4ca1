"""The real controller as a process: `python -m tests.support.governor`, told what to do by an environment variable. Says what it holds in a file."""

import faulthandler
import json
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
from isolator import ledger
from isolator.constants import Policy
from isolator.controller import Controller
from isolator.projection import NoProjection
from slo.clock import SystemClock
from tests.support.orphans import outlive_nobody

VARIABLE: Final = "FAIRLANE_TEST_GOVERNOR"


class Strike(BaseModel):
    """The first transaction that holds a record of kind `of` kills (`do` = kill) or stops (`stop`) the process, right `before` its commit or `after` it."""

    do: str = ""
    of: str = "route"
    at: str = "before"


class Spec(BaseModel):
    """One controller process."""

    bootstrap: str
    pipelines: tuple[str, ...]
    session_s: float
    said: Path
    strike: Strike = Strike()
    mode: str = "auto"


def striking(strike: Strike) -> type[Producer]:
    """A producer that strikes once."""

    class Striking(Producer):
        """Looks at the keys of the open transaction."""

        armed = False
        struck = False

        def produce(self, *args: Any, **own: Any) -> None:
            """Is it the one?"""
            self.armed = self.armed or bytes(own["key"]).startswith(f"{strike.of}/".encode())
            super().produce(*args, **own)

        def commit_transaction(self, *args: Any) -> None:
            """Strike before or after."""
            armed, self.armed = self.armed and not Striking.struck, False
            if armed and strike.at == "before":
                self.flush(5)
                self._strike()
            super().commit_transaction(*args)
            if armed and strike.at == "after":
                self._strike()

        @staticmethod
        def _strike() -> None:
            Striking.struck = True
            os.kill(os.getpid(), signal.SIGKILL if strike.do == "kill" else signal.SIGSTOP)

    return Striking


def main() -> int:
    """Run until SIGTERM."""
    spec = Spec.model_validate_json(os.environ[VARIABLE])
    logging.basicConfig(level=logging.INFO, format="%(relativeCreated)7d %(name)s %(message)s")
    stop = threading.Event()
    signal.signal(signal.SIGTERM, lambda *_: stop.set())
    outlive_nobody()
    faulthandler.register(signal.SIGUSR1, all_threads=True)
    if spec.strike.do:
        ledger.Producer = striking(spec.strike)  # type: ignore[misc]
    registry = CollectorRegistry()
    controller = Controller(
        spec.pipelines,
        KafkaConfig(bootstrap=spec.bootstrap).client(),
        Policy(warm_s=2.0, tick_s=0.5, calm_s=1.0, learn_delay_ticks=1),
        SystemClock(),
        registry,
        NoProjection(),
        Mode(spec.mode),
        session_s=spec.session_s,
    )

    def say() -> None:
        part = spec.said.with_suffix(".part")
        while not stop.wait(0.1):
            written = {
                result: registry.get_sample_value("fairlane_isolator_state_writes_total", {"result": result}) or 0.0
                for result in ("committed", "aborted", "fenced")
            }
            part.write_text(json.dumps({"ready": controller.ready(), "owned": controller.owned(), "writes": written}))
            part.rename(spec.said)

    threading.Thread(target=say, daemon=True).start()
    return controller.run(stop)


if __name__ == "__main__":
    sys.exit(main())
