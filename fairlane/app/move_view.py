"""One move as values: its sentence, its time line, and the pictures of its work and of the queue with and without it. Pure: `build(docket, episode, trace)`."""

from dataclasses import dataclass
from typing import Final, Literal

from fairlane.app import words
from fairlane.app.curves import Line, Moment, Picture, plain_scale
from fairlane.app.decisions import effect
from fairlane.app.docket import Docket, Points, Trace
from fairlane.app.episodes import Episode
from fairlane.app.moves_view import Row, Said, ask, back_text, notices, row, said
from fairlane.app.opening import Notice
from fairlane.app.rows import When
from fairlane.app.states import State
from fairlane.app.view import scale
from isolator.verdict import Reason, Verdict, VerdictKind
from isolator.words import number

MARGIN_MS: Final = 300_000
"""The pictures show this much before the decision and after the end."""
BEFORE_MS: Final = 60_000
"""Of a time before that in which nothing was recorded so much is shown."""
MOST_MS: Final = 12 * 3_600_000
"""... and at most so much in all."""
RERUN_SLOS: Final = 4
"""The queue's picture is never higher than so many SLOs for the sake of the re-run alone."""
StepState = Literal["done", "now", "next", "never"]


@dataclass(frozen=True, slots=True)
class Step:
    """A station of the time line."""

    name: str
    state: StepState
    at: When | None
    text: str


@dataclass(frozen=True, slots=True)
class MoveView:
    """The whole page of one move."""

    pipeline: str
    row: Row
    announce: str
    now: When
    notices: tuple[Notice, ...]
    said: Said | None
    steps: tuple[Step, ...]
    pictures: tuple[Picture, ...]
    considered: tuple[str, ...]
    considered_empty: str
    verdict: Verdict | None
    back: Verdict | None


def window(docket: Docket, one: Episode) -> tuple[int, int]:
    """From when to when (Unix ms) the pictures of the episode go."""
    end = min((one.end_ms or docket.now_ms) + MARGIN_MS, docket.now_ms)
    if one.verdict is not None and one.verdict.kind is not VerdictKind.MOVE:
        end = min(one.at_ms + 3 * MARGIN_MS, docket.now_ms)
    since = one.at_ms - MARGIN_MS
    return max(since, end - MOST_MS), max(end, since + 60_000)


def partitions(one: Episode) -> tuple[int, ...]:
    """The partitions whose queue is drawn: those that the verdict blames it for."""
    return one.verdict.partitions if one.verdict else ()


def build(docket: Docket, one: Episode, trace: Trace, answer: str = "") -> MoveView:
    """The page. `answer` is the id of a command whose answer is to be shown."""
    said_row = row(docket, one)
    return MoveView(
        pipeline=docket.pipeline,
        row=said_row,
        announce=f"{one.id}|{one.word}",
        now=When.at(docket.at_s, docket.at_s),
        notices=(*notices(docket), *_unread(trace)),
        said=said(docket.answers.get(answer)),
        steps=steps(docket, one),
        pictures=(_work(docket, one, trace), _queue(docket, one, trace)) if one.token else (),
        considered=said_row.alternatives,
        considered_empty=_nobody(one),
        verdict=one.verdict,
        back=one.back,
    )


def _unread(trace: Trace) -> tuple[Notice, ...]:
    return (Notice(State.FROZEN, f"There are no pictures. {trace.problem}"),) if trace.problem else ()


# ---- the time line ---------------------------------------------------------------------------------------------------------------


def steps(docket: Docket, one: Episode) -> tuple[Step, ...]:
    """move -> verified -> calm -> restored; asked -> answered for a proposal; one station for what was only found."""
    verdict = one.verdict
    if verdict is not None and verdict.kind is VerdictKind.PROPOSAL:
        return _asked(docket, one, verdict)
    if verdict is not None and verdict.kind is VerdictKind.LIMIT:
        return _limited(docket, one, verdict)
    if verdict is not None and verdict.kind is not VerdictKind.MOVE:
        return (Step(one.word, "done", When.at(one.at_ms / 1000, docket.at_s), "recorded; nothing was done"),)
    by = "the policy" if one.by == "policy" else one.by
    first = Step("moved", "done", When.at(one.at_ms / 1000, docket.at_s), f"to {one.target} by {by}")
    if verdict is None:
        return (first, _end(docket, one))
    return (first, _verified(docket, one, verdict), _calm(docket, one), _end(docket, one))


def _limited(docket: Docket, one: Episode, verdict: Verdict) -> tuple[Step, ...]:
    by = "the policy" if one.by == "policy" else one.by
    first = Step(
        "limited", "done", When.at(one.at_ms / 1000, docket.at_s), f"to {verdict.limit_text()} at capture by {by}"
    )
    if one.back is not None:
        at = When.at(one.back.at_ms / 1000, docket.at_s)
        return first, Step(
            "limited anew" if one.back.kind is VerdictKind.LIMIT else "lifted", "done", at, back_text(one, one.back)
        )
    until = one.route.limit_until_ms if one.route is not None else None
    if until is None:
        return first, Step("lifted", "done", None, "when and why is no longer kept")
    left = words.span(max(until / 1000 - docket.at_s, 0.0))
    return first, Step("lifted", "next", None, f"when it sends well under its limit, by hand, or in {left}")


