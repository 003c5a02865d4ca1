"""What a page is made from: plain values, gathered by a `LiveSource`. None means "not known", everywhere, and is never shown as zero.

Times `at_s` are Unix seconds, durations `_s` seconds, shares and `busy` fractions of one.
"""

from dataclasses import dataclass
from typing import Literal

from ingestion.contracts.names import Lane
from ingestion.contracts.routes import Mode

AgeKind = Literal["exact", "interpolated", "unknown"]
BurnState = Literal["ok", "firing", "frozen"]
PartName = Literal["kafka", "database", "controller"]


@dataclass(frozen=True, slots=True)
class Part:
    """One thing the page reads from: is it there, and if not, what to do."""

    name: PartName
    ok: bool
    detail: str = ""
    """What is wrong and what to do, one sentence; empty when ok."""


@dataclass(frozen=True, slots=True)
class LaneNow:
    """A lane as last seen."""

    lane: Lane
    lag: int | None = None
    oldest_age_s: float | None = None
    freshness_s: float | None = None
    """Capture to visible, median of the last seconds; for general, of tokens that are not moved."""
    busy: float | None = None
    rate: float | None = None
    """Records handled a second."""
    forwarded: float | None = None
    """Records sent on to another lane a second."""
    workers: int = 0


@dataclass(frozen=True, slots=True)
class PartitionNow:
    """One partition of the general lane, and what it is stuck on."""

    partition: int
    lag: int | None
    oldest_age_s: float | None
    age_kind: AgeKind = "unknown"
    busy: float | None = None
    token: str = ""
    """The token that did most of the work in the last seconds."""
    share: float | None = None
    """That token's share of the partition's work."""
    in_flight_token: str = ""
    in_flight_s: float = 0.0
    held: bool = False
    retrying: bool = False


@dataclass(frozen=True, slots=True)
class Point:
    """One step of the last 15 minutes."""

    at_s: float
    everyone_s: float | None = None
    """Oldest age over all lanes: moved tokens included."""
    general_s: float | None = None
    """Oldest age in the general lane: without the moved tokens."""
    fresh_p50_s: float | None = None
    fresh_p99_s: float | None = None


@dataclass(frozen=True, slots=True)
class Pair:
    """A long and a short window of one objective, and the burn rate at which both together page."""

    long: str
    short: str
    long_burn: float | None
    short_burn: float | None
    threshold: float
    severity: str = "page"


@dataclass(frozen=True, slots=True)
class BurnNow:
    """One objective as last evaluated."""

    slo: str
    state: BurnState
    target: str
    """As written: `99.99 %`."""
    window: str = "30-day"
    pairs: tuple[Pair, ...] = ()
    budget_left: float | None = None
    budget_s: float | None = None
    """The whole budget as time: (1 - target) of the window."""
    exhausts_s: float | None = None
    """Seconds until nothing is left at the present rate; None when it does not shrink."""
    coverage: float | None = None
    bad: int | None = None
    total: int | None = None
    """Events of the worst pair's long window, for the arithmetic."""
    severity: str = "page"
    """What firing does: `page` wakes somebody, `ticket` waits for the morning."""
    note: str = ""
    at_s: float | None = None
    runbook: str = ""


@dataclass(frozen=True, slots=True)
class MoveNow:
    """A token outside general, or on its way back, with the verdict that sent it."""

    token: str
    source: Lane
    target: Lane
    at_s: float
    by: str = "policy"
    reason: str = ""
    sentence: str = ""
    """The verdict in the operator's units."""
    predicted: str = ""
    realised: str = ""
    observed: tuple[tuple[str, str], ...] = ()
    """Observed against threshold: (what, value in words)."""
    alternatives: tuple[str, ...] = ()
    verdict_id: str = ""
    expires_s: float | None = None
    restored: bool = False
    word: str = ""
    """For a suggestion: `would move`, `asks` or `warns`; empty for what was done."""


@dataclass(frozen=True, slots=True)
class ScoreNow:
    """How far a token is from its own baseline: -log10 p; 3 and above stands out."""

    token: str
    score: float
    work_share: float | None = None


@dataclass(frozen=True, slots=True)
class ChangeNow:
    """A deploy or another change that somebody told of."""

    at_s: float
    text: str
    by: str


@dataclass(frozen=True, slots=True)
class Observation:
    """Everything that the Live page shows, as it was at `at_s`."""

    pipeline: str
    at_s: float
    slo_s: float = 30.0
    pipelines: tuple[str, ...] = ()
    mode: Mode | None = None
    diagnosis: str = ""
    sentence: str = ""
    """The controller's own sentence."""
    sentence_at_s: float | None = None
    active_tokens: int | None = None
    last_tick_s: float | None = None
    seen_s: float | None = None
    """When the newest report on the lanes was written; None: never."""
    arrivals: float | None = None
    """Events a second that came in lately."""
    lanes: tuple[LaneNow, ...] = ()
    partitions: tuple[PartitionNow, ...] = ()
    history: tuple[Point, ...] = ()
    burn: tuple[BurnNow, ...] = ()
    moves: tuple[MoveNow, ...] = ()
    suggestions: tuple[MoveNow, ...] = ()
    scores: tuple[ScoreNow, ...] = ()
    changes: tuple[ChangeNow, ...] = ()
    """Deploys that were told of."""
    parts: tuple[Part, ...] = ()

    def part(self, name: PartName) -> Part:
        """That part's health; ok when the source did not say."""
        return next((part for part in self.parts if part.name == name), Part(name, ok=True))
