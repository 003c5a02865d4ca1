"""The moves page as values: what its template draws and `/api/v1/moves` answers. Pure: `build(docket)`."""

from dataclasses import dataclass
from typing import Final
from urllib.parse import quote

from fairlane.app import words
from fairlane.app.allowed import Button, blind, buttons
from fairlane.app.decisions import alternatives, effect, observed, realised, why
from fairlane.app.docket import Docket
from fairlane.app.episodes import Episode, episodes
from fairlane.app.opening import BLIND_S, Notice
from fairlane.app.rows import When
from fairlane.app.states import State
from ingestion.contracts.names import Lane
from ingestion.contracts.routes import Mode
from isolator.answers import Answer
from isolator.changes import Change
from isolator.status import Watched
from isolator.verdict import Reason, Verdict, VerdictKind
from isolator.words import number

MOST_PAST: Final = 200
MODE_MEANINGS: Final = {
    Mode.OFF: "nobody is moved, whatever happens; who is moved stays where they are",
    Mode.OBSERVE: "decides and records, does nothing",
    Mode.SUGGEST: "asks a person before each move, restores by itself",
    Mode.AUTO: "moves and restores by itself, within its budget",
}


@dataclass(frozen=True, slots=True)
class Row:
    """One episode as a sentence."""

    key: str
    id: str
    href: str
    token: str
    token_short: str
    state: State
    word: str
    over: bool
    source: str
    target: str
    at: When
    by: str
    ask: str
    """What a proposal asks for; empty for anything else."""
    sentence: str
    """Why, in the operator's units."""
    predicted: str
    realised: str
    now: str
    """How it does now, and what stands in the way of its return."""
    until: str
    """Until when it holds or can be answered."""
    marks: tuple[str, ...]
    observed: tuple[tuple[str, str], ...]
    alternatives: tuple[str, ...]
    buttons: tuple[Button, ...]


@dataclass(frozen=True, slots=True)
class ChangeRow:
    """A deploy note."""

    at: When
    text: str
    by: str
    note: str


@dataclass(frozen=True, slots=True)
class Said:
    """The controller's answer to what the reader has just asked for."""

    state: State
    text: str


@dataclass(frozen=True, slots=True)
class MovesView:
    """The whole page."""

    pipeline: str
    pipelines: tuple[str, ...]
    mode: str
    modes: tuple[tuple[str, str], ...]
    """Every mode, and what it does."""
    state: State
    text: str
    detail: str
    announce: str
    now: When
    notices: tuple[Notice, ...]
    said: Said | None
    current: tuple[Row, ...]
    past: tuple[Row, ...]
    """The newest MOST_PAST of those that are over."""
    past_count: int
    moved: int
    known: bool
    """Has anything been read of the controller's state?"""
    empty: str
    changes: tuple[ChangeRow, ...]


def build(docket: Docket, answer: str = "") -> MovesView:
    """The page. `answer` is the id of a command whose answer is to be shown. Raises nothing: what is not known is said."""
    known = episodes(docket)
    over = [one for one in known if one.over]
    current = tuple(row(docket, one) for one in known if not one.over)
    state, text, detail = _opening(docket, current)
    return MovesView(
        pipeline=docket.pipeline,
        pipelines=docket.pipelines or (docket.pipeline,),
        mode=docket.mode.value if docket.mode is not None else "unknown",
        modes=tuple((mode.value, MODE_MEANINGS[mode]) for mode in Mode),
        state=state,
        text=text,
        detail=detail,
        announce="|".join((state, *(f"{one.id}:{one.word}" for one in current))),
        now=When.at(docket.at_s, docket.at_s),
        notices=notices(docket),
        said=said(docket.answers.get(answer)),
        current=current,
        past=tuple(row(docket, one) for one in over[:MOST_PAST]),
        past_count=len(over),
        moved=_moved(docket),
        known=docket.last_tick_s is not None,
        empty=_empty(docket, current),
        changes=tuple(change_row(docket, one) for one in docket.changes),
    )


