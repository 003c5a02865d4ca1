"""The demo's report: what happened, computed from the clients' ledger, the sink and the topics, never from the workers' counters."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime

import numpy as np

from fairlane.demo.culprits import Culprit
from fairlane.demo.watch import Move

FRESH_SHARE = 1 / 6
"""Innocents count as fresh again once nobody's event takes longer than this share of the SLO (5 s of 30 s)."""
END_S = 3.0
"""The end of the story: so long before the last captured event."""


@dataclass(frozen=True, slots=True)
class Visible:
    """One row of the sink, milliseconds."""

    token: str
    captured_at: int
    visible_at: int


@dataclass(frozen=True, slots=True)
class Broker:
    """Which Kafka, and how long it took to be ready."""

    version: str
    ready_s: float


@dataclass(frozen=True, slots=True)
class Events:
    """The independent account of what was sent."""

    accepted: int
    visible: int
    dead: int
    missing: int
    duplicated: int
    out_of_order: int
    strangers: int = 0
    """Effects, forwards and dead letters without a committed source: an aborted forward that was handled, say."""

    @property
    def clean(self) -> bool:
        """Is nothing lost, doubled, reordered or made up?"""
        return not (self.missing or self.duplicated or self.out_of_order or self.strangers)


@dataclass(frozen=True, slots=True)
class Flood:
    """The noisy token's story, in seconds from its first event; None for what did not happen."""

    token: str | None = None
    decided_s: float | None = None
    moved_s: float | None = None
    protected_s: float | None = None
    restored_s: float | None = None


@dataclass(frozen=True, slots=True)
class Innocents:
    """Everybody else's freshness. Events that never became visible are over the SLO."""

    events: int
    over_slo: int
    over_slo_ratio: float
    freshness_p50_s: float | None
    freshness_p99_s: float | None
    freshness_at_end_s: float | None = None
    """The worst among those captured in the last END_S seconds."""


@dataclass(frozen=True, slots=True)
class Check:
    """One thing that this scene promises, and what was seen."""

    promise: str
    held: bool
    seen: str


@dataclass(frozen=True, slots=True)
class Report:
    """The last line of `fairlane demo --json`."""

    broker: Broker
    events: Events
    flood: Flood
    moves: list[dict[str, object]]
    innocents: Innocents
    scene: str
    mode: str
    seed: int
    diagnoses: dict[str, int] = field(default_factory=dict)
    notes: tuple[str, ...] = ()
    culprits: tuple[Culprit, ...] = ()
    """Of the scene `mixed`."""
    restarts: dict[str, int] = field(default_factory=dict)
    """Role and how often it was started again, hung workers included."""
    checks: tuple[Check, ...] = ()

    @property
    def failed(self) -> tuple[Check, ...]:
        """The promises that were not kept."""
        return tuple(check for check in self.checks if not check.held)

    def as_dict(self) -> dict[str, object]:
        """Plain JSON types."""
        return asdict(self)


def innocents(rows: Sequence[Visible], accepted: int, guilty: frozenset[str], slo_s: float) -> Innocents:
    """Freshness of all rows whose token is not in `guilty`; `accepted` is how many such events the clients had accepted."""
    others = [r for r in rows if r.token not in guilty]
    fresh = np.array([(r.visible_at - r.captured_at) / 1_000 for r in others])
    over = int((fresh > slo_s).sum()) + max(accepted - len(fresh), 0)
    events = max(accepted, len(fresh))
    p50, p99 = (round(float(q), 3) for q in np.percentile(fresh, [50, 99])) if len(fresh) else (None, None)
    end = max((r.captured_at for r in rows), default=0) - END_S * 1_000
    last = max(((r.visible_at - r.captured_at) / 1_000 for r in others if r.captured_at >= end), default=None)
    return Innocents(events, over, round(over / events, 6) if events else 0.0, p50, p99, last)


def protected_s(
    rows: Sequence[Visible], guilty: frozenset[str], started_ms: int, moved_s: float | None, slo_s: float
) -> float | None:
    """Seconds from `started_ms` until innocents were fresh for good: the last one that was visible later than FRESH_SHARE of the SLO, and not before the move took effect.

    None when nothing was moved: what ends by itself was not protected.
    """
    if moved_s is None:
        return None
    limit_ms = slo_s * FRESH_SHARE * 1_000
    late = [
        r.visible_at
        for r in rows
        if r.token not in guilty and r.visible_at >= started_ms and r.visible_at - r.captured_at > limit_ms
    ]
    last = (max(late) - started_ms) / 1_000 if late else 0.0
    return round(max(last, moved_s), 3)


def moves(seen: Sequence[Move], started_ms: int | None) -> list[dict[str, object]]:
    """The moves as the report shows them: `at` in UTC, `at_s` from the flood's first event."""
    return [
        {
            "token": m.token,
            "from": str(m.source),
            "to": str(m.target),
            "reason": m.reason,
            "at": datetime.fromtimestamp(m.at_ms / 1_000, UTC).isoformat(timespec="milliseconds"),
            "at_s": None if started_ms is None else round((m.at_ms - started_ms) / 1_000, 3),
        }
        for m in seen
    ]


def since(at_ms: int | None, started_ms: int | None) -> float | None:
    """Seconds between two Unix millisecond times, None when one did not happen."""
    return None if at_ms is None or started_ms is None else round((at_ms - started_ms) / 1_000, 3)
