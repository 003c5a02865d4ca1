"""What the controller knows at one tick: plain arrays, no I/O, nothing that changes afterwards.

Shapes: (tokens,) indexes the places of the tokens that are alive (they did something in the last minutes, or are moved), (rows,) the sparse (token, partition) pairs, (partitions,) the general lane, (slots,) its worker slots.
Rates are events per second, work is handler seconds (per second), times are Unix ms.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from ingestion.contracts.names import Lane
from ingestion.contracts.telemetry import Trouble
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
    """Places of tokens."""
    partition: Ints
    rate: Floats
    """events/s"""
    waiting: Floats
    """Events that arrived and are not yet handled."""
    arrivals: Floats
    """Decayed records."""
    key_arrivals: Floats
    """Those of the row's busiest key."""

    @property
    def top_key(self) -> Floats:
        """Share of the row's records that its busiest key has."""
        share = np.divide(
            self.key_arrivals, self.arrivals, out=np.zeros(len(self.arrivals)), where=self.arrivals > 1e-9
        )
        return np.minimum(share, 1.0, out=share)


@dataclass(frozen=True, slots=True)
class Partitions:
    """The general lane, all (partitions,)."""

    other_rate: Floats
    """Arrivals that belong to no row, events/s."""
    rows_rate: Floats
    """Sum of the rows' rates, events/s."""
    rows_waiting: Floats
    """Sum of the rows' waiting events."""
    lag: Floats
    """Records behind the committed position."""
    oldest_age_s: Floats
    mean_cost: Floats
    """Work per event of those that belong to no row."""
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
class BuildCost:
    """What events cost under one build of the general lane's workers."""

    name: str
    share: float
    """Share of the lane's recent work that it did."""
    ratio: float
    """Median over the tokens that it handled, by usual work, of the measured cost over the usual one of all builds; 1 when nothing was measured."""
    usual_ratio: float
    """The same as learned for this build; 1 without evidence."""
    learned_s: float
    """Calm seconds behind `usual_ratio`."""
    age_s: float
    """Seconds since its first report."""


@dataclass(frozen=True, slots=True)
class Tick:
    """What arrived since the previous tick, for the baselines. Tokens by the interner's ids, each once."""

    elapsed_s: float
    token: Ints
    events: Floats
    handled_token: Ints
    handled: Floats
    work: Floats
    other: float
    """Events of tokens that are not told apart."""
    at_ms: int = 0
    builds: tuple["BuildCost", ...] = ()


@dataclass(frozen=True, slots=True)
class Observation:
    """One pipeline at one moment."""

    pipeline: str
    at_ms: int
    names: Sequence[str]
    """The tokens by place."""
    ids: Mapping[str, int]
    """token -> place, for tokens that are alive."""
    window_s: float
    """Seconds that Tokens.seen stands for."""
    tokens: Tokens
    rows: Rows
    partitions: Partitions
    slots: Slots
    side: Mapping[Lane, SideLane]
    in_flight: Mapping[int, tuple[int, float]]
    """token place -> (partition, seconds that its record has been running)"""
    tick: Tick
    token_ids: Ints = field(default_factory=lambda: np.zeros(0, dtype=np.int64))
    """The interner's ids by place (tokens,)."""
    builds: tuple[BuildCost, ...] = ()
    """Builds of the general lane's workers that reported lately, oldest first."""
    troubles: Mapping[int, Trouble] = field(default_factory=dict)
    """token place -> what its worker says about it, the worst of all lanes."""
    active_tokens: int = 0
    worker_age_s: float = float("inf")
    arrivals_age_s: float = float("inf")
    probe_age_s: float = float("inf")
    moves_refused: bool = False
