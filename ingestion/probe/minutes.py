"""Closed minutes: how many offsets each general partition took in each minute, by append time. Pure.

LogAppendTime makes it exact: a minute's offsets are the difference between the first offset appended at its end or later and the same at its start.
"""

from collections.abc import Mapping
from typing import Final

from ingestion.contracts.telemetry import Expected

MINUTE_MS: Final = 60_000
GRACE_MS: Final = 2_000
"""After a minute's end: the broker's clock may be this much behind ours."""
BACKFILL: Final = 360
"""Minutes that are told again after a start: the probe keeps no state, and six hours of its absence may be missing."""
PER_ROUND: Final = 10
"""Minutes that are asked for in one round."""
REPEAT: Final = 1
"""A minute is told again with this many following ones, in case its report was lost: repeats set, they do not add."""

Boundaries = Mapping[int, Mapping[int, int]]
"""Time (ms, a multiple of MINUTE_MS) to partition to the first offset appended then or later."""


class MinuteBook:
    """Which minutes are still to be told, newest first."""

    def __init__(self, now_ms: int) -> None:
        self._first = now_ms // MINUTE_MS
        self._newest = last_closed(now_ms)
        self._due = set(range(self._newest - BACKFILL + 1, self._newest + 1))

    def due(self, now_ms: int) -> list[int]:
        """The minutes to tell now, newest first, PER_ROUND at most."""
        newest = last_closed(now_ms)
        if newest > self._newest:
            self._due.update(range(max(self._newest + 1 - REPEAT, newest - BACKFILL + 1), newest + 1))
            self._newest = newest
        return sorted(self._due, reverse=True)[:PER_ROUND]

    def expected(self, minutes: list[int], at: Boundaries, starts: Mapping[int, int]) -> list[Expected]:
        """What each partition took in those of `minutes` whose two boundaries are known; these are due no longer.

        `starts` are the log starts. Of the time before this probe, minutes that the log no longer holds whole, or in which a partition had not
        begun, are left out: they would be told as empty.
        """
        told = []
        for minute in minutes:
            low, high = at.get(minute * MINUTE_MS), at.get((minute + 1) * MINUTE_MS)
            if low is None or high is None:
                continue
            self._due.discard(minute)
            for partition, start in starts.items():
                if minute >= self._first or (high[partition] > start and (low[partition] > start or start == 0)):
                    told.append(Expected(minute, partition, max(high[partition] - low[partition], 0)))
            if minute < self._first and all(high[p] <= start for p, start in starts.items()):
                self._due = {m for m in self._due if m > minute}  # before the first record there is nothing
        return told


def last_closed(now_ms: int) -> int:
    """The newest Unix minute that has ended, the grace included."""
    return (now_ms - GRACE_MS) // MINUTE_MS - 1


def boundaries(minutes: list[int]) -> list[int]:
    """The times (ms) between which `minutes` lie."""
    return sorted({m * MINUTE_MS for m in minutes} | {(m + 1) * MINUTE_MS for m in minutes})
