"""A partition while it is ours: its buffer, its fence, and where it stands."""

from dataclasses import dataclass, field

from ingestion.lanes.buffer import Buffer
from ingestion.lanes.fence import Fence
from ingestion.lanes.metadata import Suspect


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

    def rewound(self, committed: int, fence: Fence, suspect: Suspect | None, must_commit: bool) -> None:
        """Position and F as `committed()` has them; whatever was fetched is forgotten."""
        self.buffer.clear()
        self.committed, self.fence, self.suspect, self.must_commit = committed, fence, suspect, must_commit
        self.eof = -1
