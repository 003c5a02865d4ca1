"""The scenes as data: who does what to the pipeline, and when."""

from dataclasses import dataclass
from enum import StrEnum
from typing import Final


class SceneName(StrEnum):
    """What goes wrong."""

    FLOOD = "flood"
    SLOW = "slow"
    SURGE = "surge"
    MIXED = "mixed"


@dataclass(frozen=True, slots=True)
class Scene:
    """One story. Rates are events per second, costs handler milliseconds per event."""

    name: SceneName
    line: str
    warm_s: float = 22.0
    """Background alone: the baselines warm up."""
    trouble_s: float = 20.0
    background_rate: float = 500.0
    background_cost_ms: float = 1.0
    noisy_rate: float = 0.0
    noisy_cost_ms: float = 1.0
    noisy_ids: int = 2_000
    """Distinct ids of the noisy token: many, so that it reaches every partition."""
    surge_factor: float = 1.0
    """What everyone's rate is multiplied by during the trouble."""
    slow_rate: float = 0.0
    """Events of a second culprit, each of `slow_cost_ms`, while the noisy one floods."""
    slow_cost_ms: float = 80.0
    hangs: int = 0
    """Events of a third culprit on which the handler hangs, at the start of the trouble."""
    hung_s: float | None = None
    """After so many seconds a call of the handler counts as hung; None: as configured (60 s)."""

    @property
    def has_culprit(self) -> bool:
        """One token is to blame."""
        return self.noisy_rate > 0


SCENES: Final = {
    SceneName.FLOOD: Scene(
        SceneName.FLOOD, "one token floods the general lane with 2,500 events a second", noisy_rate=2_500.0
    ),
    SceneName.SLOW: Scene(
        SceneName.SLOW,
        "one token sends a few events, each 80 times as costly as the others'",
        noisy_rate=30.0,
        noisy_cost_ms=80.0,
        noisy_ids=400,
    ),
    SceneName.MIXED: Scene(
        SceneName.MIXED,
        "a record hangs its handler, one token is slow and one floods, all at once",
        warm_s=16.0,
        trouble_s=15.0,
        background_rate=250.0,
        noisy_rate=1_500.0,
        slow_rate=12.0,
        hangs=1,
        hung_s=4.0,
    ),
    SceneName.SURGE: Scene(
        SceneName.SURGE,
        "everyone doubles: there is no culprit, only too little capacity",
        surge_factor=2.0,
        trouble_s=30.0,
        background_rate=650.0,
    ),
}
