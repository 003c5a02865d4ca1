"""What is known about one token, in the operator's units: from the folded state topic, without asking the controller."""

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import orjson

from ingestion.contracts.names import Lane
from ingestion.contracts.routes import Route
from isolator import words
from isolator.marks import Mark
from isolator.state import StateView
from isolator.status import Score, Watched
from isolator.verdict import Verdict, VerdictKind


@dataclass(frozen=True, slots=True)
class Explanation:
    """A token's route, marks, score and verdicts (newest first), as known at `at_ms`."""

    pipeline: str
    token: str
    at_ms: int
    lane: Lane
    route: Route | None
    marks: tuple[Mark, ...]
    score: Score | None
    watched: Watched | None
    verdicts: tuple[Verdict, ...]

    @property
    def empty(self) -> bool:
        """Is nothing known of it?"""
        return not (self.route or self.marks or self.score or self.watched or self.verdicts)

    def lines(self) -> list[str]:
        """For a terminal: the state first, then each verdict with its evidence."""
        said = [self._where()]
        said += [self._mark(mark) for mark in self.marks]
        now = self.watched or self.score
        if now is not None:
            said.append(
                f"Now: {words.number(now.events_per_s)} events/s, {words.number(now.work)} s of work a second, "
                f"{words.times(now.ratio)} its baseline; anomaly score {words.number(now.score)} (-log10 p)."
            )
        if self.watched is not None:
            said.append(self._calm(self.watched))
        if not self.verdicts:
            said.append("Nothing was decided about it in the last 24 h.")
        for verdict in self.verdicts:
            said += ["", f"{self._when(verdict.at_ms)}, by {verdict.by}", verdict.sentence(), *_evidence(verdict)]
        return said

    def as_dict(self) -> dict[str, Any]:
        """For JSON output."""
        return {
            "pipeline": self.pipeline,
            "token": self.token,
            "at_ms": self.at_ms,
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
            "watched": None if self.watched is None else orjson.loads(orjson.dumps(self.watched)),
            "verdicts": [v.as_dict() for v in self.verdicts],
        }

    def _where(self) -> str:
        where = f"{self.token} is wanted in {self.lane}"
        route = self.route
        if route is None or route.lane is Lane.GENERAL:
            return f"{where}."
        ends = ""
        if route.expires_ms is not None:
            left_s = (route.expires_ms - self.at_ms) / 1000
            ends = (
                f"; ends in {words.duration(left_s)}"
                if left_s > 0
                else "; comes back as soon as its lane has caught up"
            )
        return f"{where} since {self._when(route.since_ms)} ({route.reason}, by {route.by}){ends}."

    def _mark(self, mark: Mark) -> str:
        until = f", for {words.duration((mark.until_ms - self.at_ms) / 1000)} more" if mark.until_ms is not None else ""
        return f"{mark.kind} by {mark.by}{f': {mark.reason}' if mark.reason else ''}{until}."

    def _calm(self, seen: Watched) -> str:
        if seen.calm_since_ms is None:
            return f"It stays away: {seen.why_not or 'not judged yet'}."
        calm_s = min((self.at_ms - seen.calm_since_ms) / 1000, seen.calm_needed_s)
        return f"Calm for {words.duration(max(calm_s, 0.0))} of the {words.duration(seen.calm_needed_s)} before it is restored."

    def _when(self, at_ms: int) -> str:
        utc = datetime.fromtimestamp(at_ms / 1000, UTC).strftime("%Y-%m-%d %H:%M:%S UTC")
        return f"{utc} ({words.duration(max(self.at_ms - at_ms, 0) / 1000)} ago)"


def explain(view: StateView, token: str, now_ms: int) -> Explanation:
    """Everything that the state topic tells about `token`."""
    status = view.status
    return Explanation(
        view.pipeline,
        token,
        now_ms,
        view.table.wanted(token),
        view.table.routes.get(token),
        tuple(m for m in view.marks.get(token, ()) if m.holds(now_ms)),
        next((s for s in status.scores if s.token == token), None) if status else None,
        next((w for w in status.watched if w.token == token), None) if status else None,
        tuple(view.latest(token)),
    )


def _evidence(verdict: Verdict) -> list[str]:
    if not verdict.work:
        return []
    usually = f"usually {words.number(verdict.baseline_work)}"
    lines = [
        f"  observed   {words.number(verdict.events_per_s)} events/s x {words.duration(verdict.cost_s)} = {words.number(verdict.work)} s of work a second; {usually}",
        f"  threshold  {words.number(verdict.threshold)} {verdict.unit}; it was {words.times(verdict.ratio)}, -log10 p {words.number(verdict.score)}",
        f"  share      {words.percent(verdict.share)} of the load on {words.partitions(verdict.partitions, verdict.partitions_total)}",
        f"  needed     {words.number(verdict.need)} s of work a second had to leave {words.partitions(verdict.partitions, verdict.partitions_total)}",
        f"  lag        {words.duration(verdict.lag_blamed_s)} of {words.duration(verdict.delay_before_s)} of queue are its (the queue re-run without it)",
        f"  predicted  {_effect(verdict, verdict.rho_predicted, verdict.delay_predicted_s) or 'nothing'}",
    ]
    if verdict.kind is VerdictKind.MOVE:
        lines.append(f"  realised   {_realised(verdict)}")
    others = "; ".join(f"{words.short(a.token)} ({a.why_not})" for a in verdict.alternatives)
    lines.append(f"  considered {others or 'nobody else'}")
    if verdict.suggestion:
        lines.append(f"  suggestion {verdict.suggestion}")
    return lines


def _effect(verdict: Verdict, rho: float | None, delay_s: float | None) -> str:
    if rho is None:
        return ""
    delay = "" if delay_s is None else f", delay {words.duration(verdict.delay_before_s)} -> {words.duration(delay_s)}"
    return f"rho {words.number(verdict.rho_before)} -> {words.number(rho)}{delay}"


def _realised(verdict: Verdict) -> str:
    seen = _effect(verdict, verdict.rho_realised, verdict.delay_realised_s)
    if not seen or verdict.verified is None:
        return seen or "not measured yet: it takes three ticks, 15 s"
    return f"{seen}: {'it helped' if verdict.verified else 'it did not help'}"
