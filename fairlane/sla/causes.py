"""What the isolator decided while something was bad, in words that name nobody: SLA pages are read by other tenants too."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from sqlalchemy import Engine, select

from fairlane.schema import VERDICTS
from isolator.verdict import Reason, Verdict, VerdictKind

BEFORE_S: Final = 300
"""A decision so shortly before the first bad minute belongs to it."""
UNKNOWN: Final = "Cause not recorded."
_ACTS: Final = frozenset({VerdictKind.MOVE, VerdictKind.LIMIT})
_WHY: Final = {
    Reason.CAPACITY: "More load than the workers could do.",
    Reason.BROAD_OVERLOAD: "More load than the workers could do, from many tenants.",
    Reason.HOT_KEY: "One key took most of a partition.",
    Reason.STALL: "Handlers stood still.",
    Reason.HUNG: "A record hung its handler.",
    Reason.REBALANCE: "Partitions changed hands between workers.",
    Reason.DEPLOY: "A new build of the handler was slower.",
    Reason.FAILING: "A tenant's records failed in the handler.",
}


@dataclass(frozen=True, slots=True)
class Decision:
    """A verdict, as far as incidents need it."""

    id: str
    token: str
    kind: VerdictKind
    reason: Reason
    at_ms: int


class Decisions:
    """The isolator's verdicts of one pipeline."""

    def __init__(self, engine: Engine, pipeline: str) -> None:
        self._engine = engine
        self._pipeline = pipeline

    def between(self, begin: float, end: float) -> list[Decision]:
        """Those made in [begin, end) (Unix seconds), in order. Raises SQLAlchemyError; what is no verdict is left out."""
        inside = (
            VERDICTS.c.pipeline == self._pipeline,
            VERDICTS.c.at_ms >= int(begin * 1000),
            VERDICTS.c.at_ms < int(end * 1000),
            VERDICTS.c.kind.in_([*_ACTS, VerdictKind.ALERT]),
        )
        found = []
        with self._engine.connect() as conn:
            for row in conn.execute(select(VERDICTS.c.body).where(*inside).order_by(VERDICTS.c.at_ms, VERDICTS.c.id)):
                try:
                    verdict = Verdict.decode(row.body.encode())
                except (ValueError, KeyError, TypeError):
                    continue
                found.append(Decision(verdict.id, verdict.token, verdict.kind, verdict.reason, verdict.at_ms))
        return found


def moved_tokens(decisions: Sequence[Decision]) -> int:
    """How many different tokens were moved."""
    return len({d.token for d in decisions if d.kind is VerdictKind.MOVE})


def of(decisions: Sequence[Decision], begin: int, end: int) -> list[Decision]:
    """Those that belong to a stretch (Unix seconds)."""
    return [d for d in decisions if (begin - BEFORE_S) * 1000 <= d.at_ms < end * 1000]


def cause(decisions: Sequence[Decision], begin: int) -> str:
    """A sentence for a stretch that began at `begin`, by the decisions that belong to it."""
    acts = [d for d in decisions if d.kind in _ACTS]
    why = next((_WHY[d.reason] for d in decisions if d.reason in _WHY), "")
    if not acts:
        return why or UNKNOWN
    tokens = len({d.token for d in acts})
    who = "One tenant's load" if tokens == 1 else f"{tokens} tenants' load"
    verb = "moved" if acts[0].kind is VerdictKind.MOVE else "limited"
    after = acts[0].at_ms / 1000 - begin
    first = "" if tokens == 1 else "the first "
    # bad time is known to the minute: seconds within the first one would be invented
    when = "within a minute" if after < 60 else f"after {after / 60:.0f} min"
    said = f"{who}; {first}{verb} {when}."
    return f"{why} {said}" if why else said
