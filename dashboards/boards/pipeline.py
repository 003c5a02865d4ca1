"""The pipeline board: is everyone fresh, and if not, where does it stand."""

from dashboards.boards import machinery
from dashboards.boards.common import OF_SLO, OF_SLO_ROW, PIPELINE, STATES, YES, notes
from dashboards.panels import (
    GREEN,
    RED,
    YELLOW,
    Board,
    Query,
    Row,
    Step,
    bars,
    heatmap,
    stat,
    states,
    steps,
    table,
    timeseries,
)
from dashboards.promql import age, buckets, highest, pick, quantile, rate, total
from ingestion.capture import metrics as capture
from ingestion.lanes import metrics as lanes
from ingestion.probe import metrics as probe
from isolator import metrics as isolator
from slo import metrics as slo
from slo.catalogue import Metric

UID = "fairlane-pipeline"
SLO_S = 30.0
_GENERAL = ('lane="general"',)
_HANDLED = ('outcome="handled"',)
_HOUR = ('window="1h"',)


def board() -> Board:
    """The board as a value."""
    return Board(
        UID,
        "Fairlane / Pipeline",
        "Freshness, lag and error budgets of the lanes, from the HTTP door to the sink.",
        (_now(), _objectives(), _lanes(), _workers(), _capture(), _telemetry(), machinery.row()),
        (PIPELINE,),
        notes(),
    )


def _now() -> Row:
    return Row(
        "Now",
        (
            stat(
                "Oldest age, general",
                "How long has the oldest unprocessed event waited? Promised are 30 s.",
                "s",
                Query(highest(probe.OLDEST_AGE, "pipeline", where=_GENERAL), "{{pipeline}}"),
                thresholds=steps(warn=SLO_S / 3, bad=SLO_S),
            ),
            stat(
                "Lag, general",
                "How many events wait in the general lane?",
                "short",
                Query(total(probe.LAG, "pipeline", where=_GENERAL), "{{pipeline}}"),
            ),
            stat(
                "Budget left",
                "How much of the period's error budget is left, worst objective first? Under a quarter means freeze.",
                "percentunit",
                Query(f"bottomk(3, {highest(slo.BUDGET_LEFT, 'slo')})", "{{slo}}"),
                thresholds=(Step(RED), Step(YELLOW, 0.25), Step(GREEN, 0.5)),
            ),
            stat(
                "Moved tokens",
                "Is anybody isolated now?",
                "short",
                Query(f"sum by (pipeline) ({highest(isolator.MOVED_TOKENS, 'pipeline', 'lane')})", "{{pipeline}}"),
                thresholds=(Step(GREEN), Step(YELLOW, 1)),
            ),
        ),
    )


def _objectives() -> Row:
    return Row(
        "Objectives",
        (
            states(
                "State of the objectives",
                "Which objective burned, and when was nothing known (frozen)?",
                Query(highest(slo.STATE, "slo"), "{{slo}}"),
                words=STATES,
                leads=(OF_SLO,),
                width=24,
                height=7,
            ),
            timeseries(
                "Burn rate, last hour",
                "At this speed, how many budgets a period are spent? 14.4 spends 2 % of the month in an hour.",
                "short",
                Query(highest(slo.BURN, "slo", where=_HOUR), "{{slo}}"),
                thresholds=steps(warn=1, bad=14.4),
            ),
            timeseries(
                "Budget left over time",
                "How did the budget go down?",
                "percentunit",
                Query(highest(slo.BUDGET_LEFT, "slo"), "{{slo}}"),
            ),
            timeseries(
                "Coverage, last hour",
                "How much of the hour was observed? Under 90 % alerts are frozen.",
                "percentunit",
                Query(highest(slo.COVERAGE, "slo", where=_HOUR), "{{slo}}"),
            ),
            table(
                "Time to exhaustion",
                "When is each budget gone at the present speed?",
                "s",
                Query(f"sort(min by (slo, pipeline) ({pick(slo.EXHAUSTION)}))", "{{slo}}"),
                leads=(OF_SLO_ROW,),
            ),
            table(
                "Budget left, as time",
                "How long may everything be down before the budget is gone?",
                "s",
                Query(f"sort(max by (slo, pipeline) ({pick(slo.BUDGET_LEFT_SECONDS)}))", "{{slo}}"),
                leads=(OF_SLO_ROW,),
            ),
            timeseries(
                "Moved share of traffic",
                "How much of the traffic is not counted as protected?",
                "percentunit",
                Query(highest(slo.MOVED_RATIO, "pipeline"), "{{pipeline}}"),
                thresholds=steps(warn=0.05, bad=0.1),
            ),
        ),
    )


