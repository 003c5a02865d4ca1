"""What is known about one token, in the operator's units: from the folded state topic, without asking the controller."""

from dataclasses import dataclass
from typing import Any

from ingestion.contracts.names import Lane
from ingestion.contracts.routes import Route
from isolator import words
from isolator.marks import Mark
from isolator.state import StateView
from isolator.status import Score
from isolator.verdict import Verdict


@dataclass(frozen=True, slots=True)
class Explanation:
    """A token's route, marks, score and verdicts (newest first)."""

    pipeline: str
    token: str
    lane: Lane
    route: Route | None
    marks: tuple[Mark, ...]
    score: Score | None
    verdicts: tuple[Verdict, ...]

    def lines(self) -> list[str]:
        """For a terminal: the state first, then each verdict with its evidence."""
        where = f"{self.token} is wanted in {self.lane}"
        if self.route is not None and self.lane is not Lane.GENERAL:
            where += f" ({self.route.reason}, by {self.route.by})"
        said = [f"{where}."]
        said += [f"{mark.kind} by {mark.by}{': ' + mark.reason if mark.reason else ''}." for mark in self.marks]
        if self.score is not None:
            said.append(
                f"Now: {words.number(self.score.events_per_s)} events/s, work {words.times(self.score.ratio)} its baseline, "
                f"anomaly score {words.number(self.score.score)} (-log10 p)."
            )
        if not self.verdicts:
            said.append("Nothing was decided about it in the last 24 h.")
        for verdict in self.verdicts:
            said += ["", verdict.sentence(), *_evidence(verdict)]
        return said

    def as_dict(self) -> dict[str, Any]:
        """For JSON output."""
        return {
            "pipeline": self.pipeline,
            "token": self.token,
            "lane": str(self.lane),
            "since_ms": self.route.since_ms if self.route else None,
            "by": self.route.by if self.route else None,
            "reason": self.route.reason if self.route else None,
            "expires_ms": self.route.expires_ms if self.route else None,
            "marks": [
                {"kind": str(m.kind), "by": m.by, "reason": m.reason, "at_ms": m.at_ms, "until_ms": m.until_ms}
                for m in self.marks
            ],
            "score": None
            if self.score is None
            else {"score": self.score.score, "ratio": self.score.ratio, "events_per_s": self.score.events_per_s},
            "verdicts": [v.as_dict() for v in self.verdicts],
        }


def explain(view: StateView, token: str, now_ms: int) -> Explanation:
    """Everything that the state topic tells about `token`."""
    status = view.status
    return Explanation(
        view.pipeline,
        token,
        view.table.wanted(token),
        view.table.routes.get(token),
        tuple(m for m in view.marks.get(token, ()) if m.holds(now_ms)),
        next((s for s in status.scores if s.token == token), None) if status else None,
        tuple(view.latest(token)),
    )


def _evidence(verdict: Verdict) -> list[str]:
    if not verdict.work:
        return []
    usually = f"usually {words.number(verdict.baseline_work)}"
    lines = [
        f"  observed   {words.number(verdict.events_per_s)} events/s x {words.duration(verdict.cost_s)} = {words.number(verdict.work)} s of work a second; {usually}",
        f"  threshold  {words.number(verdict.threshold)} {verdict.unit}; it was {words.times(verdict.ratio)}, -log10 p {words.number(verdict.score)}",
        f"  needed     {words.number(verdict.need)} s of work a second had to leave {words.partitions(verdict.partitions, verdict.partitions_total)}",
        f"  lag        {words.duration(verdict.lag_blamed_s)} of {words.duration(verdict.delay_before_s)} are its",
        f"  considered {'; '.join(f'{words.short(a.token)} ({a.why_not})' for a in verdict.alternatives) or 'nobody else'}",
    ]
    if verdict.suggestion:
        lines.append(f"  suggestion {verdict.suggestion}")
    return lines
