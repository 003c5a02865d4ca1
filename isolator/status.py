"""A pipeline's status as the controller last saw it: what the page, the CLI and the demo read."""

from dataclasses import dataclass, fields
from typing import Any

import orjson


@dataclass(frozen=True, slots=True)
class Score:
    """One token among the most conspicuous."""

    token: str
    score: float
    """-log10 p."""
    ratio: float
    """work over its own baseline."""
    work: float
    """work/s."""
    events_per_s: float


@dataclass(frozen=True, slots=True)
class Watched:
    """One moved token as the last tick saw it. work is handler seconds a second, as arriving: events/s times cost."""

    token: str
    lane: str
    work: float
    baseline_work: float
    ratio: float
    """work over its own baseline."""
    score: float
    """-log10 p."""
    events_per_s: float
    calm_since_ms: int | None = None
    """Since when nothing but time stands in the way of its return."""
    calm_needed_s: float = 0.0
    """How long it must have been calm before it is restored."""
    why_not: str = ""
    """What stands in the way of its return; empty when it is calm."""


@dataclass(frozen=True, slots=True)
class PipelineStatus:
    """The outcome of the last tick, in `status/PIPELINE`. Times in Unix ms."""

    pipeline: str
    at_ms: int
    mode: str
    diagnosis: str
    sentence: str
    hot_partitions: tuple[int, ...] = ()
    active_tokens: int = 0
    moved: tuple[str, ...] = ()
    scores: tuple[Score, ...] = ()
    last_tick_ms: int = 0
    tick_s: float = 0.0
    """Seconds that the last decision took."""
    warm: bool = False
    """The baselines are old enough for `auto` to act."""
    baseline_s: float = 0.0
    stale: bool = False
    rho: float = 0.0
    """Highest utilisation of a general partition, moved tokens apart."""
    rho_with_moved: float = 0.0
    delay_s: float = 0.0
    """Largest delay of a general partition, moved tokens apart."""
    delay_with_moved_s: float = 0.0
    partition_delay_s: tuple[float, ...] = ()
    partition_rho: tuple[float, ...] = ()
    partition_rho_with_moved: tuple[float, ...] = ()
    """Utilisation of each general partition, had nobody been moved."""
    oldest_age_s: float = 0.0
    moved_traffic: float = 0.0
    """Share of arrivals that belongs to moved tokens."""
    moves_refused: bool = False
    watched: tuple[Watched, ...] = ()
    """Every moved token."""
    limited: tuple[str, ...] = ()
    """Tokens that capture limits."""

    @property
    def key(self) -> bytes:
        """The state topic's key."""
        return f"status/{self.pipeline}".encode()

    def encode(self) -> tuple[bytes, bytes]:
        """Key and value for the state topic."""
        return self.key, orjson.dumps(self)

    def as_dict(self) -> dict[str, Any]:
        """The fields for JSON output."""
        raw: dict[str, Any] = orjson.loads(orjson.dumps(self))
        return raw

    @staticmethod
    def decode(value: bytes) -> "PipelineStatus":
        """The status in a state record's value; unknown fields are ignored. Raises ValueError, KeyError or TypeError when it is not one."""
        raw = orjson.loads(value)
        known = {f.name for f in fields(PipelineStatus)}
        raw = {name: tuple(item) if isinstance(item, list) else item for name, item in raw.items() if name in known}
        raw["scores"] = tuple(Score(**s) for s in raw.get("scores", ()))
        raw["watched"] = tuple(Watched(**w) for w in raw.get("watched", ()))
        return PipelineStatus(**raw)
