"""One pipeline's telemetry folded into what the page shows. Pure: feed it messages with the time at which the broker appended them.

Not thread-safe; whoever owns it locks.
"""

from collections import deque
from collections.abc import Iterable
from typing import Final

from fairlane.app.observation import AgeKind, LaneNow, PartitionNow, Point
from ingestion.contracts.names import CANARY_TOKEN, Lane
from ingestion.contracts.telemetry import (
    FRESHNESS_BUCKETS_S,
    OTHER,
    ArrivalReport,
    LanePartition,
    Message,
    ProbeReport,
    SliCounts,
    WorkerReport,
)
from slo.quantile import quantile

STEP_S: Final = 5
"""The charts have a point each 5 s: the worst age of the step, the quantiles of all its outcomes."""
KEEP_S: Final = 960
RECENT_S: Final = 10.0
"""Rates, busy shares and "most work by" are taken over this long."""
_KINDS: Final[dict[str, AgeKind]] = {"exact": "exact", "interpolated": "interpolated"}


class _Step:
    """One step of the charts, while it fills."""

    __slots__ = ("ages", "histogram")

    def __init__(self) -> None:
        self.ages: dict[Lane, float] = {}
        self.histogram: list[int] = []


class Fold:
    """The last 16 minutes of one pipeline."""

    def __init__(self) -> None:
        self.seen_s: float | None = None
        self._steps: dict[int, _Step] = {}
        self._probe: tuple[LanePartition, ...] = ()
        self._canaries: deque[tuple[float, float]] = deque()
        self._workers: dict[tuple[Lane, str], deque[WorkerReport]] = {}
        self._arrivals: deque[ArrivalReport] = deque()

    def add(self, message: Message, at_s: float) -> None:
        """Fold one message; kinds that the page does not show are skipped."""
        if isinstance(message, ProbeReport):
            self._add_probe(message, at_s)
        elif isinstance(message, SliCounts):
            self._add_outcomes(message, at_s)
        elif isinstance(message, WorkerReport):
            self._seen(at_s)
            self._workers.setdefault((message.lane, message.slot), deque(maxlen=60)).append(message)
        elif isinstance(message, ArrivalReport):
            self._arrivals.append(message)
            _drop_old(self._arrivals, message.at_ms - RECENT_S * 1000)

    def lanes(self, now_s: float) -> tuple[LaneNow, ...]:
        """Every lane as last seen; nothing when the probe has never reported."""
        return tuple(self._lane(lane, now_s) for lane in Lane) if self._probe else ()

    def partitions(self, now_s: float) -> tuple[PartitionNow, ...]:
        """The general lane's partitions, in their order."""
        reports = self._recent(Lane.GENERAL, now_s)
        return tuple(_partition(row, reports) for row in self._probe if row.lane is Lane.GENERAL)

    def history(self, now_s: float) -> tuple[Point, ...]:
        """A point per step, oldest first; the step that still fills ends at `now_s`."""
        return tuple(
            _point(min(at + STEP_S, now_s), step) for at, step in sorted(self._steps.items()) if at >= now_s - KEEP_S
        )

    def arrivals(self, now_s: float) -> float | None:
        """Events a second that came into general over RECENT_S; None when no scout reports."""
        recent = [report for report in self._arrivals if report.at_ms >= (now_s - RECENT_S - 2) * 1000]
        span = sum(report.interval_s for report in recent)
        events = sum(row.records for report in recent for row in report.tokens if row.token != CANARY_TOKEN)
        return events / span if span else None

    def shares(self, now_s: float) -> dict[str, float]:
        """Each token's share of the work of all lanes over RECENT_S; empty when there was none."""
        work: dict[str, float] = {}
        for lane in Lane:
            for report in self._recent(lane, now_s):
                for row in report.tokens:
                    work[row.token] = work.get(row.token, 0.0) + row.work_s
        whole = sum(work.values())
        return {token: part / whole for token, part in work.items() if token != OTHER} if whole else {}

    def _add_probe(self, report: ProbeReport, at_s: float) -> None:
        if report.canary_s:
            self._canaries.extend((at_s, seconds) for _, seconds in report.canary_s)
            while self._canaries and self._canaries[0][0] < at_s - 60:
                self._canaries.popleft()
        if not report.lanes:
            return
        self._seen(at_s)
        self._probe = tuple(sorted(report.lanes, key=lambda row: row.partition))
        step = self._step(at_s)
        for row in report.lanes:
            if row.age_kind in _KINDS:
                step.ages[row.lane] = max(step.ages.get(row.lane, 0.0), row.oldest_age_s)

    def _add_outcomes(self, report: SliCounts, at_s: float) -> None:
        counts = report.protected_histogram
        if len(counts) != len(FRESHNESS_BUCKETS_S) + 1:
            return
        step = self._step(at_s)
        step.histogram = [old + new for old, new in zip(step.histogram or [0] * len(counts), counts, strict=True)]

    def _seen(self, at_s: float) -> None:
        self.seen_s = max(self.seen_s or at_s, at_s)

    def _step(self, at_s: float) -> _Step:
        at = int(at_s) // STEP_S * STEP_S
        if at not in self._steps:
            self._steps[at] = _Step()
            for old in [key for key in self._steps if key < at - KEEP_S]:
                del self._steps[old]
        return self._steps[at]

    def _recent(self, lane: Lane, now_s: float) -> list[WorkerReport]:
        since = (now_s - RECENT_S) * 1000
        return [
            report
            for (where, _), kept in self._workers.items()
            if where is lane
            for report in kept
            if report.at_ms >= since
        ]

    def _lane(self, lane: Lane, now_s: float) -> LaneNow:
        rows = [row for row in self._probe if row.lane is lane]
        reports = self._recent(lane, now_s)
        span = sum(report.interval_s for report in reports)
        capacity = sum(report.interval_s * report.concurrency for report in reports)
        workers = len({report.slot for report in reports})
        loads = [row for report in reports for row in report.partitions]
        ages = [row.oldest_age_s for row in rows if row.age_kind in _KINDS]
        return LaneNow(
            lane,
            sum(row.lag for row in rows) if rows else None,
            max(ages) if ages else None,
            self._freshness(now_s) if lane is Lane.GENERAL else None,
            min(sum(row.busy_s for row in loads) / capacity, 1.0) if capacity else None,
            sum(row.handled for row in loads) / span * workers if span else None,
            sum(row.forwarded for row in loads) / span * workers if span else None,
            workers,
        )

    def _freshness(self, now_s: float) -> float | None:
        """Median over the last two steps; without traffic, the canaries' median of the last minute."""
        recent = [
            step.histogram for at, step in self._steps.items() if at >= now_s - RECENT_S - STEP_S and step.histogram
        ]
        counts = [sum(column) for column in zip(*recent, strict=True)]
        if counts and any(counts):
            return quantile(0.5, FRESHNESS_BUCKETS_S, counts)
        canaries = sorted(seconds for at, seconds in self._canaries if at >= now_s - 60)
        return canaries[len(canaries) // 2] if canaries else None


def _partition(row: LanePartition, reports: Iterable[WorkerReport]) -> PartitionNow:
    work: dict[str, float] = {}
    busy = capacity = 0.0
    newest = None
    for report in reports:
        load = next((load for load in report.partitions if load.partition == row.partition), None)
        if load is None:
            continue
        busy += load.busy_s
        capacity += report.interval_s * report.concurrency
        if newest is None or report.at_ms > newest[0]:
            newest = (report.at_ms, load)
        for token in report.tokens:
            if token.partition == row.partition:
                work[token.token] = work.get(token.token, 0.0) + token.work_s
    whole = sum(work.values())
    top = max(
        (token for token in work if token not in {OTHER, CANARY_TOKEN}), key=lambda token: work[token], default=""
    )
    last = newest[1] if newest else None
    return PartitionNow(
        row.partition,
        row.lag,
        row.oldest_age_s if row.age_kind in _KINDS else None,
        _KINDS.get(row.age_kind, "unknown"),
        min(busy / capacity, 1.0) if capacity else None,
        top if whole else "",
        work[top] / whole if whole and top else None,
        last.in_flight_token if last else "",
        last.in_flight_s if last else 0.0,
        bool(last and last.held_s),
        bool(last and last.retrying),
    )


def _point(at_s: float, step: _Step) -> Point:
    def at(q: float) -> float | None:
        return quantile(q, FRESHNESS_BUCKETS_S, step.histogram) if any(step.histogram) else None

    return Point(at_s, max(step.ages.values(), default=None), step.ages.get(Lane.GENERAL), at(0.5), at(0.99))


def _drop_old(reports: deque[ArrivalReport], before_ms: float) -> None:
    while reports and reports[0].at_ms < before_ms:
        reports.popleft()
