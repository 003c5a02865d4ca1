"""A /metrics endpoint that shows every catalogued metric with moving data: SLO and capacity by the real exporters, the others registered from their catalogue."""

import itertools
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from decimal import Decimal
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from prometheus_client import CollectorRegistry, generate_latest
from sqlalchemy import Engine

from fairlane.capacity.watch import look
from fairlane.capacity.watched import Watched
from fairlane.cli.docs import catalogue
from ingestion.contracts.names import Lane
from ingestion.contracts.routes import Mode
from ingestion.contracts.telemetry import Action
from isolator.diagnose import Diagnosis
from isolator.verdict import VerdictKind
from slo import metrics as slo
from slo.capacity import metrics as capacity
from slo.capacity.export import CapacityExporter
from slo.capacity.store import Samples
from slo.catalogue import Metric
from slo.clock import ManualClock
from slo.export import Exporter
from slo.objective import Objective, Sli
from slo.presets import pipeline_objectives
from slo.round import Rounds
from slo.slices import Slice
from slo.source import Timeslices
from slo.store import Booking, SliceStore
from tests.support.limits import BUDGETS, LIMITS, NOW, fill

VALUES: Mapping[str, tuple[str, ...]] = {
    "pipeline": ("events",),
    "lane": tuple(Lane),
    "partition": ("0", "1"),
    "mode": tuple(Mode),
    "diagnosis": tuple(Diagnosis),
    "moved": ("with", "without"),
    "token": ("phc_a", "phc_b", "other"),
    "status": ("200", "429", "503"),
    "source": ("worker", "arrivals", "probe"),
    "action": tuple(Action),
    "limit": ("kafka-disk", "connections"),
    "slo": ("events-freshness-all",),
    "job": ("evaluate", "compact"),
    "signal": ("nulls", "volume_drop"),
}
"""Label values as the code writes them."""
OF_METRIC: Mapping[tuple[str, str], tuple[str, ...]] = {
    ("fairlane_worker_records_total", "outcome"): ("handled", "forwarded", "dead", "canary"),
    ("fairlane_worker_transactions_total", "outcome"): ("committed", "aborted", "unknown", "fenced"),
    ("fairlane_capture_events_total", "outcome"): ("accepted", "invalid", "throttled", "unconfirmed", "limited"),
    ("fairlane_probe_rounds_total", "result"): ("ok", "failed"),
    ("fairlane_isolator_commands_total", "result"): ("ok", "refused"),
    ("fairlane_isolator_state_writes_total", "result"): ("committed", "aborted", "fenced"),
    ("fairlane_isolator_decisions_total", "kind"): tuple(VerdictKind),
    ("fairlane_isolator_reports_total", "kind"): ("worker", "arrivals", "probe", "unreadable"),
    ("fairlane_booking_messages_total", "kind"): ("worker", "probe", "capture"),
}
EXPORTED = frozenset(
    metric.name
    for metric in (
        *(slo.TARGET, slo.INFO, slo.GOOD, slo.EXPECTED, slo.REVISIONS, slo.OBSERVED, slo.BURN, slo.COVERAGE),
        *(slo.THRESHOLD, slo.BUDGET_LEFT, slo.BUDGET_LEFT_SECONDS, slo.EXHAUSTION, slo.LATE, slo.BAD_MINUTES),
        *(slo.STATE, slo.SEVERITY, slo.MOVED_RATIO),
        slo.LAST_EVALUATION,
        *(metric for metric in capacity.METRICS if metric is not capacity.SAMPLE_ERRORS),
    )
)
"""What slo.export and slo.capacity.export write themselves."""
_HISTORY_MINUTES = 180


def values_of(metric: Metric, label: str) -> tuple[str, ...]:
    """The values of one label of one metric; any word where nothing depends on it."""
    return OF_METRIC.get((metric.name, label)) or VALUES.get(label) or (f"some-{label}",)


class World:
    """All series; each `step` moves them, as a second of work would."""

    def __init__(self, engine: Engine) -> None:
        self.registry = CollectorRegistry()
        self._steps = 0
        self._lock = threading.Lock()
        self._made: list[tuple[Metric, Any, list[tuple[str, ...]]]] = []
        for metric in itertools.chain.from_iterable(catalogue().values()):
            if metric.name not in EXPORTED:
                made = getattr(metric, metric.type)(self.registry)
                sets = list(itertools.product(*(values_of(metric, label) for label in metric.labels)))
                self._made.append((metric, made, sets))
        journey = Objective("journey", "events", Sli.EXTERNAL, Decimal("0.99"), 0, timeslices=Timeslices(120))
        objectives = (*pipeline_objectives("events"), journey)
        clock, store = ManualClock(time.time()), SliceStore(engine)
        last = int(clock.now()) // 60 * 60 - 60
        for objective in objectives:
            minutes = [last - 60 * n for n in range(_HISTORY_MINUTES)]
            store.book([Booking(objective.name, at, Slice(5_900, 6_000, 6_000, 60), last) for at in minutes])
        self._found = Rounds(engine, objectives, clock).go()
        self._totals = store.totals()
        self._exporter = Exporter(self.registry, objectives)
        fill(engine)
        found = look(Samples(engine), Watched(LIMITS[:4], BUDGETS[:2]), NOW)
        CapacityExporter(self.registry).publish(found.standings, found.costs, NOW)

    def text(self) -> bytes:
        """What a scrape gets, a step later each time."""
        with self._lock:
            self._steps += 1
            self._move()
            return generate_latest(self.registry)

    def _move(self) -> None:
        n = self._steps
        now_ms = int(time.time() * 1000)
        more = {
            name: replace(total, slice=total.slice + Slice(90 * n, 100 * n, 100 * n, n))
            for name, total in self._totals.items()
        }
        self._exporter.publish([replace(one, at_ms=now_ms) for one in self._found], more)
        for metric, made, sets in self._made:
            for i, labels in enumerate(sets):
                one = made.labels(*labels) if labels else made
                if metric.type == "counter":
                    one.inc(1 + i)
                elif metric.type == "histogram":
                    one.observe(metric.buckets[(n + i) % len(metric.buckets)])
                elif "timestamp" in metric.name or metric.name == "fairlane_isolator_last_tick_seconds":
                    one.set(time.time() - 1)
                elif metric.name.endswith("_offset"):
                    one.set(100 * n + i)
                else:
                    one.set(1 + (n + i) % 2)


@contextmanager
def exposed(world: World) -> Iterator[str]:
    """`host:port` of an HTTP server that shows the world at /metrics."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            body = world.text()
            self.send_response(200)
            self.send_header("Content-Type", "text/plain; version=0.0.4")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002
            """Say nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield f"127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()
        thread.join(10)
