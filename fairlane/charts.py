"""What the page draws: telemetry folded into points of five seconds. Pure; keeps the last few steps, so that a step may come in several batches."""

from collections.abc import Iterable
from typing import Final

from ingestion.contracts.names import Lane
from ingestion.contracts.telemetry import FRESHNESS_BUCKETS_S, LanePartition, Message, ProbeReport, SliCounts
from slo.quantile import quantile
from slo.series import STEP_MS

KEEP_STEPS: Final = 24
"""Steps that are still added to: two minutes."""
QUANTILES: Final = (("freshness_p50.protected", 0.5), ("freshness_p99.protected", 0.99))
UNKNOWN: Final = "unknown"

PointKey = tuple[str, int]
"""Name and time (ms, a multiple of STEP_MS)."""


class Charts:
    """Names: `oldest_age.LANE` (worst partition, s), `lag.LANE` (sum, records), `lag_max.LANE` (worst partition), `oldest_age.all` and `lag.all` (over the
    lanes), `canary` (slowest, s), `freshness_p50.protected`, `freshness_p99.protected` (s), `visible` (records that became visible), `visible.moved`.
    A step's value is its worst, `visible*` its sum.
    """

    def __init__(self) -> None:
        self._values: dict[PointKey, float] = {}
        self._histograms: dict[int, list[int]] = {}
        self._changed: set[PointKey] = set()

    def add(self, report: Message, at_ms: int) -> None:
        """Fold a report that the broker appended at `at_ms`; kinds that draw nothing are skipped."""
        if isinstance(report, ProbeReport):
            self._probe(report, at_ms)
        elif isinstance(report, SliCounts):
            self._outcomes(report, at_ms)

    def changed(self) -> dict[PointKey, float]:
        """The points that changed since `settled`."""
        return {key: self._values[key] for key in self._changed}

    def settled(self, now_ms: int) -> None:
        """The changed points are stored; old steps are forgotten."""
        self._changed.clear()
        oldest = now_ms - KEEP_STEPS * STEP_MS
        self._values = {key: value for key, value in self._values.items() if key[1] >= oldest}
        self._histograms = {at: counts for at, counts in self._histograms.items() if at >= oldest}

    def _probe(self, report: ProbeReport, at_ms: int) -> None:
        at = at_ms // STEP_MS * STEP_MS
        ages: list[float] = []
        for lane in Lane:
            rows = [row for row in report.lanes if row.lane is lane]
            if not rows:
                continue
            self._worst(f"lag.{lane}", at, sum(row.lag for row in rows))
            self._worst(f"lag_max.{lane}", at, max(row.lag for row in rows))
            if known := known_ages(rows):
                self._worst(f"oldest_age.{lane}", at, max(known))
                ages += known
        if report.lanes:
            self._worst("lag.all", at, sum(row.lag for row in report.lanes))
        if ages:
            self._worst("oldest_age.all", at, max(ages))
        if report.canary_s:
            self._worst("canary", at, max(seconds for _, seconds in report.canary_s))

    def _outcomes(self, report: SliCounts, at_ms: int) -> None:
        at = at_ms // STEP_MS * STEP_MS
        for row in report.counts:
            if row.kind in {"good", "slow", "late"}:
                self._add("visible", at, row.count)
                if row.population == "moved":
                    self._add("visible.moved", at, row.count)
        counts = report.protected_histogram
        if len(counts) != len(FRESHNESS_BUCKETS_S) + 1 or not any(counts):
            return
        held = self._histograms.setdefault(at, [0] * len(counts))
        held[:] = [old + new for old, new in zip(held, counts, strict=True)]
        for name, q in QUANTILES:
            value = quantile(q, FRESHNESS_BUCKETS_S, held)
            if value is not None:
                self._set((name, at), value)

    def _worst(self, name: str, at: int, value: float) -> None:
        self._set((name, at), max(value, self._values.get((name, at), value)))

    def _add(self, name: str, at: int, value: float) -> None:
        self._set((name, at), value + self._values.get((name, at), 0.0))

    def _set(self, key: PointKey, value: float) -> None:
        self._values[key] = value
        self._changed.add(key)


def known_ages(rows: Iterable[LanePartition]) -> list[float]:
    """Oldest ages (s) of the partitions where they are known."""
    return [row.oldest_age_s for row in rows if row.age_kind != UNKNOWN]