def _lanes() -> Row:
    return Row(
        "Lanes",
        (
            timeseries(
                "Oldest age by lane",
                "Who waits, and for how long? general is promised 30 s, the side lanes 15 minutes.",
                "s",
                Query(highest(probe.OLDEST_AGE, "pipeline", "lane"), "{{pipeline}} {{lane}}"),
                thresholds=(Step(GREEN), Step(RED, SLO_S)),
            ),
            timeseries(
                "Lag by lane",
                "Where do events pile up?",
                "short",
                Query(total(probe.LAG, "pipeline", "lane"), "{{pipeline}} {{lane}}"),
            ),
            bars(
                "Lag by partition, general",
                "Is it one partition (a token, a key) or all of them (capacity, a stalled worker)?",
                "short",
                Query(total(probe.LAG, "pipeline", "partition", where=_GENERAL), "{{pipeline}}/{{partition}}"),
            ),
            bars(
                "Lag by partition, side lanes",
                "Which partitions keep moved tokens from coming back?",
                "short",
                Query(
                    total(probe.LAG, "pipeline", "lane", "partition", where=('lane!="general"',)),
                    "{{pipeline}} {{lane}}/{{partition}}",
                ),
            ),
            timeseries(
                "Throughput by lane",
                "How fast does each lane commit?",
                "ops",
                Query(f"sum by (pipeline, lane) (deriv({pick(probe.COMMITTED)}[1m]))", "{{pipeline}} {{lane}}"),
            ),
            timeseries(
                "Arrivals",
                "How much comes in, whoever writes it?",
                "ops",
                Query(rate(probe.SCOUT_RECORDS, "pipeline"), "{{pipeline}}"),
            ),
            timeseries(
                "Canary freshness",
                "How long does a record of our own take, without any traffic?",
                "s",
                Query(highest(probe.CANARY_FRESHNESS, "pipeline"), "{{pipeline}} worst partition"),
                thresholds=(Step(GREEN), Step(RED, SLO_S)),
            ),
            stat(
                "Deleted before handled",
                "Did records leave the log before they were committed? Anything but 0 is a loss.",
                "short",
                Query(highest(probe.LOG_START_AHEAD, "pipeline", "lane"), "{{pipeline}} {{lane}}"),
                thresholds=(Step(GREEN), Step(RED, 1)),
                width=12,
                height=8,
            ),
        ),
    )


