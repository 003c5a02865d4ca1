"""The metrics of capacity: how far each limit is used, when it is forecast to be reached, what the cost budgets have spent.

Levels and lead times are series, so that the number of rules does not grow with the number of limits.
"""

from typing import Final

from slo.catalogue import Metric

_LIMIT: Final = ("limit",)
_BUDGET: Final = ("budget",)

INFO: Final = Metric(
    "fairlane_capacity_info",
    "gauge",
    ("limit", "owner", "project", "unit"),
    "1",
    "1 for each limit: who owns it, the project that raises it, what it counts",
)
CURRENT: Final = Metric(
    "fairlane_capacity_current",
    "gauge",
    _LIMIT,
    "the limit's unit",
    "The newest value; no series while none is known, or it is too old",
)
LEVEL: Final = Metric(
    "fairlane_capacity_level",
    "gauge",
    ("limit", "level"),
    "the limit's unit",
    "Where work must have begun (trigger), and where it is too late (critical)",
)
LEAD_TIME: Final = Metric(
    "fairlane_capacity_lead_time_seconds",
    "gauge",
    _LIMIT,
    "seconds",
    "Time that raising the limit takes, from the decision to the effect",
)
BREACH: Final = Metric(
    "fairlane_capacity_breach_timestamp_seconds",
    "gauge",
    ("limit", "bound"),
    "seconds",
    "Unix time at which the forecast passes critical: early and late bound of the interval, and likely; +Inf for not within the horizon",
)
SLACK: Final = Metric(
    "fairlane_capacity_slack_seconds",
    "gauge",
    _LIMIT,
    "seconds",
    "Time left until work must begin: likely breach, less the lead time, less now; negative is too late, +Inf not within the horizon",
)
STATE: Final = Metric(
    "fairlane_capacity_state", "gauge", _LIMIT, "0 ok, 1 yellow, 2 red, 3 unknown", "What the policy says of the limit"
)
SAMPLED: Final = Metric(
    "fairlane_capacity_last_sample_timestamp_seconds",
    "gauge",
    _LIMIT,
    "seconds",
    "Unix time of the limit's newest sample",
)
SAMPLE_ERRORS: Final = Metric(
    "fairlane_capacity_sample_errors_total",
    "counter",
    ("limit",),
    "reads",
    "Reads of a limit's or a budget's source that failed",
)
LAST_RUN: Final = Metric(
    "fairlane_capacity_last_run_timestamp_seconds", "gauge", (), "seconds", "Unix time of the last finished forecast"
)
COST_INFO: Final = Metric(
    "fairlane_cost_info",
    "gauge",
    ("budget", "owner", "currency"),
    "1",
    "1 for each cost budget: who owns it, in which currency",
)
COST_SPENT: Final = Metric(
    "fairlane_cost_spent_ratio",
    "gauge",
    _BUDGET,
    "ratio",
    "Spent since the month began, divided by the month's budget",
)
COST_FORECAST: Final = Metric(
    "fairlane_cost_forecast_ratio",
    "gauge",
    _BUDGET,
    "ratio",
    "Spending forecast for the whole month at the pace of its last seven days, divided by the budget",
)
COST_WEEK: Final = Metric(
    "fairlane_cost_week_ratio",
    "gauge",
    _BUDGET,
    "ratio",
    "Cost of the last seven days divided by that of the seven before",
)

METRICS: Final[tuple[Metric, ...]] = (
    INFO,
    CURRENT,
    LEVEL,
    LEAD_TIME,
    BREACH,
    SLACK,
    STATE,
    SAMPLED,
    SAMPLE_ERRORS,
    LAST_RUN,
    COST_INFO,
    COST_SPENT,
    COST_FORECAST,
    COST_WEEK,
)
