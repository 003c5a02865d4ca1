"""What every run of a simulation shares: the pipeline's size, and how late the control plane hears and acts."""

from dataclasses import dataclass, fields
from typing import Final

from slo.errors import UsageError

MOST_PARTITIONS: Final = 4_096
MOST_ROWS: Final = 50_000_000
"""Background tokens times partitions: some gigabytes."""
MOST_RATE: Final = 1_000_000.0
"""Events/s of the background: each is drawn."""


@dataclass(frozen=True, slots=True)
class Settings:
    """One simulated pipeline. Raises UsageError, naming the setting, when one is impossible."""

    partitions: int = 16
    slots: int = 4
    """worker slots of the general lane; partition p belongs to slot p modulo slots"""
    capacity: float = 0.95
    """work a second of one slot, of every lane"""
    side_slots: int = 2
    """worker slots of each side lane"""
    slo_s: float = 30.0
    tokens: int = 100_000
    """background tokens (Zipf)"""
    rate: float = 5_000.0
    """events a second of all of them"""
    forward_s: float = 7e-6
    """seconds of general's work that one forward costs"""
    hold_max_s: float = 2.0
    """seconds for which a worker holds a partition for a token that comes back (the fence's rule 5)"""
    act_least_s: float = 0.5
    act_most_s: float = 1.0
    """seconds from a decision until the workers act on it, drawn for each decision"""
    tell_least_s: float = 0.2
    tell_most_s: float = 0.6
    """seconds from the end of a report's interval until the control plane has read it, drawn for each report"""
    fine_s: float = 1.0
    """seconds of a step while something happens"""
    coarse_s: float = 5.0
    """seconds of a step while nothing does"""
    fine_after_s: float = 3600.0
    """seconds from calm on after which steps are coarse even while something waits"""
    noise: bool = True
    """arrivals are drawn (Poisson, with slow swings of the large tokens); otherwise they are the mean"""
    hours: float = 0.0
    """length of the run, 0 for the scenario's own"""

    def __post_init__(self) -> None:
        for field in fields(self):
            value = getattr(self, field.name)
            if field.name not in {"noise", "hours", "tell_least_s", "act_least_s", "forward_s"} and not value > 0:
                raise UsageError(f"{field.name} must be greater than 0, not {value}")
            if not 0 <= value < float("inf"):
                raise UsageError(f"{field.name} must be a number that is not negative, not {value}")
        if self.partitions > MOST_PARTITIONS:
            raise UsageError(
                f"{self.partitions} partitions are more than the {MOST_PARTITIONS:,} that can be simulated"
            )
        if self.tokens * self.partitions > MOST_ROWS:
            raise UsageError(
                f"{self.tokens:,} background tokens on {self.partitions} partitions are more than the {MOST_ROWS:,} rows that can be "
                f"simulated; with so many partitions take {MOST_ROWS // self.partitions:,} tokens at most"
            )
        if self.rate > MOST_RATE:
            raise UsageError(
                f"a background of {self.rate:,.0f} events/s is more than the {MOST_RATE:,.0f} that can be simulated"
            )
        if self.slots > self.partitions:
            raise UsageError(f"{self.slots} slots cannot share {self.partitions} partitions: some would have none")
        if self.fine_s > self.coarse_s:
            raise UsageError(f"fine_s ({self.fine_s}) must not exceed coarse_s ({self.coarse_s})")
        if self.act_least_s > self.act_most_s or self.tell_least_s > self.tell_most_s:
            raise UsageError("a delay's least value must not exceed its most")

    def lane_slots(self, lane: int) -> int:
        """Worker slots of the lane with this code (0 general, 1 overflow, 2 quarantine)."""
        return self.slots if lane == 0 else min(self.side_slots, self.partitions)

    @property
    def total(self) -> float:
        """Work a second of the general lane."""
        return self.slots * self.capacity
