"""Telemetry for tests: short names for the messages that the booking reads."""

from collections.abc import Mapping, Sequence

from ingestion.contracts.names import Lane
from ingestion.contracts.telemetry import (
    FRESHNESS_BUCKETS_S,
    CaptureReport,
    Expected,
    Kind,
    LanePartition,
    MinuteCount,
    Population,
    ProbeReport,
    SliCounts,
)


def outcomes(
    pipeline: str,
    minute: int,
    kinds: Mapping[Kind, int],
    *,
    lane: Lane = Lane.GENERAL,
    population: Population = Population.PROTECTED,
    histogram: Mapping[int, int] | None = None,
) -> SliCounts:
    """One chunk's outcomes, all of one minute; `histogram` counts by bucket."""
    counts = tuple(MinuteCount(minute, population, kind, count) for kind, count in kinds.items())
    buckets = [0] * (len(FRESHNESS_BUCKETS_S) + 1)
    for bucket, count in (histogram or {}).items():
        buckets[bucket] = count
    return SliCounts(pipeline, minute * 60_000, lane, counts, tuple(buckets) if histogram else ())


def probe(
    pipeline: str,
    at_ms: int,
    *,
    ages: Sequence[float] = (),
    lags: Sequence[int] = (),
    offsets: Mapping[int, Sequence[int]] | None = None,
) -> ProbeReport:
    """The general lane as seen at `at_ms`: a partition an age (with `lags`, 0 each when left out); `offsets` by minute, a partition each."""
    lanes = tuple(
        LanePartition(Lane.GENERAL, p, 0, 0, lags[p] if lags else 0, age, "exact") for p, age in enumerate(ages)
    )
    expected = tuple(Expected(minute, p, n) for minute, by in (offsets or {}).items() for p, n in enumerate(by))
    return ProbeReport(pipeline, at_ms, lanes, (), expected)


def capture(pipeline: str, at_ms: int, accepted: int, failed: int = 0, interval_s: float = 1.0) -> CaptureReport:
    """What capture answered in the interval before `at_ms`."""
    return CaptureReport(pipeline, at_ms, interval_s, accepted, 0, 0, failed)
