"""What plays on a simulated pipeline: the production policy, a rival's rule, or an ablation. All see the same telemetry and give orders in the same words."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from ingestion.contracts.telemetry import ProbeReport
from isolator.columns import ArrivalColumns, WorkerColumns


@dataclass(frozen=True, slots=True)
class Reports:
    """One second's (or one step's) telemetry as it arrived at the control plane: late or incomplete where the scenario says so, never the truth."""

    at_s: float
    """When it arrived."""
    arrivals: ArrivalColumns | None = None
    workers: tuple[WorkerColumns, ...] = ()
    probe: ProbeReport | None = None


@dataclass(frozen=True, slots=True)
class Orders:
    """What is wanted from now on; it acts after the scenario's actuation delay. Token ids are the world's."""

    move: tuple[int, ...] = ()
    """To overflow."""
    quarantine: tuple[int, ...] = ()
    restore: tuple[int, ...] = ()
    limits: Mapping[int, float] | None = None
    """Events a second that capture admits, for every limited token (the rest of what it sends is refused); None leaves the last ones in force."""


@dataclass(frozen=True, slots=True)
class Site:
    """What an operator configures: known to every contender before the run."""

    names: Sequence[str]
    """Token names by id."""
    partitions: int
    slots: int
    capacity: float
    """Work a second of one slot."""
    slo_s: float
    learned_rate: Sequence[float] = field(default_factory=tuple)
    """Events a second of each token in the past day, as a baseline would have learned them; empty when nothing was learned."""
    learned_cost: Sequence[float] = field(default_factory=tuple)
    """Work per event of each token, likewise."""
    learned_s: float = 0.0
    """Seconds that were learned."""


class Contender(Protocol):
    """A rule that plays. Deterministic: the same reports give the same orders."""

    name: str
    moves_backlog: bool
    """Whether a move takes along what already waits in general (True), or only what arrives from then on (False: rerouted at capture)."""
    tick_s: float
    """Seconds between calls of `tick`."""

    def see(self, reports: Reports) -> None:
        """Take telemetry in."""

    def tick(self, now_s: float) -> Orders:
        """Decide."""


class Maker(Protocol):
    """Makes a fresh contender for one run."""

    def __call__(self, site: Site) -> Contender:
        """A contender that knows nothing but the site."""
