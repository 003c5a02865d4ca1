"""The workers' metrics."""

from typing import Final

from slo.catalogue import Metric

_LANE: Final = ("pipeline", "lane")
_PARTITION: Final = ("pipeline", "lane", "partition")

RECORDS: Final = Metric(
    "fairlane_worker_records_total",
    "counter",
    (*_LANE, "outcome"),
    "records",
    "Records settled by the workers: handled, forwarded, dead, canary.",
)
BUSY: Final = Metric(
    "fairlane_worker_busy_seconds_total", "counter", _LANE, "seconds", "Handler seconds: the work that this worker did."
)
OVERHEAD: Final = Metric(
    "fairlane_worker_overhead_seconds_total",
    "counter",
    _LANE,
    "seconds",
    "Seconds spent on neither handler nor waiting.",
)
POSITION: Final = Metric(
    "fairlane_worker_position", "gauge", _PARTITION, "offset", "The offset that this worker has committed."
)
BUFFERED: Final = Metric(
    "fairlane_worker_buffered_records", "gauge", _PARTITION, "records", "Records fetched that wait for their turn."
)
HELD: Final = Metric(
    "fairlane_worker_held_seconds",
    "gauge",
    _PARTITION,
    "seconds",
    "How long a token that may not come back yet has stopped the partition.",
)
TRANSACTIONS: Final = Metric(
    "fairlane_worker_transactions_total",
    "counter",
    (*_LANE, "outcome"),
    "transactions",
    "Transactions by outcome: committed, aborted, unknown, fenced.",
)
TRANSACTION_SECONDS: Final = Metric(
    "fairlane_worker_transaction_seconds", "histogram", _LANE, "seconds", "From begin to committed."
)
CHUNK_RECORDS: Final = Metric(
    "fairlane_worker_chunk_records",
    "histogram",
    _LANE,
    "records",
    "Records in a chunk.",
    (1, 10, 50, 100, 500, 1_000, 2_500, 5_000, 10_000),
)
HANDLER_ERRORS: Final = Metric(
    "fairlane_worker_handler_errors_total",
    "counter",
    _LANE,
    "calls",
    "Handler calls that raised or broke the contract.",
)
PAUSED: Final = Metric(
    "fairlane_worker_lane_paused",
    "gauge",
    _LANE,
    "bool",
    "1 while the lane hands out nothing because its handler fails on several tokens' records.",
)
MOVES_REFUSED: Final = Metric(
    "fairlane_worker_moves_refused",
    "gauge",
    _LANE,
    "bool",
    "1 while some partition's fence is full, so that new moves are refused.",
)
WILDCARD: Final = Metric(
    "fairlane_worker_wildcard_partitions",
    "gauge",
    _LANE,
    "partitions",
    "Partitions whose fence was lost: they wait until the lanes have drained.",
)
FENCE_ENTRIES: Final = Metric(
    "fairlane_worker_fence_entries",
    "gauge",
    _PARTITION,
    "entries",
    "Tokens of the partition that may be in flight in another lane.",
)
LOST: Final = Metric(
    "fairlane_worker_lost_records_total",
    "counter",
    _LANE,
    "records",
    "Records that retention deleted before they were handled: log start was beyond the committed offset.",
)
HUNG: Final = Metric("fairlane_worker_hung_total", "counter", _LANE, "calls", "Handler calls given up as hung.")
KAFKA_ERRORS: Final = Metric(
    "fairlane_worker_kafka_errors_total", "counter", _LANE, "errors", "Errors that the Kafka clients reported."
)
READY: Final = Metric("fairlane_worker_ready", "gauge", _LANE, "bool", "1 while the worker is assigned and turning.")

METRICS: Final[tuple[Metric, ...]] = (
    RECORDS, BUSY, OVERHEAD, POSITION, BUFFERED, HELD, TRANSACTIONS, TRANSACTION_SECONDS, CHUNK_RECORDS, HANDLER_ERRORS, PAUSED, MOVES_REFUSED, WILDCARD,
    FENCE_ENTRIES, LOST, HUNG, KAFKA_ERRORS, READY,
)  # fmt: skip
