"""What a spent error budget means for those who change things. Google SRE workbook, ch. 4 and appendix B, "Example Error Budget Policy"."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from slo.burn import Severity, State
from slo.evaluation import Evaluation


class Stage(StrEnum):
    """How free a team is to change things, worst last."""

    HEALTHY = "healthy"
    CAUTION = "caution"
    """Half of the budget is spent: small steps, each watched."""
    WARNING = "warning"
    """Little is left: reliability work first."""
    FREEZE = "freeze"
    """Only what mends reliability, security or a broken build; anything else needs an exception."""
    UNKNOWN = "unknown"
    """Nothing was ever observed: it neither allows nor forbids."""

    @property
    def rank(self) -> int:
        """0 healthy or unknown, to 3 freeze."""
        return {Stage.HEALTHY: 0, Stage.UNKNOWN: 0, Stage.CAUTION: 1, Stage.WARNING: 2, Stage.FREEZE: 3}[self]


LEAST: Final = ((Stage.HEALTHY, 0.50), (Stage.CAUTION, 0.35), (Stage.WARNING, 0.25))
"""A stage holds while more than this share of the budget is left (warning: this share or more); under the last one is freeze."""


def stage(budget_left: float) -> Stage:
    """The stage at a share of budget left: over 50 % healthy, under 25 % freeze."""
    for name, least in LEAST[:-1]:
        if budget_left > least:
            return name
    name, least = LEAST[-1]
    return name if budget_left >= least else Stage.FREEZE


@dataclass(frozen=True, slots=True)
class Waiver:
    """Somebody answers for changing things during a freeze: of one objective, or of all (`slo` empty)."""

    id: str
    slo: str
    by: str
    """Who approved it."""
    reason: str
    since_ms: int
    expires_ms: int
    revoked_ms: int | None = None

    def holds(self, slo: str, at_ms: int) -> bool:
        """Does it cover the objective then?"""
        return (
            self.slo in {"", slo}
            and self.since_ms <= at_ms < self.expires_ms
            and (self.revoked_ms is None or at_ms < self.revoked_ms)
        )


@dataclass(frozen=True, slots=True)
class Judgement:
    """What the policy says of one objective."""

    slo: str
    stage: Stage
    budget_left: float
    waiver: Waiver | None
    burning: bool
    frozen: bool
    """Too little telemetry: the budget is the last that was known."""

    @property
    def blocks(self) -> bool:
        """Is a deploy stopped?"""
        return self.stage is Stage.FREEZE and self.waiver is None


@dataclass(frozen=True, slots=True)
class Gate:
    """The answer to a deploy pipeline."""

    judgements: tuple[Judgement, ...]
    """Worst first."""

    @property
    def open(self) -> bool:
        """May it go on?"""
        return not any(j.blocks for j in self.judgements)

    @property
    def stage(self) -> Stage:
        """The worst stage."""
        return max((j.stage for j in self.judgements), key=lambda s: s.rank, default=Stage.UNKNOWN)


def gate(evaluations: Iterable[Evaluation], waivers: Sequence[Waiver], at_ms: int) -> Gate:
    """Judge every objective at `at_ms`."""
    found = [_judge(e, waivers, at_ms) for e in evaluations]
    return Gate(tuple(sorted(found, key=lambda j: (not j.blocks, -j.stage.rank, j.budget_left, j.slo))))


def _judge(e: Evaluation, waivers: Sequence[Waiver], at_ms: int) -> Judgement:
    waiver = next((w for w in waivers if w.holds(e.slo, at_ms)), None)
    known = e.observed_s > 0
    return Judgement(
        e.slo,
        stage(e.budget_left) if known else Stage.UNKNOWN,
        e.budget_left,
        waiver,
        e.severity is not Severity.NONE,
        e.state is State.FROZEN,
    )
