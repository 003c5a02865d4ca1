"""The metrics of the built-in pager."""

from typing import Final

from slo.catalogue import Metric

STANDING: Final = Metric(
    "fairlane_pager_standing_alerts", "gauge", ("tier",), "alerts", "Alerts that have fired and not ended, by tier"
)
DELIVERIES: Final = Metric(
    "fairlane_pager_deliveries_total",
    "counter",
    ("channel", "result"),
    "messages",
    "Messages that a channel took (sent) or not (failed: they are tried again)",
)
WAITING: Final = Metric(
    "fairlane_pager_waiting_messages", "gauge", ("channel",), "messages", "Messages that wait for a channel"
)
LAST_ROUND: Final = Metric(
    "fairlane_pager_last_round_timestamp_seconds",
    "gauge",
    (),
    "seconds",
    "Unix time of the last round in which the pager judged the alerts; 0 while another process pages",
)
SCRAPE_ERRORS: Final = Metric(
    "fairlane_pager_scrape_errors_total",
    "counter",
    (),
    "reads",
    "Reads of another process's metrics that failed",
)

METRICS: Final[tuple[Metric, ...]] = (STANDING, DELIVERIES, WAITING, LAST_ROUND, SCRAPE_ERRORS)
