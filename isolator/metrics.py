"""What the control plane measures of itself. Dashboards, alerts and docs may use these names only."""

from typing import Final

from slo.catalogue import Metric

LAST_TICK: Final = Metric(
    "fairlane_isolator_last_tick_seconds",
    "gauge",
    ("pipeline",),
    "seconds",
    "Unix time of the last completed decision; too old means that nobody watches the pipeline",
)
TICK_SECONDS: Final = Metric(
    "fairlane_isolator_tick_duration_seconds", "histogram", ("pipeline",), "seconds", "Time that one decision took"
)
MODE: Final = Metric(
    "fairlane_isolator_mode",
    "gauge",
    ("pipeline", "mode"),
    "",
    "1 for the mode that the pipeline is in, 0 for the others",
)
DIAGNOSIS: Final = Metric(
    "fairlane_isolator_diagnosis",
    "gauge",
    ("pipeline", "diagnosis"),
    "",
    "1 for the diagnosis of the last decision, 0 for the others",
)
DECISIONS: Final = Metric(
    "fairlane_isolator_decisions_total", "counter", ("pipeline", "kind"), "verdicts", "Verdicts recorded, by kind"
)
MOVED_TOKENS: Final = Metric(
    "fairlane_isolator_moved_tokens", "gauge", ("pipeline", "lane"), "tokens", "Tokens wanted in a side lane now"
)
ACTIVE_TOKENS: Final = Metric(
    "fairlane_isolator_active_tokens", "gauge", ("pipeline",), "tokens", "Tokens seen in the last minute, estimated"
)
MOVED_TRAFFIC: Final = Metric(
    "fairlane_isolator_moved_traffic_ratio",
    "gauge",
    ("pipeline",),
    "ratio",
    "Share of arrivals that belongs to moved tokens",
)
ANOMALY: Final = Metric(
    "fairlane_isolator_anomaly_score",
    "gauge",
    ("pipeline", "token"),
    "-log10 p",
    "Anomaly score of the 20 highest tokens; `other` is the highest of the rest",
)
UTILISATION: Final = Metric(
    "fairlane_isolator_utilisation_ratio",
    "gauge",
    ("pipeline", "moved"),
    "ratio",
    "Highest utilisation rho of a general partition, with and without the moved tokens (moved = with | without)",
)
DELAY: Final = Metric(
    "fairlane_isolator_delay_seconds",
    "gauge",
    ("pipeline", "moved"),
    "seconds",
    "Largest delay D = backlog work / capacity of a general partition, with and without the moved tokens (moved = with | without)",
)
HOT_PARTITIONS: Final = Metric(
    "fairlane_isolator_hot_partitions",
    "gauge",
    ("pipeline",),
    "partitions",
    "Partitions that the gate confirmed as hot",
)
BASELINE_SECONDS: Final = Metric(
    "fairlane_isolator_baseline_seconds",
    "gauge",
    ("pipeline",),
    "seconds",
    "Calm time that the baselines were learned from",
)
STALE: Final = Metric(
    "fairlane_isolator_stale_input", "gauge", ("pipeline",), "", "1 while telemetry is too old for new moves"
)
INPUT_AGE: Final = Metric(
    "fairlane_isolator_input_age_seconds",
    "gauge",
    ("pipeline", "source"),
    "seconds",
    "Age of the newest report at the last decision, by source (worker, arrivals, probe)",
)
MOVES_REFUSED: Final = Metric(
    "fairlane_isolator_moves_refused",
    "gauge",
    ("pipeline",),
    "",
    "1 while a worker refuses moves because its fence map is full",
)
COMMANDS: Final = Metric(
    "fairlane_isolator_commands_total",
    "counter",
    ("pipeline", "action", "result"),
    "commands",
    "Commands answered, by result (ok | refused)",
)
REPORTS: Final = Metric(
    "fairlane_isolator_reports_total",
    "counter",
    ("kind",),
    "messages",
    "Telemetry messages folded, by kind; `unreadable` were skipped for what they hold, `worker-old`, `arrivals-old` and `probe-old` for their age",
)
FOLD_SECONDS: Final = Metric(
    "fairlane_isolator_fold_seconds_total",
    "counter",
    ("pipeline",),
    "seconds",
    "Time spent on decoding and folding telemetry; its rate is the share of a core that this takes",
)
TELEMETRY_LAG: Final = Metric(
    "fairlane_isolator_telemetry_lag_seconds",
    "gauge",
    ("pipeline",),
    "seconds",
    "The longest time from append to fold of a telemetry message since the decision before; growing means that the controller does not keep up",
)
STATE_WRITES: Final = Metric(
    "fairlane_isolator_state_writes_total",
    "counter",
    ("result",),
    "transactions",
    "Transactions on fairlane.state (committed | aborted | fenced)",
)
PROJECTION_DROPPED: Final = Metric(
    "fairlane_isolator_projection_dropped_total",
    "counter",
    (),
    "verdicts",
    "Verdicts not written to the database because its queue was full or it failed; Kafka has them",
)
OWNED: Final = Metric(
    "fairlane_isolator_owned", "gauge", ("pipeline",), "", "1 while this controller owns the pipeline"
)

METRICS: Final[tuple[Metric, ...]] = (
    LAST_TICK,
    TICK_SECONDS,
    MODE,
    DIAGNOSIS,
    DECISIONS,
    MOVED_TOKENS,
    ACTIVE_TOKENS,
    MOVED_TRAFFIC,
    ANOMALY,
    UTILISATION,
    DELAY,
    HOT_PARTITIONS,
    BASELINE_SECONDS,
    STALE,
    INPUT_AGE,
    MOVES_REFUSED,
    COMMANDS,
    REPORTS,
    FOLD_SECONDS,
    TELEMETRY_LAG,
    STATE_WRITES,
    PROJECTION_DROPPED,
    OWNED,
)
