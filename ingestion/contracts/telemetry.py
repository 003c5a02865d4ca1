"""Telemetry: compact, versioned messages on `fairlane.telemetry`, keyed by pipeline.

Five kinds of report and one of request travel there. `sli` messages are produced inside the worker's transaction, so their counts are exact under
read_committed; all others are plain. Times ending in `_ms` are Unix milliseconds, durations ending in `_s` are seconds, work is handler seconds.
"""

from collections.abc import Sequence
from dataclasses import dataclass, fields
from enum import StrEnum
from typing import Any, Final

import orjson

from ingestion.contracts import checks
from ingestion.contracts.loads import OTHER, TokenLoad, TokenRows
from ingestion.contracts.names import CONTRACT_VERSION, Lane

__all__ = [
    "CAPTURE_SLOW_S",
    "FRESHNESS_BUCKETS_S",
    "MOVED_WITHIN_S",
    "OTHER",
    "TOP_TOKENS",
    "Action",
    "ArrivalReport",
    "CaptureReport",
    "Command",
    "Expected",
    "Kind",
    "LanePartition",
    "Message",
    "MinuteCount",
    "PartitionLoad",
    "Population",
    "ProbeReport",
    "SliCounts",
    "TokenLoad",
    "TokenRows",
    "Trouble",
    "TroubleKind",
    "TypeCount",
    "UnknownMessage",
    "WorkerReport",
    "decode",
    "encode",
    "kind_of",
]

TOP_TOKENS: Final = 64
"""Tokens a partition that are reported exactly."""
FRESHNESS_BUCKETS_S: Final = (0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 15.0, 30.0, 60.0, 120.0, 300.0, 900.0, 3600.0)
"""Upper bounds of the freshness histogram; one more bucket holds what is beyond."""

MOVED_WITHIN_S: Final = 900.0
"""What is promised to a moved token: visible within this many seconds of capture."""
CAPTURE_SLOW_S: Final = 0.2
"""A request to capture that took longer is slow."""


class Population(StrEnum):
    """Who is counted. `all` is the sum of the other two and never sent."""

    PROTECTED = "protected"
    MOVED = "moved"


class Kind(StrEnum):
    """How a record's outcome is counted in its minute."""

    GOOD = "good"
    SLOW = "slow"
    """Moved population only: past T, but within MOVED_WITHIN_S of capture. Late for `all`, good for the moved population's own objective."""
    LATE = "late"
    DEAD = "dead"
    INVALID = "invalid"
    REPLAYED = "replayed"
    HISTORICAL = "historical"
    CANARY = "canary"
    GAP = "gap"
    """An offset without a record (control marker, compacted away): not expected."""
    FORWARDED = "forwarded"
    """Seen by the general worker and sent on: its outcome comes from the other lane. Tells the booking to which population it belongs."""


@dataclass(frozen=True, slots=True)
class PartitionLoad:
    """One partition in one worker over `WorkerReport.interval_s`."""

    partition: int
    position: int
    end: int
    buffered: int
    busy_s: float
    handled: int
    forwarded: int
    held_s: float = 0.0
    assigned_s: float = 0.0
    in_flight_token: str = ""
    in_flight_s: float = 0.0
    retrying: bool = False


class TroubleKind(StrEnum):
    """Why a worker wants a token in quarantine."""

    HUNG = "hung"
    """Its record's handler call hung."""
    FAILING = "failing"
    """Its records fail with unknown errors: all of those of over 1 % of a minute's records."""


@dataclass(frozen=True, slots=True)
class Trouble:
    """A token that hangs or fails its handler; the worker already wants it in quarantine, under the fence."""

    token: str
    partition: int
    kind: TroubleKind
    attempts: int = 1


@dataclass(frozen=True, slots=True)
class WorkerReport:
    """What one worker did in the last second."""

    pipeline: str
    at_ms: int
    interval_s: float
    lane: Lane
    slot: str
    build: str
    overhead_s: float
    """Thread-seconds of the interval that went neither into the handler nor into waiting: what is missing from a capacity of `concurrency`."""
    partitions: tuple[PartitionLoad, ...] = ()
    tokens: Sequence[TokenLoad] = ()
    moves_refused: bool = False
    """F would not fit in the offset metadata: new moves are refused on some partition."""
    concurrency: int = 1
    troubles: tuple[Trouble, ...] = ()


