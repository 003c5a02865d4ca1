"""The choice of a chunk: how many records each partition gives to this turn. Pure.

Partitions that have records share the turn's predicted work equally; what one cannot use goes to the others. A partition whose next record costs more than
its share saves the share up, so that long records get their part in the long run and no more.
"""

from bisect import bisect_right
from collections.abc import Mapping
from typing import Protocol


class Source(Protocol):
    """One partition's candidates, looked at in blocks so that nobody prices records which are not taken."""

    @property
    def prefix(self) -> list[float]:
        """Predicted work, in seconds, of the first 1, 2, ... candidates seen so far: never decreasing."""
        ...

    def extend(self) -> bool:
        """Look at more candidates; False when there are no more (the end of the buffer, or a held record)."""
        ...


class _Cursor:
    __slots__ = ("charged", "ended", "source", "spent", "taken")

    def __init__(self, source: Source) -> None:
        self.source = source
        self.taken = 0
        self.spent = 0.0
        self.charged = 0.0
        self.ended = False

    def advance(self, work: float, records: int) -> tuple[float, int]:
        """Take up to `work` seconds and `records` more; returns what was taken."""
        # a hair more, so that sums of decimal costs do not fall one record short
        target = (self.spent + work) * (1 + 1e-9)
        prefix, most = self.source.prefix, self.taken + records
        while (not prefix or prefix[-1] <= target) and len(prefix) < most:
            if not self.source.extend():
                self.ended = True
                break
        count = max(self.taken, min(bisect_right(prefix, target), most))
        spent = prefix[count - 1] if count else 0.0
        gain = (spent - self.spent, count - self.taken)
        self.taken, self.spent = count, spent
        if count < len(prefix):
            self.ended = False
        return gain


def choose(sources: Mapping[int, Source], budget_s: float, limit: int, credit: dict[int, float]) -> dict[int, int]:
    """How many records to take from each partition: <= `limit` in all, <= `budget_s` of predicted work plus saved shares.

    `credit` (partition -> seconds saved up) is brought up to date. If no record fits any share, one is taken from the partition that has saved most,
    so every turn moves on when there is anything to do.
    """
    cursors = {p: _Cursor(s) for p, s in sources.items()}
    waiting = dict(cursors)
    work, room, first = budget_s, limit, True
    while waiting and room > 0 and work > 0:
        # max-min: all that wait are raised to one level, which rises as those that need less drop out
        level = (work + sum(c.charged for c in waiting.values())) / len(waiting)
        rows, ended = max(1, room // len(waiting)), []
        for partition, cursor in waiting.items():
            saved = credit.get(partition, 0.0) if first else 0.0
            spent, taken = cursor.advance(max(0.0, level - cursor.charged) + saved, min(rows, room))
            cursor.charged += max(0.0, spent - saved)
            work -= max(0.0, spent - saved)
            room -= taken
            if first:
                credit[partition] = level + saved if cursor.source.prefix else 0.0
            if cursor.taken:
                credit[partition] = 0.0
            if cursor.ended:
                ended.append(partition)
        first = False
        for partition in ended:
            del waiting[partition]
        if not ended:
            break
    takes = {p: c.taken for p, c in cursors.items() if c.taken}
    if not takes:
        able = [p for p, c in cursors.items() if c.source.prefix]
        if able:
            most = max(able, key=lambda p: credit.get(p, 0.0))
            credit[most] = 0.0
            takes = {most: 1}
    return takes
