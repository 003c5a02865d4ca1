"""The last row of the pipeline board: whether the machinery that carries, measures and judges is itself well."""

from dashboards.panels import GREEN, RED, YELLOW, Query, Row, Step, heatmap, steps, timeseries
from dashboards.promql import age, buckets, highest, pick, quantile, rate, total
from ingestion.capture import metrics as capture
from ingestion.lanes import metrics as lanes
from ingestion.probe import metrics as probe
from isolator import metrics as isolator
from slo import metrics as slo


def row() -> Row:
    """The row as a value."""
    return Row(
        "Machinery",
        (
            timeseries(
                "Appended and committed",
                "Is more written to a lane than its workers commit?",
                "ops",
                Query(f"sum by (pipeline, lane) (deriv({pick(probe.END)}[1m]))", "{{pipeline}} {{lane}} appended"),
                Query(
                    f"sum by (pipeline, lane) (deriv({pick(lanes.POSITION)}[1m]))", "{{pipeline}} {{lane}} committed"
                ),
            ),
            timeseries(
                "Fetched and waiting",
                "Do records wait in the workers' memory, rather than in Kafka?",
                "short",
                Query(total(lanes.BUFFERED, "pipeline", "lane"), "{{pipeline}} {{lane}}"),
            ),
            heatmap(
                "Records in a chunk",
                "Do chunks fill, or does each record pay for a transaction of its own?",
                "short",
                Query(buckets(lanes.CHUNK_RECORDS), "{{le}}"),
            ),
            timeseries(
                "Canaries",
                "Do our own records get through, and does Kafka confirm them?",
                "ops",
                Query(rate(probe.CANARIES_SENT, "pipeline"), "{{pipeline}} sent"),
                Query(rate(probe.CANARIES_FAILED, "pipeline"), "{{pipeline}} not confirmed"),
            ),
            timeseries(
                "Time of a probe round",
                "Does Kafka answer the outside look quickly?",
                "s",
                Query(quantile(0.5, probe.ROUND_SECONDS, "pipeline"), "{{pipeline}} p50"),
                Query(quantile(0.99, probe.ROUND_SECONDS, "pipeline"), "{{pipeline}} p99"),
                thresholds=steps(warn=1, bad=5),
            ),
            timeseries(
                "What the probe could not tell",
                "Of which partitions is the oldest age unknown, and what did the scout not look at?",
                "short",
                Query(highest(probe.AGE_UNKNOWN, "pipeline", "lane"), "{{pipeline}} {{lane}} ages unknown"),
                Query(
                    f"sum by (pipeline) (increase({pick(probe.SCOUT_SKIPPED)}[$__rate_interval]))",
                    "{{pipeline}} arrivals skipped",
                ),
                thresholds=(Step(GREEN), Step(YELLOW, 1)),
            ),
            timeseries(
                "Tokens that arrive",
                "How many different tokens does the scout see in an interval?",
                "short",
                Query(highest(probe.SCOUT_TOKENS, "pipeline"), "{{pipeline}}"),
            ),
            timeseries(
                "Capture's limits and producers",
                "Whose events are limited at the door, and did a producer have to be replaced?",
                "short",
                Query(highest(capture.LIMITED_TOKENS, "pipeline"), "{{pipeline}} tokens limited"),
                Query(
                    f"sum by (pipeline) (increase({pick(capture.PRODUCERS_REPLACED)}[$__rate_interval]))",
                    "{{pipeline}} producers replaced",
                ),
            ),
            timeseries(
                "Telemetry's way",
                "How late does telemetry reach the controller, and when did capture last report?",
                "s",
                Query(highest(isolator.TELEMETRY_LAG, "pipeline"), "{{pipeline}} to the controller"),
                Query(age(slo.CAPTURED_AT, "pipeline"), "{{pipeline}} since capture reported"),
                thresholds=steps(warn=15, bad=60),
            ),
            timeseries(
                "Time of the jobs",
                "Does an evaluation of all objectives stay under a second?",
                "s",
                Query(quantile(0.99, slo.JOB_DURATION, "job"), "{{job}} p99"),
                thresholds=(Step(GREEN), Step(RED, 15)),
            ),
        ),
    )