@dataclass(frozen=True, slots=True)
class ArrivalReport:
    """What was appended to the general topic in the last second, as the tail scout saw it."""

    pipeline: str
    at_ms: int
    interval_s: float
    tokens: Sequence[TokenLoad] = ()
    active_sketch: str = ""
    """Base64 of an Apache DataSketches HLL sketch of the tokens seen in the interval."""


@dataclass(frozen=True, slots=True)
class LanePartition:
    """One partition of one lane as the probe saw it: committed offset first, last stable offset second, so that lag errs high."""

    lane: Lane
    partition: int
    committed: int
    end: int
    lag: int
    oldest_age_s: float
    age_kind: str
    """`exact`, `interpolated` or `unknown`."""
    log_start: int = 0


@dataclass(frozen=True, slots=True)
class Expected:
    """Offsets that the general partition took in one closed minute, by append time; repeated reports set, they do not add."""

    minute: int
    partition: int
    offsets: int


@dataclass(frozen=True, slots=True)
class ProbeReport:
    """The lanes seen from outside the workers, each second; canaries and closed minutes when there are any."""

    pipeline: str
    at_ms: int
    lanes: tuple[LanePartition, ...] = ()
    canary_s: tuple[tuple[int, float], ...] = ()
    """(partition, seconds from produce to committed) of canaries that became visible."""
    expected: tuple[Expected, ...] = ()


@dataclass(frozen=True, slots=True)
class MinuteCount:
    """`count` outcomes of one kind among records appended in `minute` (Unix minutes)."""

    minute: int
    population: Population
    kind: Kind
    count: int


@dataclass(frozen=True, slots=True)
class SliCounts:
    """The outcomes of one committed chunk."""

    pipeline: str
    at_ms: int
    lane: Lane
    counts: tuple[MinuteCount, ...] = ()
    protected_histogram: tuple[int, ...] = ()
    """Freshness of protected records: len(FRESHNESS_BUCKETS_S) + 1 counts, or empty for none."""
    skewed: int = 0
    """Records without captured_at, or with one in the future."""


@dataclass(frozen=True, slots=True)
class TypeCount:
    """Taken events of one type (or OTHER): how many, and how many of them lack a required field, were seen before, came late (HISTORICAL)."""

    name: str
    events: int = 0
    nulls: int = 0
    duplicates: int = 0
    late: int = 0


@dataclass(frozen=True, slots=True)
class CaptureReport:
    """What one capture process answered in the last second."""

    pipeline: str
    at_ms: int
    interval_s: float
    accepted: int = 0
    invalid: int = 0
    throttled: int = 0
    failed: int = 0
    latency_s: tuple[float, ...] = ()
    """p50, p99 and max of the requests in the interval; empty for none."""
    limited: int = 0
    """Refused because their token is limited: the client's doing, in no SLI."""
    requests: int = 0
    """Requests answered, less those that the client gave up or sent too slowly."""
    slow: int = 0
    """Of these, answered later than CAPTURE_SLOW_S after their first byte."""
    types: tuple[TypeCount, ...] = ()


class Action(StrEnum):
    """What a person may ask of the controller."""

    MOVE = "move"
    RESTORE = "restore"
    RESTORE_ALL = "restore_all"
    MODE = "mode"
    PROTECT = "protect"
    EXEMPT = "exempt"
    CLEAR = "clear"
    APPROVE = "approve"
    DECLINE = "decline"
    CHANGE = "change"
    """Tells of a deploy or another change; moves nothing."""


@dataclass(frozen=True, slots=True)
class Command:
    """A person's request to the controller, which answers by writing `fairlane.state`."""

    pipeline: str
    at_ms: int
    id: str
    action: Action
    by: str
    reason: str = ""
    token: str = ""
    lane: Lane | None = None
    mode: str = ""
    expires_ms: int | None = None
    service: str = ""
    """What was changed (CHANGE only; its note is `reason`)."""
    version: str = ""
    """What it was changed to (CHANGE only)."""
    happened_ms: int | None = None
    """When it was changed (CHANGE only); None for now."""


