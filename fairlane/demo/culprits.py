"""What became of each culprit of the scene `mixed`: what it was taken for, where it went, and how it ended. Pure."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from fairlane.demo.watch import Move
from ingestion.contracts.names import Lane
from isolator.verdict import Reason, Verdict, VerdictKind

_COSTLY = 3.0
"""A cost per event of so many times its own baseline makes a token slow rather than a flood: the policy's own limit."""


@dataclass(frozen=True, slots=True)
class Culprit:
    """One culprit. Seconds from the start of the trouble; None for what did not happen."""

    token: str
    is_a: str
    """What the scene made of it: `flood`, `slow` or `hung`."""
    diagnosed: str | None
    """What the isolator took it for, from the evidence of its first move."""
    moved_to: str | None
    moved_s: float | None
    why: str
    dead: int
    """Its events in the dead letters."""


def diagnosed(verdict: Verdict) -> str:
    """`hung`, `slow` (its events became costly) or `flood` (it sent more), by what the verdict says that it saw."""
    if verdict.reason in (Reason.HUNG, Reason.FAILING):
        return str(verdict.reason)
    return "slow" if verdict.cost_s >= _COSTLY * verdict.baseline_cost_s > 0 else "flood"


def judged(
    token: str,
    is_a: str,
    moves: Sequence[Move],
    verdicts: Iterable[Verdict],
    started_ms: int | None,
    dead: int,
) -> Culprit:
    """What the records of the isolator say of the token."""
    move = next((m for m in moves if m.token == token and m.target is not Lane.GENERAL), None)
    verdict = next((v for v in verdicts if v.token == token and v.kind is VerdictKind.MOVE), None)
    since = None if move is None or started_ms is None else round((move.at_ms - started_ms) / 1_000, 3)
    return Culprit(
        token,
        is_a,
        diagnosed(verdict) if verdict is not None else None,
        str(move.target) if move is not None else None,
        since,
        move.reason if move is not None else "",
        dead,
    )


def sentence(culprit: Culprit) -> str:
    """One line of the story."""
    if culprit.moved_to is None:
        return f"{culprit.token}, {culprit.is_a}: was not moved; {culprit.dead} of its events are dead letters"
    end = f"; {culprit.dead} of its events ended as a dead letter" if culprit.dead else ""
    return (
        f"{culprit.token}, {culprit.is_a}: taken for {culprit.diagnosed or 'nothing that was recorded'}, "
        f"moved to {culprit.moved_to} after {culprit.moved_s} s{end}"
    )
