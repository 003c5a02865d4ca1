"""The controller's process of `bench control`: `python -m fairlane.bench.control_child BOOTSTRAP PIPELINE`. Says `ready`, answers each line with what it has measured."""

import logging
import sys
import threading
import time

import orjson
import psutil
from prometheus_client import CollectorRegistry

from fairlane import logs
from fairlane.roles.controller import decide
from ingestion.config import KafkaConfig
from ingestion.contracts.routes import Mode
from isolator import metrics
from isolator.constants import Policy
from isolator.controller import Controller
from isolator.projection import NoProjection
from slo.clock import SystemClock

LOOK_S = 0.05


class Watch(threading.Thread):
    """Notes a row whenever a decision was made."""

    def __init__(self, registry: CollectorRegistry, pipeline: str) -> None:
        super().__init__(daemon=True, name="bench-watch")
        self._registry = registry
        self._labels = {"pipeline": pipeline}
        self.rows: list[dict[str, float]] = []

    def run(self) -> None:
        """Until the process ends."""
        mine, last = psutil.Process(), self._look()
        while True:
            time.sleep(LOOK_S)
            now = self._look()
            if now["ticks"] <= last["ticks"]:
                continue
            self.rows.append(
                {
                    "interval_s": now["at"] - last["at"],
                    "tick_s": (now["tick_s"] - last["tick_s"]) / (now["ticks"] - last["ticks"]),
                    "fold_s": now["fold_s"] - last["fold_s"],
                    "reports": now["reports"] - last["reports"],
                    "lag_s": self._value(metrics.TELEMETRY_LAG.name),
                    "skipped": now["skipped"],
                    "cpu_s": now["cpu_s"] - last["cpu_s"],
                    "rss_mb": mine.memory_info().rss / 2**20,
                }
            )
            last = now

    def _look(self) -> dict[str, float]:
        kinds = ("worker", "arrivals", "probe")
        reports = metrics.REPORTS.name
        return {
            "at": time.monotonic(),
            "cpu_s": time.process_time(),
            "ticks": self._value(f"{metrics.TICK_SECONDS.name}_count"),
            "tick_s": self._value(f"{metrics.TICK_SECONDS.name}_sum"),
            "fold_s": self._value(metrics.FOLD_SECONDS.name),
            "reports": sum(self._registry.get_sample_value(reports, {"kind": kind}) or 0.0 for kind in kinds),
            "skipped": sum(self._registry.get_sample_value(reports, {"kind": f"{kind}-old"}) or 0.0 for kind in kinds),
        }

    def _value(self, name: str) -> float:
        return self._registry.get_sample_value(name, self._labels) or 0.0


def main(bootstrap: str, pipeline: str) -> None:
    """Decide until stdin ends; every line of stdin is answered with the rows so far."""
    logs.to_stderr("controller", logging.WARNING)
    registry, stop = CollectorRegistry(), threading.Event()
    controller = Controller(
        [pipeline],
        KafkaConfig(bootstrap=bootstrap).client(),
        Policy(warm_s=10.0),
        SystemClock(),
        registry,
        NoProjection(),
        Mode.AUTO,
    )
    watch = Watch(registry, pipeline)
    thread = threading.Thread(target=decide, args=(controller, stop))
    thread.start()
    while not (controller.ready() and controller.owned()):
        time.sleep(LOOK_S)
    watch.start()
    print("ready", flush=True)
    for _ in sys.stdin:
        print(orjson.dumps(watch.rows).decode(), flush=True)
    stop.set()
    thread.join()


if __name__ == "__main__":
    main(*sys.argv[1:])
