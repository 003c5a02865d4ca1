"""The metrics of capture."""

from typing import Final

from slo.catalogue import Metric

EVENTS: Final = Metric(
    "fairlane_capture_events_total",
    "counter",
    ("pipeline", "outcome"),
    "events",
    "Events by what capture answered for them: accepted (confirmed by Kafka), invalid, throttled, unconfirmed, limited (beyond its token's limit).",
)
LIMITED_TOKENS: Final = Metric(
    "fairlane_capture_limited_tokens",
    "gauge",
    ("pipeline",),
    "tokens",
    "Tokens whose events this process limits, as the controller's routes say.",
)
REQUESTS: Final = Metric(
    "fairlane_capture_requests_total",
    "counter",
    ("pipeline", "status"),
    "requests",
    "Requests to /v1/events by HTTP status.",
)
LATENCY: Final = Metric(
    "fairlane_capture_request_seconds",
    "histogram",
    ("pipeline",),
    "seconds",
    "Time from the first byte of a request's body to its answer, Kafka's confirmation included.",
    buckets=(0.005, 0.01, 0.025, 0.05, 0.1, 0.2, 0.5, 1.0, 2.5, 5.0, 10.0),
)
IN_FLIGHT: Final = Metric(
    "fairlane_capture_in_flight",
    "gauge",
    ("pipeline",),
    "events",
    "Events that wait for Kafka's confirmation in this process.",
)
LATE_CONFIRMATIONS: Final = Metric(
    "fairlane_capture_late_confirmations_total",
    "counter",
    ("pipeline",),
    "events",
    "Events that Kafka confirmed after their request had been answered 503: on the broker, though not acknowledged.",
)
PRODUCERS_REPLACED: Final = Metric(
    "fairlane_capture_producers_replaced_total",
    "counter",
    ("pipeline",),
    "producers",
    "Kafka producers given up after a fatal error.",
)

METRICS: Final[tuple[Metric, ...]] = (
    EVENTS,
    LIMITED_TOKENS,
    REQUESTS,
    LATENCY,
    IN_FLIGHT,
    LATE_CONFIRMATIONS,
    PRODUCERS_REPLACED,
)
