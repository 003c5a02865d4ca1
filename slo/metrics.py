"""The metrics of the SLO room: what the booking counts, what an evaluation found, how the jobs behind them run.

Rules take `increase(fairlane_slo_expected_total[w])` less that of `fairlane_slo_good_total`, which is the bad, and divide it by the first less that of
`fairlane_slo_revised_total`, which is what was due: numerator and denominator are summed apart and divided last. Targets and thresholds are series, so that the number of rules does not grow with the number of objectives. `slo` is unique over all pipelines.
"""

from typing import Final

from slo.catalogue import Metric

_SLO: Final = ("slo", "pipeline", "population")

TARGET: Final = Metric("fairlane_slo_target", "gauge", _SLO, "ratio", "The objective's target, such as 0.9999")
INFO: Final = Metric(
    "fairlane_slo_info",
    "gauge",
    (*_SLO, "sli", "owner", "runbook"),
    "1",
    "1 for each objective: what it measures, who owns it, where its runbook is",
)
GOOD: Final = Metric(
    "fairlane_slo_good_total",
    "counter",
    _SLO,
    "events or seconds",
    "Good events, or good seconds of a time-slice objective. It never goes back: what a revision takes back is raised again, here and in the expected alike",
)
EXPECTED: Final = Metric(
    "fairlane_slo_expected_total",
    "counter",
    _SLO,
    "events or seconds",
    "Events that are due (resolved, or unresolved past the deadline), or observed seconds. Less the good ones it is what was bad, exactly",
)
REVISIONS: Final = Metric(
    "fairlane_slo_revised_total",
    "counter",
    _SLO,
    "events or seconds",
    "What good and expected were raised by, so that revisions of minutes of the last hour did not make them go back: take it off before dividing",
)
OBSERVED: Final = Metric(
    "fairlane_slo_observed_seconds_total",
    "counter",
    _SLO,
    "seconds",
    "Seconds for which telemetry told what to expect: its increase over a window, divided by the window, is the coverage",
)
BURN: Final = Metric(
    "fairlane_slo_burn_rate",
    "gauge",
    ("slo", "window"),
    "ratio",
    "Error ratio over the window divided by 1 - target: at 1 the budget lasts exactly its period",
)
COVERAGE: Final = Metric(
    "fairlane_slo_coverage_ratio",
    "gauge",
    ("slo", "window"),
    "ratio",
    "Share of the window, as far as the objective existed, that was observed: under 0.9 the objective is frozen",
)
THRESHOLD: Final = Metric(
    "fairlane_slo_burn_threshold",
    "gauge",
    ("slo", "window", "tier", "pair", "side"),
    "ratio",
    "Burn rate that both windows of the pair must exceed; tier is page or ticket, side long or short",
)
BUDGET_LEFT: Final = Metric(
    "fairlane_slo_budget_left_ratio",
    "gauge",
    _SLO,
    "ratio",
    "Share of the error budget that is left; negative when overspent",
)
BUDGET_LEFT_SECONDS: Final = Metric(
    "fairlane_slo_budget_left_seconds",
    "gauge",
    _SLO,
    "seconds",
    "The error budget that is left, as time of full outage",
)
EXHAUSTION: Final = Metric(
    "fairlane_slo_exhaustion_seconds",
    "gauge",
    _SLO,
    "seconds",
    "Time until the budget is spent at the present burn rate; +Inf when nothing burns",
)
LATE: Final = Metric(
    "fairlane_slo_late_seconds",
    "gauge",
    ("slo",),
    "seconds",
    "By how much later than others the minutes of an objective are known, where they are: its time slices or its deadline are long",
)
BAD_MINUTES: Final = Metric(
    "fairlane_slo_bad_minutes",
    "gauge",
    ("slo",),
    "minutes",
    "Minutes with something bad among the last five that are known, only of objectives whose time slices are longer than a minute: their minutes come together",
)
STATE: Final = Metric("fairlane_slo_state", "gauge", _SLO, "0 ok, 1 firing, 2 frozen", "What the last evaluation found")
SEVERITY: Final = Metric(
    "fairlane_slo_severity",
    "gauge",
    _SLO,
    "0 none, 1 ticket, 2 page",
    "How urgent it is; a frozen objective keeps the severity it had",
)
MOVED_RATIO: Final = Metric(
    "fairlane_slo_moved_traffic_ratio",
    "gauge",
    ("pipeline",),
    "ratio",
    "Share of the events of the last hour whose token was moved when they were appended",
)
LAST_EVALUATION: Final = Metric(
    "fairlane_slo_last_evaluation_timestamp_seconds",
    "gauge",
    (),
    "seconds",
    "Unix time of the last finished evaluation",
)
JOB_DURATION: Final = Metric(
    "fairlane_slo_job_duration_seconds", "histogram", ("job",), "seconds", "How long a scheduled job took"
)
JOB_ERRORS: Final = Metric("fairlane_slo_job_errors_total", "counter", ("job",), "runs", "Scheduled jobs that failed")
JOB_MISSED: Final = Metric(
    "fairlane_slo_job_missed_total",
    "counter",
    ("job",),
    "runs",
    "Scheduled jobs that were skipped because they came too late",
)
SOURCE_ERRORS: Final = Metric(
    "fairlane_slo_source_errors_total",
    "counter",
    ("slo",),
    "reads",
    "Reads of an objective's source that failed or came half: its minutes are missing until a later read has them",
)
BOOKED: Final = Metric(
    "fairlane_booking_messages_total",
    "counter",
    ("pipeline", "kind"),
    "messages",
    "Telemetry messages that were booked",
)
UNREADABLE: Final = Metric(
    "fairlane_booking_unreadable_total",
    "counter",
    ("pipeline",),
    "messages",
    "Telemetry messages that could not be read",
)
REVISED: Final = Metric(
    "fairlane_booking_revised_total",
    "counter",
    ("pipeline",),
    "slices",
    "Slices that late data changed after they were closed",
)
TOO_LATE: Final = Metric(
    "fairlane_booking_too_late_total",
    "counter",
    ("pipeline",),
    "events",
    "Outcomes of minutes so old that their slices cannot be revised any more",
)
SKEWED: Final = Metric(
    "fairlane_booking_skewed_total",
    "counter",
    ("pipeline",),
    "events",
    "Events without a capture time, or with one in the future: counted from their append time",
)
BOOKING_ERRORS: Final = Metric(
    "fairlane_booking_errors_total",
    "counter",
    ("pipeline",),
    "batches",
    "Batches that could not be booked and were tried again",
)
BOOKED_AT: Final = Metric(
    "fairlane_booking_last_message_timestamp_seconds",
    "gauge",
    ("pipeline",),
    "seconds",
    "Append time of the newest booked telemetry: time() minus this is how stale the SLOs are",
)
CAPTURED_AT: Final = Metric(
    "fairlane_booking_last_capture_timestamp_seconds",
    "gauge",
    ("pipeline",),
    "seconds",
    "Append time of the newest report of a capture process; no series while none has ever reported, as capture is not required",
)