Message = WorkerReport | ArrivalReport | ProbeReport | SliCounts | CaptureReport | Command

_KINDS: Final[dict[str, type[Message]]] = {
    "worker": WorkerReport,
    "arrivals": ArrivalReport,
    "probe": ProbeReport,
    "sli": SliCounts,
    "capture": CaptureReport,
    "command": Command,
}
_NAMES: Final = {cls: name for name, cls in _KINDS.items()}

# Rows travel as arrays under these fields, in the order of the row's own fields: a third of the bytes of objects.
_ROWS: Final[dict[str, type]] = {
    "partitions": PartitionLoad,
    "tokens": TokenLoad,
    "lanes": LanePartition,
    "expected": Expected,
    "counts": MinuteCount,
    "troubles": Trouble,
    "types": TypeCount,
}


class UnknownMessage(ValueError):
    """The bytes are not telemetry of a version and kind that this build reads: skip and count it."""


def encode(message: Message) -> bytes:
    """The message as versioned JSON."""
    body: dict[str, Any] = {"v": CONTRACT_VERSION, "k": _NAMES[type(message)]}
    for name in message.__dataclass_fields__:
        value: Any = getattr(message, name)
        if name in _ROWS:
            value = [[getattr(row, f) for f in row.__dataclass_fields__] for row in value]
        body[name] = value
    return orjson.dumps(body)


def kind_of(value: bytes) -> str:
    """The message's kind without decoding it, "" when it cannot be told."""
    head = value[:40]
    start = head.find(b'"k":"')
    return head[start + 5 : head.find(b'"', start + 5)].decode(errors="replace") if start >= 0 else ""


def decode(value: bytes) -> Message:
    """The message in `value`, `tokens` by column. Fields that this build does not know are ignored, missing ones take their default.

    Raises UnknownMessage for anything that is not a message of this contract version with a value of the right kind in every field and row: no number that is
    missing, negative or not finite, no row of a wrong length. Whoever reads the result need not check it again.
    """
    try:
        body = orjson.loads(value)
        if body.pop("v") != CONTRACT_VERSION:
            raise UnknownMessage("telemetry of another contract version")
        cls = _KINDS[body.pop("k")]
        known = _CHECKS[cls]
        return cls(**{name: known[name](raw) for name, raw in body.items() if name in known})
    except UnknownMessage:
        raise
    except (ValueError, KeyError, TypeError, AttributeError, OverflowError) as error:
        raise UnknownMessage(f"not telemetry: {error}") from error


def _rows(cls: type) -> checks.Check:
    """The check of a list of rows of `cls`: trailing fields with a default may be missing."""
    columns = list(_checks(cls).values())

    def row(values: Any) -> Any:
        if type(values) is not list or len(values) > len(columns):
            raise ValueError(f"not a row of {cls.__name__}")
        return cls(*(check(value) for check, value in zip(columns, values, strict=False)))

    return checks.many(row)


def _checks(cls: type) -> dict[str, checks.Check]:
    return {f.name: _BY_NAME.get(f.name) or checks.BY_TYPE.get(f.type) or _ENUMS[f.type] for f in fields(cls)}


_ENUMS: Final[dict[object, checks.Check]] = {enum: enum for enum in (Action, Population, Kind, TroubleKind)}
_BY_NAME: Final[dict[str, checks.Check]] = {
    "partition": checks.partition,
    "interval_s": checks.interval,
    "concurrency": checks.positive,
    "canary_s": checks.many(checks.pair(checks.partition, checks.number)),
    "protected_histogram": checks.many(checks.count),
    "latency_s": checks.many(checks.number),
    "oldest_age_s": checks.number,
    **dict.fromkeys(("position", "end", "committed", "log_start"), checks.offset),
}
_BY_NAME.update({name: _rows(cls) for name, cls in _ROWS.items() if cls is not TokenLoad}, tokens=TokenRows.parse)
_CHECKS: Final = {cls: _checks(cls) for cls in _NAMES}