def _workers() -> Row:
    return Row(
        "Workers",
        (
            timeseries(
                "Records settled",
                "What becomes of the records: handled, forwarded, given up?",
                "ops",
                Query(rate(lanes.RECORDS, "pipeline", "lane", "outcome"), "{{pipeline}} {{lane}} {{outcome}}"),
            ),
            timeseries(
                "Busy share",
                "How much of the workers' time goes into handlers? Near the number of workers there is nothing left.",
                "percentunit",
                Query(rate(lanes.BUSY, "pipeline", "lane"), "{{pipeline}} {{lane}} handler"),
                Query(rate(lanes.OVERHEAD, "pipeline", "lane"), "{{pipeline}} {{lane}} overhead"),
            ),
            timeseries(
                "Work per record",
                "Did a deploy make every record dearer?",
                "s",
                Query(
                    f"{rate(lanes.BUSY, 'pipeline', 'lane')} / {rate(lanes.RECORDS, 'pipeline', 'lane', where=_HANDLED)}",
                    "{{pipeline}} {{lane}}",
                ),
            ),
            timeseries(
                "Held partitions",
                "How long has a token that may not come back yet stopped its partition? At most 2 s.",
                "s",
                Query(highest(lanes.HELD, "pipeline"), "{{pipeline}} worst partition"),
                thresholds=steps(warn=1, bad=2.5),
            ),
            timeseries(
                "Fence entries",
                "How near is a partition to refusing moves? It holds 180.",
                "short",
                Query(highest(lanes.FENCE_ENTRIES, "pipeline"), "{{pipeline}} fullest partition"),
                thresholds=steps(warn=120, bad=180),
            ),
            states(
                "Paused, refused, held",
                "Has a worker stopped on purpose?",
                Query(highest(lanes.PAUSED, "pipeline", "lane"), "{{pipeline}} {{lane}} paused"),
                Query(highest(lanes.MOVES_REFUSED, "pipeline"), "{{pipeline}} moves refused"),
                Query(f"clamp_max({highest(lanes.WILDCARD, 'pipeline')}, 1)", "{{pipeline}} fence lost"),
                words=YES,
            ),
            timeseries(
                "Transactions",
                "Do they commit, or abort, end unknown, or get fenced?",
                "ops",
                Query(rate(lanes.TRANSACTIONS, "pipeline", "lane", "outcome"), "{{pipeline}} {{lane}} {{outcome}}"),
            ),
            timeseries(
                "Transaction time",
                "Does Kafka slow the workers down?",
                "s",
                Query(quantile(0.5, lanes.TRANSACTION_SECONDS, "pipeline", "lane"), "{{pipeline}} {{lane}} p50"),
                Query(quantile(0.99, lanes.TRANSACTION_SECONDS, "pipeline", "lane"), "{{pipeline}} {{lane}} p99"),
            ),
            timeseries(
                "Trouble",
                "Do handlers raise or hang, does Kafka complain?",
                "short",
                Query(_increase(lanes.HANDLER_ERRORS), "{{pipeline}} {{lane}} handler errors"),
                Query(_increase(lanes.HUNG), "{{pipeline}} {{lane}} hung"),
                Query(_increase(lanes.KAFKA_ERRORS), "{{pipeline}} {{lane}} Kafka errors"),
                Query(_increase(lanes.LOST), "{{pipeline}} {{lane}} lost"),
            ),
            stat(
                "Ready workers",
                "Is there a worker in every lane?",
                "short",
                Query(total(lanes.READY, "pipeline", "lane"), "{{pipeline}} {{lane}}"),
                thresholds=(Step(RED), Step(GREEN, 1)),
                width=12,
                height=8,
            ),
        ),
    )


def _increase(metric: Metric) -> str:
    return f"sum by (pipeline, lane) (increase({pick(metric)}[$__rate_interval]))"


def _capture() -> Row:
    return Row(
        "Capture",
        (
            timeseries(
                "Events by answer",
                "What did capture answer?",
                "ops",
                Query(rate(capture.EVENTS, "pipeline", "outcome"), "{{pipeline}} {{outcome}}"),
            ),
            timeseries(
                "Requests by status",
                "Are clients refused, and with what?",
                "reqps",
                Query(rate(capture.REQUESTS, "pipeline", "status"), "{{pipeline}} {{status}}"),
            ),
            timeseries(
                "Latency",
                "How long do clients wait for Kafka's confirmation? 99 % are promised within 200 ms.",
                "s",
                Query(quantile(0.5, capture.LATENCY, "pipeline"), "{{pipeline}} p50"),
                Query(quantile(0.99, capture.LATENCY, "pipeline"), "{{pipeline}} p99"),
                thresholds=(Step(GREEN), Step(RED, 0.2)),
            ),
            heatmap(
                "Latency, all requests",
                "Is it everyone, or a slow group?",
                "s",
                Query(buckets(capture.LATENCY), "{{le}}"),
            ),
            timeseries(
                "Waiting for confirmation",
                "Does Kafka keep up with capture?",
                "short",
                Query(total(capture.IN_FLIGHT, "pipeline"), "{{pipeline}}"),
            ),
            timeseries(
                "Late confirmations",
                "How many events are on the broker although their request was answered 503?",
                "ops",
                Query(rate(capture.LATE_CONFIRMATIONS, "pipeline"), "{{pipeline}}"),
            ),
        ),
    )


def _telemetry() -> Row:
    return Row(
        "Telemetry",
        (
            timeseries(
                "Age of the numbers",
                "Can the panels above be trusted?",
                "s",
                Query(age(probe.LAST_ROUND, "pipeline"), "{{pipeline}} probe"),
                Query(age(slo.BOOKED_AT, "pipeline"), "{{pipeline}} booking"),
                Query(f"time() - max({pick(slo.LAST_EVALUATION)})", "evaluation"),
                thresholds=steps(warn=15, bad=60),
            ),
            timeseries(
                "Probe rounds",
                "Does the probe reach Kafka?",
                "ops",
                Query(rate(probe.ROUNDS, "pipeline", "result"), "{{pipeline}} {{result}}"),
            ),
        ),
    )
