"""The controller's state (routes, verdicts, status) as the page's values. Pure."""

from collections.abc import Mapping
from typing import Final

from fairlane.app import words
from fairlane.app.observation import MoveNow, ScoreNow
from ingestion.contracts.names import Lane
from ingestion.contracts.routes import Route
from isolator.state import StateView
from isolator.verdict import Verdict, VerdictKind

RESTORED_S: Final = 3_600.0
"""A restore is shown for this long."""
SETTLING_S: Final = 5.0
"""A restore counts as under way at least this long ..."""
DRAINING_S: Final = 600.0
"""... and at most this long while its lane still has lag."""
SUGGESTED_S: Final = 600.0
_WORDS: Final = {VerdictKind.WOULD_MOVE: "would move", VerdictKind.PROPOSAL: "asks", VerdictKind.ALERT: "warns"}


def moves(state: StateView, lags: Mapping[Lane, int | None], now_s: float) -> tuple[MoveNow, ...]:
    """Tokens outside general, and those that came back within RESTORED_S."""
    return tuple(
        _move(route, state.verdicts.get(route.verdict_id), lags, now_s)
        for route in state.table.routes.values()
        if route.lane is not Lane.GENERAL or (route.history and now_s - route.since_ms / 1000 <= RESTORED_S)
    )


def suggestions(state: StateView, now_s: float) -> tuple[MoveNow, ...]:
    """The newest thing that the policy would do, asks or warns of, per token and kind, no older than SUGGESTED_S."""
    newest: dict[tuple[str, VerdictKind, str], Verdict] = {}
    for verdict in state.verdicts.values():
        key = (verdict.token, verdict.kind, verdict.reason)
        recent = now_s - verdict.at_ms / 1000 <= SUGGESTED_S
        if verdict.kind in _WORDS and recent and (key not in newest or newest[key].at_ms < verdict.at_ms):
            newest[key] = verdict
    moved = {route.token for route in state.table.moved()}
    return tuple(_suggestion(verdict) for verdict in newest.values() if verdict.token not in moved)


def scores(state: StateView, shares: Mapping[str, float]) -> tuple[ScoreNow, ...]:
    """The most conspicuous tokens of the last tick."""
    return tuple(
        ScoreNow(row.token, row.score, shares.get(row.token)) for row in (state.status.scores if state.status else ())
    )


def _move(route: Route, verdict: Verdict | None, lags: Mapping[Lane, int | None], now_s: float) -> MoveNow:
    source = route.history[-1].lane if route.history else Lane.GENERAL
    since = route.since_ms / 1000
    age = now_s - since
    back = route.lane is Lane.GENERAL
    under_way = age < SETTLING_S or (bool(lags.get(source)) and age < DRAINING_S)
    return MoveNow(
        route.token,
        source,
        route.lane,
        since,
        by=route.by,
        reason=route.reason,
        sentence=_why(verdict) if verdict else "",
        predicted=_effect(verdict, verdict.rho_predicted, verdict.delay_predicted_s) if verdict else "",
        realised=_realised(verdict) if verdict else "",
        observed=_observed(verdict) if verdict else (),
        alternatives=_alternatives(verdict) if verdict else (),
        verdict_id=route.verdict_id,
        expires_s=None if route.expires_ms is None else route.expires_ms / 1000,
        restored=back and not under_way,
    )


def _suggestion(verdict: Verdict) -> MoveNow:
    return MoveNow(
        verdict.token,
        verdict.source,
        verdict.target,
        verdict.at_ms / 1000,
        by=verdict.by,
        reason=verdict.reason,
        sentence=verdict.sentence(),
        predicted=_effect(verdict, verdict.rho_predicted, verdict.delay_predicted_s),
        realised="nothing was done",
        observed=_observed(verdict),
        alternatives=_alternatives(verdict),
        verdict_id=verdict.id,
        word=_WORDS[verdict.kind],
    )


def _why(verdict: Verdict) -> str:
    """The verdict's sentence without its first part, which the row's head says already."""
    said = verdict.sentence()
    head, mark, why = said.partition(f"{verdict.source} -> {verdict.target}. ")
    return why if mark and why else head + mark


def _observed(verdict: Verdict) -> tuple[tuple[str, str], ...]:
    if not verdict.work:
        return ()
    facts = [
        (
            "work",
            f"{words.digits(verdict.work)} handler seconds a second, {words.times(verdict.ratio)} its baseline of {words.digits(verdict.baseline_work)}",
        ),
        (
            "events",
            f"{words.rate(verdict.events_per_s)}, {words.seconds(verdict.cost_s)} each (usually {words.seconds(verdict.baseline_cost_s)})",
        ),
        (
            "share",
            f"{words.percent(round(verdict.share, 3))} of the load on {words.many(len(verdict.partitions), 'partition')}: {', '.join(map(str, verdict.partitions))}",
        ),
        ("score", f"{words.digits(verdict.score)} (−log₁₀ p)"),
    ]
    if verdict.threshold:
        facts.append(("threshold", f"{words.digits(verdict.threshold)} {verdict.unit}".strip()))
    if verdict.suggestion:
        facts.append(("suggestion", verdict.suggestion))
    return tuple(facts)


def _effect(verdict: Verdict, rho: float | None, delay_s: float | None) -> str:
    if rho is None:
        return ""
    delay = "" if delay_s is None else f", delay {words.seconds(verdict.delay_before_s)} → {words.seconds(delay_s)}"
    return f"rho {words.digits(verdict.rho_before)} → {words.digits(rho)}{delay}"


def _realised(verdict: Verdict) -> str:
    effect = _effect(verdict, verdict.rho_realised, verdict.delay_realised_s)
    if not effect or verdict.verified is None:
        return effect
    return f"{effect}: {'it helped' if verdict.verified else 'it did not help'}"


def _alternatives(verdict: Verdict) -> tuple[str, ...]:
    return tuple(
        f"{words.token(other.token)}: work {words.times(other.ratio)} its baseline, score {words.digits(other.score)}; {other.why_not}"
        for other in verdict.alternatives
    )
