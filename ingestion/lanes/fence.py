"""The fence: which lane a token's next record may go to, so that no key is ever lost, doubled or reordered. Pure.

F of one source partition is {(token hash, lane): L}, L being the offset in that lane of the token's last forward. A token may go to lane X (handling it
here counts as `general`) when every entry that it has in F, wildcard included, is for X itself or is drained: that lane's group has committed *more
than* L. Model-checked; see docs/explanation on the fence before changing anything here.
"""

import hashlib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Final

from ingestion.contracts.names import SIDE_LANES, Lane

CAPACITY: Final = 180
"""Entries that fit into 4,095 characters of offset metadata."""
WILDCARD: Final = 0
"""The token hash that stands for every token: what may be in flight is not known."""

Drained = Callable[[Lane, int], bool]
"""(lane, L) -> has that lane's group committed more than L on this partition? A stale no is safe; a wrong yes is not."""


def token_hash(token: bytes) -> int:
    """The token's 64-bit name in F: BLAKE2b, never WILDCARD."""
    return int.from_bytes(hashlib.blake2b(token, digest_size=8).digest(), "big") or 1


@dataclass(frozen=True, slots=True)
class Decision:
    """Where a token goes in this chunk; `lane` None means hold."""

    lane: Lane | None
    fallback: Lane | None = None
    """While held: the one lane into which rule 4 lets it be forwarded instead; None when it must wait (wildcard)."""
    refused: bool = False
    """A move was wanted, but F is full: it stays where it is."""


@dataclass(slots=True)
class Fence:
    """F of one source partition."""

    entries: dict[tuple[int, Lane], int] = field(default_factory=dict)

    def __len__(self) -> int:
        """Entries, wildcards included."""
        return len(self.entries)

    def lanes(self) -> set[Lane]:
        """The lanes whose committed offsets are needed to decide."""
        return {lane for _, lane in self.entries}

    def drain(self, drained: Drained) -> None:
        """Drop every entry whose lane has caught up with it."""
        for key, last in list(self.entries.items()):
            if drained(key[1], last):
                del self.entries[key]

    def in_flight(self, token: int) -> tuple[set[Lane], bool]:
        """The lanes in which the token may still be in flight, and whether a wildcard says so. Drained entries must have been dropped."""
        own = {lane for lane in SIDE_LANES if (token, lane) in self.entries}
        wild = {lane for lane in SIDE_LANES if (WILDCARD, lane) in self.entries}
        return own | wild, bool(wild)

    def decide(self, token: int, wanted: Lane, reserved: int = 0) -> Decision:
        """Rule 4 for one token hash of one chunk; call `drain` first.

        `reserved`: entries that other decisions of this chunk will add. A move that would not fit is refused: the token stays in general, or in the
        lane where it is in flight.
        """
        flying, wild = self.in_flight(token)
        refused = False
        if (
            wanted is not Lane.GENERAL
            and (token, wanted) not in self.entries
            and len(self.entries) + reserved >= CAPACITY
        ):
            wanted, refused = Lane.GENERAL, True
        if flying <= {wanted}:
            return Decision(wanted, refused=refused)
        fallback = None
        if not wild and len(flying) == 1:
            (fallback,) = flying
        return Decision(None, fallback, refused)

    def forwarded(self, token: int, lane: Lane, last: int) -> None:
        """The token's last forward took offset `last` (>= 0) in `lane`; of two tokens with one hash the larger offset stands."""
        if last < 0:
            raise ValueError(f"a forward's offset is never negative, not {last}")
        key = (token, lane)
        self.entries[key] = max(self.entries.get(key, -1), last)

    def wild(self) -> Iterator[tuple[Lane, int]]:
        """The wildcard entries."""
        return ((lane, last) for (token, lane), last in self.entries.items() if token == WILDCARD)


def unknown(high_watermarks: Mapping[Lane, int]) -> Fence:
    """F when nobody knows what is in flight: everything that was ever appended to the lanes, aborted or not.

    `high_watermarks` must have been read (read_uncommitted) *after* the committed position.
    """
    return Fence({(WILDCARD, lane): mark - 1 for lane, mark in high_watermarks.items() if mark > 0})
