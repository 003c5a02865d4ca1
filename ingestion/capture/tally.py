"""What capture counts: for /metrics, and for the report that goes to telemetry each second."""

from typing import Final

from prometheus_client import CollectorRegistry

from ingestion.capture import metrics
from ingestion.contracts.telemetry import CAPTURE_SLOW_S, CaptureReport, TypeCount

LATENCIES_KEPT = 20_000
"""Latencies per interval; beyond it the interval's quantiles are of the first ones."""


THEIR_DOING: Final = frozenset({408, 499})
"""Statuses of requests whose time was the client's: its body came too slowly, or it left."""


class Tally:
    """Counts of one process; not thread-safe: it belongs to the event loop."""

    def __init__(self, pipeline: str, registry: CollectorRegistry) -> None:
        self._pipeline = pipeline
        events = metrics.EVENTS.counter(registry)
        self._accepted = events.labels(pipeline, "accepted")
        self._invalid = events.labels(pipeline, "invalid")
        self._throttled = events.labels(pipeline, "throttled")
        self._unconfirmed = events.labels(pipeline, "unconfirmed")
        self._limited = events.labels(pipeline, "limited")
        self._limited_tokens = metrics.LIMITED_TOKENS.gauge(registry).labels(pipeline)
        self._requests = metrics.REQUESTS.counter(registry)
        self._by_status = {202: self._requests.labels(pipeline, "202")}
        self._latency = metrics.LATENCY.histogram(registry).labels(pipeline)
        self._in_flight = metrics.IN_FLIGHT.gauge(registry).labels(pipeline)
        self._counts = [0, 0, 0, 0, 0]
        self._latencies: list[float] = []
        self._answered = self._slow = 0

    def events(
        self, *, accepted: int = 0, invalid: int = 0, throttled: int = 0, unconfirmed: int = 0, limited: int = 0
    ) -> None:
        """Count events by what was answered for them."""
        counts = self._counts
        if accepted:
            self._accepted.inc(accepted)
            counts[0] += accepted
        if invalid:
            self._invalid.inc(invalid)
            counts[1] += invalid
        if throttled:
            self._throttled.inc(throttled)
            counts[2] += throttled
        if unconfirmed:
            self._unconfirmed.inc(unconfirmed)
            counts[3] += unconfirmed
        if limited:
            self._limited.inc(limited)
            counts[4] += limited

    def request(self, status: int, seconds: float) -> None:
        """Count one answered request."""
        child = self._by_status.get(status)
        if child is None:
            child = self._by_status[status] = self._requests.labels(self._pipeline, str(status))
        child.inc()
        self._latency.observe(seconds)
        if status not in THEIR_DOING:
            self._answered += 1
            self._slow += seconds > CAPTURE_SLOW_S
        if len(self._latencies) < LATENCIES_KEPT:
            self._latencies.append(seconds)

    def in_flight(self, events: int) -> None:
        """Show how many events wait for confirmation."""
        self._in_flight.set(events)

    def limits(self, tokens: int) -> None:
        """Show how many tokens are limited."""
        self._limited_tokens.set(tokens)

    def report(self, at_ms: int, interval_s: float, types: tuple[TypeCount, ...] = ()) -> CaptureReport:
        """What happened since the last report, `types` included; begins the next interval."""
        accepted, invalid, throttled, failed, limited = self._counts
        ordered = sorted(self._latencies)
        self._counts, self._latencies = [0, 0, 0, 0, 0], []
        quantiles = (_at(ordered, 0.5), _at(ordered, 0.99), ordered[-1]) if ordered else ()
        answered, slow = self._answered, self._slow
        self._answered = self._slow = 0
        return CaptureReport(
            self._pipeline,
            at_ms,
            interval_s,
            accepted,
            invalid,
            throttled,
            failed,
            quantiles,
            limited,
            answered,
            slow,
            types,
        )


def _at(ordered: list[float], quantile: float) -> float:
    """The nearest-rank quantile of a non-empty ordered list."""
    return ordered[min(len(ordered) - 1, int(quantile * len(ordered)))]