def _asked(docket: Docket, one: Episode, verdict: Verdict) -> tuple[Step, ...]:
    asked = Step("asked", "done", When.at(one.at_ms / 1000, docket.at_s), f"{ask(verdict)}?")
    expires = None if verdict.expires_ms is None else When.at(verdict.expires_ms / 1000, docket.at_s)
    if one.word == "asks":
        left = "" if verdict.expires_ms is None else f" for {words.span(verdict.expires_ms / 1000 - docket.at_s)} more"
        return asked, Step("answer", "now", None, f"approve or decline{left}; without an answer nothing happens")
    if one.word == "expired":
        return asked, Step("expired", "done", expires, "nobody answered in time; nothing was done")
    return asked, Step(one.word, "done", expires, verdict.note)


def _verified(docket: Docket, one: Episode, verdict: Verdict) -> Step:
    if verdict.rho_predicted is None:
        return Step("verified", "never", None, "moved by hand: nothing was predicted, so nothing is verified")
    if verdict.verified is None:
        if one.away:
            return Step("verified", "now", None, "after three ticks, 15 s, its effect is measured")
        return Step("verified", "never", None, "it ended before its effect was measured")
    at = None if verdict.verified_ms is None else When.at(verdict.verified_ms / 1000, docket.at_s)
    result = "it helped" if verdict.verified else "it did not help"
    return Step("verified", "done", at, f"{result}: {effect(verdict, verdict.rho_realised, verdict.delay_realised_s)}")


def _calm(docket: Docket, one: Episode) -> Step:
    if one.back is not None:
        if one.back.reason is Reason.CALM:
            return Step("calm", "done", None, f"its work was back to {words.times(one.back.ratio)} its baseline")
        return Step("calm", "never", None, "it was not waited for")
    seen = one.watched
    if seen is None:
        return Step("calm", "next", None, "how it does now is not known")
    if seen.calm_since_ms is None:
        why = seen.why_not or "the controller has not judged it yet"
        return Step("calm", "now", None, f"not yet: {why}")
    calm_s = min(max(docket.at_s - seen.calm_since_ms / 1000, 0.0), seen.calm_needed_s)
    text = f"{words.seconds(round(calm_s))} of the {words.seconds(round(seen.calm_needed_s))} that are asked for"
    return Step("calm", "now", When.at(seen.calm_since_ms / 1000, docket.at_s), text)


def _end(docket: Docket, one: Episode) -> Step:
    back = one.back
    if back is None:
        if not one.away:
            return Step("restored", "done", None, "when and why is no longer kept")
        route = one.route
        if route is not None and route.expires_ms is not None:
            left = route.expires_ms / 1000 - docket.at_s
            when = f"in {words.span(left)}" if left > 0 else f"as soon as {one.target} has caught up"
            return Step("restored", "next", None, f"its time is up {when}" if left > 0 else f"comes back {when}")
        return Step("restored", "next", None, "when it is calm, or by hand")
    at = When.at(back.at_ms / 1000, docket.at_s)
    if back.kind is VerdictKind.MOVE:
        return Step("moved on", "done", at, f"to {back.target}")
    return Step("restored", "now" if one.state is State.RESTORING else "done", at, back_text(one, back))


def _nobody(one: Episode) -> str:
    if one.verdict is None:
        return "Not known: the verdict is no longer kept."
    if one.verdict.reason is Reason.MANUAL:
        return "None: it was moved by hand, the policy was not asked."
    return "Nobody else did work on the hot partitions."


# ---- the pictures ----------------------------------------------------------------------------------------------------------------


def _work(docket: Docket, one: Episode, trace: Trace) -> Picture:
    since, until = _shown(docket, one, trace)
    work, usual = _within(trace.work, since, until), _within(trace.usual, since, until)
    if not usual and one.verdict is not None and one.verdict.baseline_work and work:
        usual = ((work[0][0], one.verdict.baseline_work), (work[-1][0], one.verdict.baseline_work))
    return Picture(
        "work",
        "Its work against its baseline",
        "How many handler seconds a second do its events bring?",
        (
            Line("its work", "general", work, number(work[-1][1]) if work else words.NONE),
            Line("its baseline", "everyone", usual, number(usual[-1][1]) if usual else words.NONE),
        ),
        since,
        until,
        *plain_scale(1.05 * max((value for _, value in (*work, *usual)), default=1.0)),
        moments=_moments(docket, one),
        note="As the controller reckoned it at each tick: arriving events times their cost. Recorded for moved tokens and the 20 most conspicuous.",
        empty=_nothing(trace, bool(work), "nothing was recorded of its work in this time"),
        seconds=False,
    )