def row(docket: Docket, one: Episode) -> Row:
    """The sentence of one episode."""
    verdict = one.verdict
    return Row(
        key=f"move-{one.id}",
        id=one.id,
        href=f"/moves/{quote(one.id, safe='')}?pipeline={quote(docket.pipeline)}",
        token=one.token,
        token_short=words.token(one.token),
        state=one.state,
        word=one.word,
        over=one.over,
        source=one.source.value,
        target=one.target.value,
        at=When.at(one.at_ms / 1000, docket.at_s),
        by="the policy" if one.by == "policy" else one.by,
        ask=ask(verdict) if verdict and verdict.kind is VerdictKind.PROPOSAL else "",
        sentence=why(verdict) if verdict else "Why is not known: its verdict is no longer kept.",
        predicted=effect(verdict, verdict.rho_predicted, verdict.delay_predicted_s) if verdict else "",
        realised=_realised(one),
        now=now_text(docket, one.watched) if one.back is None else back_text(one, one.back),
        until=_until(docket, one),
        marks=tuple(
            f"{mark.kind} by {mark.by}{f': {mark.reason}' if mark.reason else ''}"
            for mark in docket.marks_of(one.token)
        ),
        observed=observed(verdict) if verdict else (),
        alternatives=alternatives(verdict) if verdict else (),
        buttons=buttons(docket, one),
    )


def ask(verdict: Verdict) -> str:
    """What a proposal asks for, as a question without its mark."""
    who = words.token(verdict.token)
    return (
        f"limit {who} to {verdict.limit_text()} at capture"
        if verdict.limit_per_s is not None
        else f"move {who} to {verdict.target}"
    )


def change_row(docket: Docket, change: Change) -> ChangeRow:
    """A deploy note as a line."""
    note = change.note if change.text() != change.note else ""
    return ChangeRow(When.at(change.at_ms / 1000, docket.at_s), change.text(), change.by, note)


def now_text(docket: Docket, watched: Watched | None) -> str:
    """The token as the last tick saw it."""
    if watched is None:
        return ""
    work = f"{words.rate(watched.events_per_s)}, {number(watched.work)} handler seconds a second"
    if watched.calm_since_ms is None and watched.why_not:
        return f"{work}; not calm: {watched.why_not}"
    work = f"{work}, {words.times(watched.ratio)} its baseline"
    if watched.calm_since_ms is None:
        return work
    calm_s = max(docket.at_s - watched.calm_since_ms / 1000, 0.0)
    return f"{work}; calm for {words.seconds(round(min(calm_s, watched.calm_needed_s)))} of {words.seconds(round(watched.calm_needed_s))}"


def back_text(one: Episode, back: Verdict) -> str:
    """Why it came back (or went on), and what it still waits for."""
    if back.kind is VerdictKind.MOVE:
        return f"moved on to {back.target}"
    if back.kind is VerdictKind.LIMIT:
        return f"limited anew, to {back.limit_text()}"
    why = {
        Reason.CALM: "it had calmed down" + (f" to {words.times(back.ratio)} its baseline" if back.ratio else ""),
        Reason.EXPIRED: "its time was up",
        Reason.WRONG_CULPRIT: "it was the wrong culprit, and is barred from being moved for a while",
        Reason.MANUAL: f"by {back.by}{f': {back.note}' if back.note else ''}",
    }.get(back.reason, str(back.reason))
    waits = f"; {back.source} still holds some of its records" if one.state is State.RESTORING else ""
    return f"{why}{waits}"


def notices(docket: Docket) -> tuple[Notice, ...]:
    """What limits what can be said or done here, worst first."""
    found = [Notice(State.FROZEN, part.detail) for part in docket.parts if not part.ok]
    nobody = blind(docket)
    if nobody and all(part.ok for part in docket.parts if part.name == "kafka"):
        found.append(Notice(State.WATCH, nobody))
    if docket.mode is Mode.OFF:
        found.append(Notice(State.WATCH, "The isolator is off: nobody is moved, whatever happens."))
    if docket.status is not None and docket.status.moves_refused:
        found.append(Notice(State.WATCH, "A worker's fence map is full and refuses moves: restore tokens first."))
    return tuple(found)


def said(answer: Answer | None) -> Said | None:
    """The answer as a line."""
    if answer is None:
        return None
    if answer.ok:
        return Said(State.OK, f"Done: {answer.message}.")
    return Said(State.WATCH, f"Refused: {answer.message}.")


