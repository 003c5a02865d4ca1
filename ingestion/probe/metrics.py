"""The probe's metrics: the lanes as seen from outside the workers, so that a dead worker is still seen."""

from typing import Final

from slo.catalogue import Metric

_LANE = ("pipeline", "lane", "partition")

LAG: Final = Metric(
    "fairlane_lane_lag_records",
    "gauge",
    _LANE,
    "records",
    "Offsets between the lane group's committed position and the lane's last stable offset; never negative, errs high.",
)
OLDEST_AGE: Final = Metric(
    "fairlane_lane_oldest_age_seconds",
    "gauge",
    _LANE,
    "seconds",
    "Seconds since the oldest unprocessed record was captured; 0 when caught up, NaN while unknown.",
)
COMMITTED: Final = Metric(
    "fairlane_lane_committed_offset", "gauge", _LANE, "offset", "The lane group's committed offset; -1 without one."
)
END: Final = Metric("fairlane_lane_end_offset", "gauge", _LANE, "offset", "The lane's last stable offset.")
LOG_START_AHEAD: Final = Metric(
    "fairlane_lane_log_start_ahead_records",
    "gauge",
    _LANE,
    "records",
    "Offsets that left the log before they were committed: anything but 0 is a loss.",
)
AGE_UNKNOWN: Final = Metric(
    "fairlane_lane_age_unknown_partitions",
    "gauge",
    ("pipeline", "lane"),
    "partitions",
    "Partitions with lag whose oldest age the probe could not tell in its last round.",
)
CANARY_FRESHNESS: Final = Metric(
    "fairlane_canary_freshness_seconds",
    "gauge",
    ("pipeline", "partition"),
    "seconds",
    "From the last canary's produce to its commit in the general lane; while one is on its way for longer than that, its age so far.",
)
CANARIES_SENT: Final = Metric(
    "fairlane_canaries_sent_total", "counter", ("pipeline",), "records", "Canary records that Kafka confirmed."
)
CANARIES_FAILED: Final = Metric(
    "fairlane_canaries_failed_total",
    "counter",
    ("pipeline",),
    "records",
    "Canary records that Kafka did not confirm in time.",
)
ROUNDS: Final = Metric(
    "fairlane_probe_rounds_total",
    "counter",
    ("pipeline", "result"),
    "rounds",
    "Measuring rounds by result: `ok` or `failed`.",
)
ROUND_SECONDS: Final = Metric(
    "fairlane_probe_round_seconds", "histogram", ("pipeline",), "seconds", "How long a measuring round took."
)
LAST_ROUND: Final = Metric(
    "fairlane_probe_last_round_timestamp_seconds",
    "gauge",
    ("pipeline",),
    "seconds since the epoch",
    "When the lanes were last measured in full; an old one means that the lag above is old too.",
)
SCOUT_RECORDS: Final = Metric(
    "fairlane_scout_records_total",
    "counter",
    ("pipeline",),
    "records",
    "Records that the tail scout counted as arrivals.",
)
SCOUT_SKIPPED: Final = Metric(
    "fairlane_scout_skipped_records_total",
    "counter",
    ("pipeline",),
    "records",
    "Arrivals that the tail scout counted without looking at them, because it had fallen behind.",
)
SCOUT_TOKENS: Final = Metric(
    "fairlane_scout_active_tokens",
    "gauge",
    ("pipeline",),
    "tokens",
    "Different tokens among the arrivals of the last interval.",
)

METRICS: Final[tuple[Metric, ...]] = (
    LAG,
    OLDEST_AGE,
    COMMITTED,
    END,
    LOG_START_AHEAD,
    AGE_UNKNOWN,
    CANARY_FRESHNESS,
    CANARIES_SENT,
    CANARIES_FAILED,
    ROUNDS,
    ROUND_SECONDS,
    LAST_ROUND,
    SCOUT_RECORDS,
    SCOUT_SKIPPED,
    SCOUT_TOKENS,
)
"""Everything that the probe exports."""
