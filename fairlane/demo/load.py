"""What the demo's clients send, as a pure function of scene, seed and time."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import uuid_utils

from fairlane.demo.scenes import Scene

NOISY_RANK = 40
"""The noisy token is an ordinary one of the population, not its largest."""
SLOW_RANK = 60
HUNG_RANK = 80
HANG_MS = -1.0
"""The cost of an event on which the demo's handler hangs."""


@dataclass(frozen=True, slots=True)
class Event:
    """One event to be sent; `cost_ms` is what the demo's handler will spend on it."""

    event_id: str
    token: str
    distinct_id: str
    cost_ms: float

    def body(self) -> dict[str, object]:
        """The event as capture takes it."""
        return {
            "event": "demo",
            "event_id": self.event_id,
            "token": self.token,
            "distinct_id": self.distinct_id,
            "properties": {"cost_ms": self.cost_ms},
        }


class Population:
    """`count` tokens whose sizes follow a power law (rank^-0.8), as tenants' sizes do."""

    def __init__(self, count: int, seed: int) -> None:
        rng = np.random.default_rng(seed)
        self.tokens = [f"phc_{value:012x}" for value in rng.choice(2**48, size=count, replace=False)]
        weights = np.arange(1, count + 1, dtype=float) ** -0.8
        self._cumulative = np.cumsum(weights / weights.sum())

    @property
    def noisy(self) -> str:
        """The token that will make trouble."""
        return self._ranked(NOISY_RANK)

    @property
    def slow(self) -> str:
        """The token whose events will be costly, in the scene that has both."""
        return self._ranked(SLOW_RANK)

    @property
    def hung(self) -> str:
        """The token with a record that will hang its handler."""
        return self._ranked(HUNG_RANK)

    def _ranked(self, rank: int) -> str:
        return self.tokens[min(rank, len(self.tokens) - 1)]

    def draw(self, count: int, rng: np.random.Generator) -> list[str]:
        """`count` tokens, by size."""
        last = len(self.tokens) - 1
        return [self.tokens[min(int(i), last)] for i in np.searchsorted(self._cumulative, rng.random(count))]


class SceneLoad:
    """The events of a scene, one slice of time after the other. The same seed gives the same load."""

    def __init__(self, scene: Scene, population: Population, seed: int) -> None:
        self._scene = scene
        self._population = population
        self._rng = np.random.default_rng((seed, 1))

    def background(self, seconds: float, factor: float = 1.0) -> list[Event]:
        """What all tokens send in `seconds`, times `factor`."""
        count = int(self._rng.poisson(self._scene.background_rate * seconds * factor))
        ids = self._rng.integers(0, 20, size=count)
        tokens = self._population.draw(count, self._rng)
        return [event(token, f"user-{i}", self._scene.background_cost_ms) for token, i in zip(tokens, ids, strict=True)]

    def noise(self, seconds: float) -> list[Event]:
        """What the noisy token sends in `seconds` beyond its share of the background."""
        count = int(self._rng.poisson(self._scene.noisy_rate * seconds))
        ids = self._rng.integers(0, self._scene.noisy_ids, size=count)
        return [event(self._population.noisy, f"import-{i}", self._scene.noisy_cost_ms) for i in ids]

    def costly(self, seconds: float) -> list[Event]:
        """What the slow token sends in `seconds` beyond its share of the background."""
        count = int(self._rng.poisson(self._scene.slow_rate * seconds)) if self._scene.slow_rate else 0
        ids = self._rng.integers(0, 400, size=count)
        return [event(self._population.slow, f"report-{i}", self._scene.slow_cost_ms) for i in ids]

    def hanging(self) -> list[Event]:
        """The events on which the handler hangs."""
        return [event(self._population.hung, f"stuck-{i}", HANG_MS) for i in range(self._scene.hangs)]


def event(token: str, distinct_id: str, cost_ms: float) -> Event:
    """An event with an id of its own (UUIDv7)."""
    return Event(str(uuid_utils.uuid7()), token, distinct_id, cost_ms)


def batches(events: list[Event], size: int) -> Iterator[list[Event]]:
    """The events in requests of at most `size`."""
    for start in range(0, len(events), size):
        yield events[start : start + size]
