"""What the controller knows at one tick: plain arrays, no I/O, nothing that changes afterwards.

Shapes: (tokens,) indexes the interner's ids, (rows,) the sparse (token, partition) pairs, (partitions,) the general lane, (slots,) its worker slots.
Rates are events per second, work is handler seconds (per second), times are Unix ms.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from ingestion.contracts.names import Lane
from isolator.interner import Floats, Ints


@dataclass(frozen=True, slots=True)
class SideLane:
    """A side lane as its own workers and the probe tell it."""

    capacity: float
    """work/s of all its slots; 0 when none reports"""
    delay_s: Floats
    """backlog work over capacity left (partitions,)"""


@dataclass(frozen=True, slots=True)
class Tokens:
    """What each token does, all (tokens,)."""

    rate: Floats
    """Arrivals, events/s: half-life 10 s, or more at once when a higher rate is already certain."""
    seen: Floats
    """Decayed arrivals: the count that the volume test looks at."""
    recent: Floats
    """Arrivals of the last 10 s, events/s: what calm is judged by, because a half-life remembers a flood for minutes."""
    recent_cost: Floats
    """Work per event in the last two ticks, shrunk towards the usual: a costly past has too much weight in `cost` to tell of calm."""
    handled: Floats
    """Decayed events whose cost was measured."""
    cost: Floats
    """Work per event, shrunk towards the usual."""
    measured: Floats
    """Work per event as measured; 0 where nothing was."""


@dataclass(frozen=True, slots=True)
class Rows:
    """The (token, partition) pairs that are alive, all (rows,)."""

    token: Ints
    partition: Ints
    rate: Floats
    """events/s"""
    waiting: Floats
    """Events that arrived and are not yet handled."""
    top_key: Floats
    """Share of the row's records that its busiest key has."""


@dataclass(frozen=True, slots=True)
class Partitions:
    """The general lane, all (partitions,)."""

    other_rate: Floats
    """Arrivals that belong to no row, events/s."""
    lag: Floats
    """Records behind the committed position."""
    oldest_age_s: Floats
    mean_cost: Floats
    """Work per event."""
    slot: Ints
    """Number of the slot that owns it, -1 for none."""
    assigned_s: Floats
    """Seconds since it was assigned."""

    def __len__(self) -> int:
        return len(self.lag)


@dataclass(frozen=True, slots=True)
class Slots:
    """The general lane's worker slots, all (slots,)."""

    names: tuple[str, ...]
    capacity: Floats
    """mu, work/s."""
    busy: Floats
    """Share of the capacity in use, forwarding included."""


@dataclass(frozen=True, slots=True)
class Tick:
    """What arrived since the previous tick, for the baselines."""

    elapsed_s: float
    token: Ints
    events: Floats
    handled_token: Ints
    handled: Floats
    work: Floats
    other: float
    """Events of tokens that are not told apart."""


@dataclass(frozen=True, slots=True)
class Observation:
    """One pipeline at one moment."""

    pipeline: str
    at_ms: int
    names: Sequence[str]
    """The interner's tokens; it may grow later, ids stay."""
    ids: Mapping[str, int]
    """token -> id; may know more tokens than (tokens,)."""
    window_s: float
    """Seconds that Tokens.seen stands for."""
    tokens: Tokens
    rows: Rows
    partitions: Partitions
    slots: Slots
    side: Mapping[Lane, SideLane]
    in_flight: Mapping[int, tuple[int, float]]
    """token id -> (partition, seconds that its record has been running)"""
    tick: Tick
    active_tokens: int = 0
    worker_age_s: float = float("inf")
    arrivals_age_s: float = float("inf")
    probe_age_s: float = float("inf")
    moves_refused: bool = False