def _queue(docket: Docket, one: Episode, trace: Trace) -> Picture:
    since, until = _shown(docket, one, trace)
    places = partitions(one)
    measured = worst(tuple(_within(trace.delay.get(p, ()), since, until) for p in places))
    stayed = rerun(one, trace, places, until)
    blamed = ""
    if one.verdict is not None and one.verdict.lag_blamed_s:
        blamed = (
            f"At the decision {words.seconds(one.verdict.lag_blamed_s)} of {words.seconds(one.verdict.delay_before_s)} were its "
            "(the queue re-run without it). "
        )
    top = max([docket.slo_s * 1.3, *(1.05 * value for _, value in measured)])
    top = max(top, min(max((value for _, value in stayed), default=0.0), RERUN_SLOS * docket.slo_s))
    name = f"partition {places[0]}" if len(places) == 1 else f"the worst of its {words.many(len(places), 'partition')}"
    moved = one.verdict is not None and one.verdict.kind is VerdictKind.MOVE
    lines = [Line("as it is, without it" if moved else "as it is", "general", measured, _last(measured))]
    if moved:
        lines.append(Line("re-run with it", "everyone", stayed, _last(stayed)))
    return Picture(
        "queue",
        f"The queue of {name}" if places else "The queue of its partitions",
        "How long does an event wait in general, with it and without it?",
        tuple(lines),
        since,
        until,
        *scale(top),
        docket.slo_s,
        f"SLO {words.seconds(docket.slo_s)}",
        _moments(docket, one),
        f"{blamed}The re-run has everybody back in general who is moved: it grows by utilisation less one, each second.",
        _nothing(
            trace,
            bool(measured),
            "nothing was recorded of the queue in this time" if places else "which partitions it was on is not known",
        ),
    )


def _shown(docket: Docket, one: Episode, trace: Trace) -> tuple[int, int]:
    """The window, without most of the time before anything was recorded."""
    since, until = window(docket, one)
    recorded = (trace.work, *trace.delay.values())
    first = min((at for points in recorded for at, _ in points if at >= since), default=since)
    return max(since, min(first, one.at_ms) - BEFORE_MS), until


def worst(series: tuple[Points, ...]) -> Points:
    """At each time the largest value of all series."""
    found: dict[int, float] = {}
    for points in series:
        for at, value in points:
            found[at] = max(value, found.get(at, value))
    return tuple(sorted(found.items()))


def rerun(one: Episode, trace: Trace, places: tuple[int, ...], until: int) -> Points:
    """The queue from the move to its end, had nobody been moved: D' = D at the move, then D' += (rho - 1) dt, never under what was measured.

    Nothing where no such utilisation was recorded.
    """
    end = min(one.end_ms or until, until)
    found: list[Points] = []
    for place in places:
        rho = dict(trace.rho_with.get(place, ()))
        delays = [point for point in trace.delay.get(place, ()) if point[0] <= end and point[0] in rho]
        # the tick of the decision was still measured with the token in general
        start = max((i for i, (at, _) in enumerate(delays) if at <= one.at_ms), default=0)
        points: list[tuple[int, float]] = []
        for at, delay in delays[start:]:
            grown = points[-1][1] + (rho[at] - 1.0) * (at - points[-1][0]) / 1000 if points else delay
            points.append((at, max(delay, grown)))
        found.append(tuple(points))
    return worst(tuple(found))


def _moments(docket: Docket, one: Episode) -> tuple[Moment, ...]:
    kind = one.verdict.kind if one.verdict else VerdictKind.MOVE
    name = {VerdictKind.MOVE: "moved", VerdictKind.LIMIT: "limited", VerdictKind.PROPOSAL: "asked"}.get(kind, one.word)
    found = [Moment(one.at_ms, name)]
    if one.verdict is not None and one.verdict.verified_ms is not None:
        found.append(Moment(one.verdict.verified_ms, "verified"))
    if one.watched is not None and one.watched.calm_since_ms is not None:
        found.append(Moment(one.watched.calm_since_ms, "calm"))
    if one.back is not None:
        names = {VerdictKind.MOVE: "moved on", VerdictKind.LIFT: "lifted", VerdictKind.LIMIT: "limited anew"}
        found.append(Moment(one.back.at_ms, names.get(one.back.kind, "restored")))
    found += [Moment(change.at_ms, words.token(change.text()), "moment deploy") for change in docket.changes]
    return tuple(found)


def _within(points: Points, since: int, until: int) -> Points:
    return tuple(point for point in points if since <= point[0] <= until)


def _nothing(trace: Trace, known: bool, otherwise: str) -> str:
    if known:
        return ""
    return "the database cannot be read" if trace.problem else otherwise


def _last(points: Points) -> str:
    return words.seconds(points[-1][1]) if points else words.NONE