QUALITY: Final = Metric(
    "fairlane_quality_ratio",
    "gauge",
    ("pipeline", "type", "signal"),
    "ratio",
    "Data quality of the last hour by event type (the worst of them): volume_drop, volume_rise, nulls, duplicates, late; invalid is the pipeline's, with an empty type",
)
QUALITY_LIMIT: Final = Metric(
    "fairlane_quality_limit_ratio", "gauge", ("signal",), "ratio", "Above this the signal of an event type is a finding"
)

METRICS: Final[tuple[Metric, ...]] = (
    QUALITY,
    QUALITY_LIMIT,
    TARGET,
    INFO,
    GOOD,
    EXPECTED,
    REVISIONS,
    OBSERVED,
    BURN,
    COVERAGE,
    THRESHOLD,
    BUDGET_LEFT,
    BUDGET_LEFT_SECONDS,
    EXHAUSTION,
    LATE,
    BAD_MINUTES,
    STATE,
    SEVERITY,
    MOVED_RATIO,
    LAST_EVALUATION,
    JOB_DURATION,
    JOB_ERRORS,
    JOB_MISSED,
    SOURCE_ERRORS,
    BOOKED,
    UNREADABLE,
    REVISED,
    TOO_LATE,
    SKEWED,
    BOOKING_ERRORS,
    BOOKED_AT,
    CAPTURED_AT,
)
