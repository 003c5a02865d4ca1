"""A partition while it is ours: its buffer, its fence, and where it stands."""

from dataclasses import dataclass, field
from typing import Final

from ingestion.lanes.buffer import Buffer
from ingestion.lanes.fence import Fence
from ingestion.lanes.metadata import Suspect

RETRY_S: Final = (0.1, 30.0)
"""Shortest and longest rest after a Retry."""
_WEIGHT: Final = 0.3


@dataclass(slots=True)
class Owned:
    """State of one assigned partition. All of it comes from `committed()`, none survives an abort."""

    partition: int
    buffer: Buffer
    committed: int
    """The position that this group has committed (its log start when it had none)."""
    assigned_at: float
    """Monotonic seconds."""
    fence: Fence = field(default_factory=Fence)
    suspect: Suspect | None = None
    must_commit: bool = False
    """The group has no commit here yet: the log start is to be committed."""
    eof: int = -1
    """The offset of the last partition-EOF event, -1 when none."""
    retry_at: float = 0.0
    retry_delay: float = 0.0
    record_s: float = 1e-3
    """Predicted work of its records, as seen in its last chunks."""

    def try_again(self, settled: int, wait_s: float, now: float) -> None:
        """A Retry after `settled` records that are done: the partition rests for what the handler asked, backed off while it is the same record again and again."""
        low, high = RETRY_S
        again = 0.0 if settled else self.retry_delay * 2
        self.retry_delay = min(high, max(low, wait_s, again))
        self.retry_at = now + self.retry_delay

    def learn(self, record_s: float) -> None:
        """A chunk's records were predicted to cost `record_s` each. Cheaper is believed at once: a buffer that is too small is paused again and again."""
        self.record_s = record_s if record_s < self.record_s else self.record_s + _WEIGHT * (record_s - self.record_s)

    def rewound(self, committed: int, fence: Fence, suspect: Suspect | None, must_commit: bool) -> None:
        """Position and F as `committed()` has them; whatever was fetched is forgotten."""
        self.buffer.clear()
        self.committed, self.fence, self.suspect, self.must_commit = committed, fence, suspect, must_commit
        self.eof = -1