def _opening(docket: Docket, current: tuple[Row, ...]) -> tuple[State, str, str]:
    kafka = next((part for part in docket.parts if part.name == "kafka" and not part.ok), None)
    if kafka is not None and docket.status is None:
        return State.FROZEN, "No data: Kafka does not answer, so nobody knows who is moved.", ""
    if docket.last_tick_s is None:
        return State.FROZEN, f"No data: no controller has decided for pipeline {docket.pipeline} yet.", ""
    asks = [one for one in current if one.word == "asks"]
    if asks:
        first = asks[0]
        more = f" and {len(asks) - 1} more" if len(asks) > 1 else ""
        return (
            State.WATCH,
            f"Asked: {first.ask}{more}? {first.until[:1].upper()}{first.until[1:]}.",
            "",
        )
    failed = [one for one in current if one.word == "did not help"]
    if failed:
        return State.WATCH, f"Moving {failed[0].token_short} did not help.", failed[0].realised
    moved, limited = _moved(docket), _limited(docket)
    tokens = f" of {words.count(docket.status.active_tokens)}" if docket.status and docket.status.active_tokens else ""
    traffic = docket.status.moved_traffic if docket.status else 0.0
    stale = docket.at_s - docket.last_tick_s > BLIND_S
    state = State.FROZEN if stale else State.MOVED
    when = f", as of {words.ago(docket.at_s - docket.last_tick_s)}" if stale else ""
    if moved:
        verb = "token is" if moved == 1 and not tokens else "tokens are" if moved > 1 else "tokens is"
        share = f", {words.percent(round(traffic, 3))} of the traffic" if traffic else ""
        more = f"; {words.many(limited, 'token')} limited at capture" if limited else ""
        return state, f"{moved}{tokens} {verb} moved{share}{more}{when}.", ""
    if limited:
        many = words.many(limited, "token")
        return state, f"Nobody is moved; {many} {'is' if limited == 1 else 'are'} limited at capture{when}.", ""
    if any(one.state is State.RESTORING for one in current):
        return State.RESTORING, "Nobody is moved any more; the last ones are on their way back.", ""
    warned = next((one for one in current if one.state is State.WATCH), None)
    if warned is not None:
        return State.WATCH, f"Nobody is moved. {warned.sentence}", ""
    return (State.FROZEN if stale else State.OK), f"Nobody is moved: every token is in the general lane{when}.", ""


def _moved(docket: Docket) -> int:
    return sum(route.lane is not Lane.GENERAL for route in docket.routes.values())


def _limited(docket: Docket) -> int:
    return sum(route.limit_at(docket.now_ms) is not None for route in docket.routes.values())


def _empty(docket: Docket, current: tuple[Row, ...]) -> str:
    if current:
        return ""
    if docket.last_tick_s is None and any(part.name == "kafka" and not part.ok for part in docket.parts):
        return "No data: Kafka does not answer, so nothing is known of moves."
    if docket.last_tick_s is None:
        return "No data: the controller has not decided yet, so nothing is known of moves."
    if docket.mode is Mode.OFF:
        return "Nothing to decide: the isolator is off."
    return "Nothing to decide: nobody is moved, nobody is proposed, nothing is wrong."


def _realised(one: Episode) -> str:
    verdict = one.verdict
    if verdict is None:
        return ""
    if verdict.kind in {VerdictKind.LIMIT, VerdictKind.ALERT}:
        return ""
    if verdict.kind is not VerdictKind.MOVE:
        return "nothing was done" if one.word not in {"asks", "approved"} else ""
    found = realised(verdict)
    if found or verdict.rho_predicted is None:
        return found
    return "not measured yet: it takes three ticks, 15 s" if one.away else "never measured: it ended before three ticks"


def _until(docket: Docket, one: Episode) -> str:
    verdict = one.verdict
    if one.word == "asks" and verdict is not None:
        if verdict.expires_ms is None:
            return "it can be answered at any time"
        return f"it can be answered for {words.span(verdict.expires_ms / 1000 - docket.at_s)}"
    if one.word == "limited" and one.route is not None and one.route.limit_until_ms is not None:
        return f"ends in {words.span(max(one.route.limit_until_ms / 1000 - docket.at_s, 0.0))}"
    if one.away and one.route is not None and one.route.expires_ms is not None:
        left = one.route.expires_ms / 1000 - docket.at_s
        return f"ends in {words.span(left)}" if left > 0 else f"comes back as soon as {one.target} has caught up"
    if one.back is not None:
        return f"until {words.ago(docket.at_s - one.back.at_ms / 1000)}"
    return ""
