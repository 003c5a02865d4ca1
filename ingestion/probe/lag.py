"""Lag arithmetic, pure: what the offsets of one lane partition say."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Offsets:
    """One lane partition: the group's committed offset (-1 without one), the log start and the last stable offset.

    `committed` was read first, so that lag errs high.
    """

    committed: int
    start: int
    end: int

    @property
    def head(self) -> int:
        """Where the oldest unprocessed record is, or behind: the committed offset, else (or if it left the log) the log start."""
        return max(self.committed, self.start)

    @property
    def lag(self) -> int:
        """Offsets that wait, never negative; without a commit they count from the log start."""
        from_offset = self.committed if self.committed >= 0 else self.start
        return max(self.end - from_offset, 0)

    @property
    def lost(self) -> int:
        """Offsets that left the log before they were committed: 0, or an alarm."""
        return max(self.start - self.committed, 0) if self.committed >= 0 else 0


def born_between(known: tuple[int, int], end: tuple[int, int], offset: int) -> int:
    """When the record at `offset` was captured (ms), on a straight line between two (offset, ms) points.

    Outside the two offsets the nearer point's time holds. The line errs high while arrivals grow, low while they fade.
    """
    (low, low_ms), (high, high_ms) = known, end
    if offset <= low or high <= low:
        return low_ms
    if offset >= high:
        return high_ms
    return low_ms + (high_ms - low_ms) * (offset - low) // (high - low)
