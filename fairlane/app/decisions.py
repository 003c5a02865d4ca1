"""The controller's state (routes, verdicts, status) as the page's values. Pure."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Final

from fairlane.app import words
from fairlane.app.observation import ChangeNow, MoveNow, ScoreNow
from ingestion.contracts.names import Lane
from ingestion.contracts.routes import Route
from isolator.state import StateView
from isolator.verdict import Verdict, VerdictKind
from isolator.words import duration, number

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
    """The newest thing that the policy would do, asks or warns of, per token and kind, no older than SUGGESTED_S; and the limits in force."""
    newest: dict[tuple[str, VerdictKind, str], Verdict] = {}
    for verdict in state.verdicts.values():
        key = (verdict.token, verdict.kind, verdict.reason)
        recent = now_s - verdict.at_ms / 1000 <= SUGGESTED_S
        if verdict.kind in _WORDS and recent and (key not in newest or newest[key].at_ms < verdict.at_ms):
            newest[key] = verdict
    moved = {route.token for route in state.table.moved()}
    limits = _limits(state, int(now_s * 1000))
    ideas = (_suggestion(verdict) for verdict in newest.values() if verdict.token not in moved)
    return (*ideas, *(replace(_suggestion(verdict), realised="", word="limited") for verdict in limits))


def _limits(state: StateView, now_ms: int) -> list[Verdict]:
    """The verdicts of the limits at capture that are in force."""
    newest: dict[str, Verdict] = {}
    for verdict in state.verdicts.values():
        if verdict.kind is VerdictKind.LIMIT and verdict.at_ms >= newest.get(verdict.token, verdict).at_ms:
            newest[verdict.token] = verdict
    return [verdict for token, verdict in newest.items() if state.table.limit(token, now_ms) is not None]


def scores(state: StateView, shares: Mapping[str, float]) -> tuple[ScoreNow, ...]:
    """The most conspicuous tokens of the last tick."""
    return tuple(
        ScoreNow(row.token, row.score, shares.get(row.token)) for row in (state.status.scores if state.status else ())
    )


def changes(state: StateView) -> tuple[ChangeNow, ...]:
    """What people told of, oldest first."""
    told = sorted(state.changes.values(), key=lambda change: (change.at_ms, change.id))
    return tuple(ChangeNow(change.at_ms / 1000, change.text(), change.by) for change in told)


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
        sentence=why(verdict) if verdict else "",
        predicted=effect(verdict, verdict.rho_predicted, verdict.delay_predicted_s) if verdict else "",
        realised=realised(verdict) if verdict else "",
        observed=observed(verdict) if verdict else (),
        alternatives=alternatives(verdict) if verdict else (),
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
        sentence=arrows(verdict.sentence()),
        predicted=effect(verdict, verdict.rho_predicted, verdict.delay_predicted_s),
        realised="nothing was done",
        observed=observed(verdict),
        alternatives=alternatives(verdict),
        verdict_id=verdict.id,
        word=_WORDS.get(verdict.kind, ""),
    )


def why(verdict: Verdict) -> str:
    """The verdict's sentence without its first part, which the row's head says already."""
    said = verdict.sentence()
    mark = "? " if verdict.kind is VerdictKind.PROPOSAL else f"{verdict.source} -> {verdict.target}. "
    _, found, rest = said.partition(mark)
    return arrows(rest if found and rest else said)


def arrows(text: str) -> str:
    """As pages write it: a terminal's `->` is one character here.

    >>> arrows("rho 1.9 -> 0.52")
    'rho 1.9 → 0.52'
    """
    return text.replace(" -> ", " → ")


def observed(verdict: Verdict) -> tuple[tuple[str, str], ...]:
    """What was measured against what was needed: (what, value in words); empty for a decision that measured nothing."""
    if not verdict.work:
        return ()
    facts = [
        (
            "work",
            f"{number(verdict.work)} handler seconds a second, {words.times(verdict.ratio)} its baseline of {number(verdict.baseline_work)}",
        ),
        (
            "events",
            f"{words.rate(verdict.events_per_s)}, {duration(verdict.cost_s)} each (usually {duration(verdict.baseline_cost_s)})",
        ),
        (
            "share",
            f"{words.percent(round(verdict.share, 3))} of the load on {words.many(len(verdict.partitions), 'partition')}: {', '.join(map(str, verdict.partitions))}",
        ),
        ("score", f"{words.digits(verdict.score)} (−log₁₀ p)"),
        (
            "lag",
            f"{words.seconds(verdict.lag_blamed_s)} of {words.seconds(verdict.delay_before_s)} of queue are its: the queue re-run without it",
        ),
    ]
    if verdict.threshold:
        facts.append(("threshold", f"{words.digits(verdict.threshold)} {verdict.unit}".strip()))
    if verdict.suggestion:
        facts.append(("suggestion", verdict.suggestion))
    return tuple(facts)


def effect(verdict: Verdict, rho: float | None, delay_s: float | None) -> str:
    """From what was before to `rho` and `delay_s`; empty when that is not known."""
    if rho is None:
        return ""
    delay = "" if delay_s is None else f", delay {words.seconds(verdict.delay_before_s)} → {words.seconds(delay_s)}"
    return f"rho {words.digits(verdict.rho_before)} → {words.digits(rho)}{delay}"


def realised(verdict: Verdict) -> str:
    """What came of it, and whether it helped; empty while that is not known."""
    said = effect(verdict, verdict.rho_realised, verdict.delay_realised_s)
    if not said or verdict.verified is None:
        return said
    return f"{said}: {'it helped' if verdict.verified else 'it did not help'}"


def alternatives(verdict: Verdict) -> tuple[str, ...]:
    """Who else was considered, and why they were left."""
    return tuple(
        f"{words.token(other.token)}: work {words.times(other.ratio)} its baseline, score {words.digits(other.score)}; {other.why_not}"
        for other in verdict.alternatives
    )
