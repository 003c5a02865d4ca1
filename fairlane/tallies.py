"""One batch of a pipeline's telemetry, folded into what the ledger adds and sets. Pure."""

from collections import Counter
from dataclasses import dataclass, field
from math import ceil
from typing import Any, Final

from fairlane.charts import known_ages
from ingestion.contracts.names import Lane
from ingestion.contracts.telemetry import CaptureReport, Message, ProbeReport, SliCounts
from slo.objective import Sli
from slo.quality import STEP_S, TypeCounts
from slo.seconds import Seconds, span

CAPTURE: Final = "capture"
"""Stands for a lane in the counts of what capture answered."""
HOLD_S: Final = 5
"""A report speaks for the time since the one before it, up to this many seconds: a round that took longer is no gap."""
PAST: Final = 3 * 24 * 60
FUTURE: Final = 60
"""Minutes around the batch's own time that can be booked."""
FOREVER_MS: Final = 1 << 62
MOST: Final = 10**12
"""A larger number in one row is nonsense, and its sum would not fit into the database."""
LONGEST_TYPE: Final = 1_000
"""Letters of an event type's name; capture takes no longer ones."""
PARTITIONS: Final = 1 << 15
"""No topic has more partitions."""

CountKey = tuple[int, str, str, str]
"""Minute, lane, population, kind."""


@dataclass(frozen=True, slots=True)
class Limits:
    """Where a second turns bad: the oldest record's age (s) and a partition's lag (records). `hold_s` as HOLD_S."""

    age_s: float
    lag: float
    hold_s: int = HOLD_S


@dataclass(slots=True)
class Tallies:
    """`counts` are added; `offsets` (by minute and partition) are set; `seconds` (by minute and SLI) are or-ed; `live` are the newest reports.

    `last` is the newest second that was told of, by SLI: it is carried from batch to batch. `limit_ms` is the latest time that is believed: a broker whose
    clock runs ahead must not close minutes that have not been.
    """

    limits: Limits
    last: dict[Sli, int] = field(default_factory=dict)
    watermark_ms: int = 0
    counts: Counter[CountKey] = field(default_factory=Counter)
    offsets: dict[tuple[int, int], int] = field(default_factory=dict)
    seconds: dict[tuple[int, Sli], Seconds] = field(default_factory=dict)
    types: dict[tuple[int, str], TypeCounts] = field(default_factory=dict)
    """Event types by step (Unix seconds of its start) and name: added."""
    live: dict[str, tuple[int, Any]] = field(default_factory=dict)
    out_of_range: int = 0
    limit_ms: int = FOREVER_MS

    def __post_init__(self) -> None:
        self.watermark_ms = min(self.watermark_ms, self.limit_ms)
        self.last = {sli: min(second, self.limit_ms // 1000) for sli, second in self.last.items()}

    def add(self, message: Message, at_ms: int) -> None:
        """Fold a message that the broker appended at `at_ms`; kinds that book nothing only advance the time."""
        at_ms = min(at_ms, self.limit_ms)
        self.tick(at_ms)
        if isinstance(message, SliCounts):
            self._outcomes(message)
        elif isinstance(message, ProbeReport):
            self._probe(message, at_ms)
        elif isinstance(message, CaptureReport):
            self._capture(message, at_ms)

    def tick(self, at_ms: int) -> None:
        """The broker appended something at `at_ms`: the booking's clock."""
        self.watermark_ms = max(self.watermark_ms, min(at_ms, self.limit_ms))

    def minutes(self) -> set[int]:
        """The minutes of which something was told."""
        return {k[0] for k in self.counts} | {k[0] for k in self.offsets} | {k[0] for k in self.seconds}

    def _outcomes(self, message: SliCounts) -> None:
        for row in message.counts:
            if 0 < row.count <= MOST and self._bookable(row.minute):
                self.counts[row.minute, str(message.lane), str(row.population), str(row.kind)] += row.count
            elif row.count > 0:
                self.out_of_range += min(row.count, MOST)

    def _probe(self, message: ProbeReport, at_ms: int) -> None:
        for row in message.expected:
            if self._bookable(row.minute) and 0 <= row.offsets <= MOST and 0 <= row.partition < PARTITIONS:
                self.offsets[row.minute, row.partition] = row.offsets
        general = [row for row in message.lanes if row.lane is Lane.GENERAL]
        second = at_ms // 1000
        if general:
            self._mark(Sli.LAG, second, bad=max(row.lag for row in general) >= self.limits.lag)
        if ages := known_ages(general):
            self._mark(Sli.OLDEST_AGE, second, bad=max(ages) > self.limits.age_s)
        if message.lanes:
            self.live["lanes"] = (
                at_ms,
                [[str(r.lane), r.partition, r.lag, r.oldest_age_s, r.age_kind] for r in message.lanes],
            )

    def _capture(self, message: CaptureReport, at_ms: int) -> None:
        second = at_ms // 1000
        for kind in ("accepted", "failed", "invalid", "throttled", "limited", "requests", "slow"):
            if 0 < (count := getattr(message, kind)) <= MOST:
                self.counts[second // 60, CAPTURE, "all", kind] += count
        step = second // STEP_S * STEP_S
        for row in message.types:
            if max(row.events, row.nulls, row.duplicates, row.late) > MOST or len(row.name) > LONGEST_TYPE:
                continue
            counts = TypeCounts(row.events, row.nulls, row.duplicates, row.late)
            self.types[step, row.name] = self.types.get((step, row.name), TypeCounts()) + counts
            for kind, count in (("typed", row.events), ("nulls", row.nulls), ("duplicates", row.duplicates)):
                if count:
                    self.counts[second // 60, CAPTURE, "all", kind] += count
        whole = min(max(ceil(message.interval_s), 1), 60)
        begin = min(second - whole + 1, self.last.get(Sli.CAPTURE_AVAILABILITY, second) + 1)
        self._span(Sli.CAPTURE_AVAILABILITY, max(begin, second - self.limits.hold_s - whole), second, bad=False)

    def _mark(self, sli: Sli, second: int, *, bad: bool) -> None:
        """A look at `second` speaks for the time since the look before, unless that is longer ago than a missed round or two."""
        gap = second - self.last.get(sli, second)
        self._span(sli, second - gap + 1 if 1 < gap <= self.limits.hold_s else second, second, bad=bad)

    def _span(self, sli: Sli, begin: int, end: int, *, bad: bool) -> None:
        for minute, marked in span(begin, end, bad=bad).items():
            self.seconds[minute, sli] = self.seconds.get((minute, sli), Seconds()) | marked
        self.last[sli] = max(end, self.last.get(sli, end))

    def _bookable(self, minute: int) -> bool:
        now = self.watermark_ms // 60_000
        return now - PAST < minute <= now + FUTURE
