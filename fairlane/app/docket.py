"""What the moves pages are made from: the controller's state as it was read, and the recorded series of one move. Plain values, None means "not known"."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Protocol

from fairlane.app.observation import Part
from ingestion.contracts.names import Lane
from ingestion.contracts.routes import Mode, Route
from isolator.answers import Answer
from isolator.changes import Change
from isolator.explain import Explanation
from isolator.marks import Mark
from isolator.state import StateView
from isolator.status import PipelineStatus
from isolator.verdict import Verdict


@dataclass(frozen=True, slots=True)
class Docket:
    """One pipeline's decisions as known at `at_s`."""

    pipeline: str
    at_s: float
    slo_s: float = 30.0
    pipelines: tuple[str, ...] = ()
    mode: Mode | None = None
    last_tick_s: float | None = None
    status: PipelineStatus | None = None
    routes: Mapping[str, Route] = field(default_factory=dict)
    verdicts: Mapping[str, Verdict] = field(default_factory=dict)
    marks: Mapping[str, tuple[Mark, ...]] = field(default_factory=dict)
    answers: Mapping[str, Answer] = field(default_factory=dict)
    changes: tuple[Change, ...] = ()
    """Newest first."""
    lags: Mapping[Lane, int | None] = field(default_factory=dict)
    parts: tuple[Part, ...] = ()

    @property
    def now_ms(self) -> int:
        """The moment in Unix ms."""
        return int(self.at_s * 1000)

    def marks_of(self, token: str) -> tuple[Mark, ...]:
        """The marks in force."""
        return tuple(mark for mark in self.marks.get(token, ()) if mark.holds(self.now_ms))


def docket_of(
    state: StateView | None,
    at_s: float,
    *,
    pipeline: str,
    pipelines: tuple[str, ...] = (),
    slo_s: float = 30.0,
    lags: Mapping[Lane, int | None] | None = None,
    parts: tuple[Part, ...] = (),
) -> Docket:
    """The docket of a folded state, copied, so that it stays as it is while the state goes on; None before the first look."""
    if state is None:
        return Docket(pipeline, at_s, slo_s, pipelines, lags=lags or {}, parts=parts)
    status = state.status
    tick_ms = (status.last_tick_ms or status.at_ms) if status else None
    return Docket(
        pipeline,
        at_s,
        slo_s,
        pipelines,
        state.table.mode if state.mode_written or status else None,
        None if tick_ms is None else tick_ms / 1000,
        status,
        dict(state.table.routes),
        dict(state.verdicts),
        dict(state.marks),
        dict(state.answers),
        tuple(sorted(state.changes.values(), key=lambda change: (-change.at_ms, change.id))),
        dict(lags or {}),
        parts,
    )


Points = tuple[tuple[int, float], ...]
"""(Unix ms, value), oldest first; five seconds apart while anything is moved or hot, a minute otherwise; nothing where nothing was recorded."""


@dataclass(frozen=True, slots=True)
class Trace:
    """The recorded series around one move. `problem` says why there are none: what is wrong and what to do."""

    work: Points = ()
    """Handler seconds a second that the token's arriving events bring."""
    usual: Points = ()
    """Its baseline, in the same unit."""
    delay: Mapping[int, Points] = field(default_factory=dict)
    """General partition -> seconds of queue, moved tokens apart."""
    rho_with: Mapping[int, Points] = field(default_factory=dict)
    """General partition -> utilisation, had nobody been moved."""
    problem: str = ""


class DocketSource(Protocol):
    """Where the moves pages get what they show. Never raises for a broker or database that is away: it says so in the values."""

    def pipelines(self) -> tuple[str, ...]:
        """The pipelines that can be shown, the default first; at least one."""
        ...

    def docket(self, pipeline: str) -> Docket:
        """What is known now, from memory. Raises KeyError for a pipeline that is not in `pipelines()`."""
        ...

    def explain(self, pipeline: str, token: str) -> Explanation:
        """Everything that the state topic tells about a token."""
        ...

    def baselines(self, pipeline: str) -> tuple[str, ...]:
        """Names of the tokens that have a baseline. May take seconds with a million of them."""
        ...

    def verdict(self, pipeline: str, verdict_id: str) -> Verdict | None:
        """One that `fairlane.state` has forgotten, from the database; None when it is not there either, or the database is away."""
        ...

    def trace(self, pipeline: str, token: str, partitions: tuple[int, ...], since_ms: int, until_ms: int) -> Trace:
        """The series of a token and of some general partitions, from the database."""
        ...
