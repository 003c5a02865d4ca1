"""The metrics of the web app."""

from typing import Final

from slo.catalogue import Metric

REQUESTS: Final = Metric(
    "fairlane_web_requests_total",
    "counter",
    ("route", "status"),
    "requests",
    "Requests that the web app answered, by route and status",
)
SECONDS: Final = Metric(
    "fairlane_web_request_seconds",
    "histogram",
    ("route",),
    "seconds",
    "Time that the web app took to answer, by route",
    (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 1.0),
)
STALE: Final = Metric(
    "fairlane_web_source_age_seconds",
    "gauge",
    ("pipeline",),
    "seconds",
    "Age of the newest report that the page shows when it was last asked for",
)

REFUSED: Final = Metric(
    "fairlane_web_refused_total",
    "counter",
    ("reason",),
    "requests",
    "Requests that the web app turned away, by reason: host, origin (a foreign page), identity (nobody knows who), role",
)

METRICS: Final[tuple[Metric, ...]] = (REQUESTS, SECONDS, STALE, REFUSED)
