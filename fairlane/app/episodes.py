"""Moves as episodes: from the decision that sent a token away to the one that brought it back; what was only proposed, considered or warned of is one too. Pure."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final
from zlib import crc32

from fairlane.app.decisions import DRAINING_S, SETTLING_S, SUGGESTED_S
from fairlane.app.docket import Docket
from fairlane.app.states import State
from ingestion.contracts.names import Lane
from ingestion.contracts.routes import Route
from isolator.status import Watched
from isolator.verdict import Verdict, VerdictKind

_IDLE_WORDS: Final = {
    VerdictKind.WOULD_MOVE: ("would move", "would have moved"),
    VerdictKind.ALERT: ("warns", "warned"),
}
_LIMITS: Final = frozenset({VerdictKind.LIMIT, VerdictKind.LIFT})
_PAST: Final = 9


@dataclass(frozen=True, slots=True)
class Episode:
    """One move, proposal, finding or warning. `rank` orders by trouble: 0 is worst, PAST is over."""

    id: str
    token: str
    state: State
    word: str
    rank: int
    at_ms: int
    source: Lane
    target: Lane
    by: str
    verdict: Verdict | None
    back: Verdict | None = None
    """The verdict that ended it."""
    route: Route | None = None
    """The token's route, while this episode is what it stands for."""
    watched: Watched | None = None
    """How the last tick saw the token, while it is away."""

    @property
    def over(self) -> bool:
        """Nothing more will come of it."""
        return self.rank == _PAST

    @property
    def away(self) -> bool:
        """The token is outside general because of it."""
        return self.route is not None and self.route.lane is not Lane.GENERAL

    @property
    def end_ms(self) -> int | None:
        """When the token was sent back (or on), None while it is away."""
        return self.back.at_ms if self.back else None


def episodes(docket: Docket) -> tuple[Episode, ...]:
    """Every episode that is known, worst first, then newest first."""
    found = [*_moves(docket), *_limits(docket), *_ideas(docket)]
    return tuple(sorted(found, key=lambda one: (one.rank, -one.at_ms, one.id)))


def find(docket: Docket, wanted: str) -> Episode | None:
    """The episode with that id or ended by that verdict, else the newest of that token."""
    known = episodes(docket)
    for one in known:
        if one.id == wanted or (one.back is not None and one.back.id == wanted):
            return one
    return max((one for one in known if one.token == wanted), key=lambda one: one.at_ms, default=None)


def remembered(verdict: Verdict) -> Episode:
    """The episode of a verdict that the state topic has forgotten: over, whatever it was."""
    return Episode(
        verdict.id,
        verdict.token,
        State.OK,
        "over",
        _PAST,
        verdict.at_ms,
        verdict.source,
        verdict.target,
        verdict.by,
        verdict,
    )


def _moves(docket: Docket) -> Iterable[Episode]:
    by_token: dict[str, list[Verdict]] = {}
    for verdict in docket.verdicts.values():
        if verdict.kind in {VerdictKind.MOVE, VerdictKind.RESTORE}:
            by_token.setdefault(verdict.token, []).append(verdict)
    told: set[str] = set()
    for token, verdicts in by_token.items():
        verdicts.sort(key=lambda v: (v.at_ms, v.id))
        for place, verdict in enumerate(verdicts):
            if verdict.kind is not VerdictKind.MOVE:
                continue
            back = verdicts[place + 1] if place + 1 < len(verdicts) else None
            told.add(verdict.id)
            yield _move(docket, verdict, back, docket.routes.get(token))
    for route in docket.routes.values():
        if route.lane is not Lane.GENERAL and route.verdict_id not in told:
            yield _unexplained(docket, route)


def _move(docket: Docket, verdict: Verdict, back: Verdict | None, route: Route | None) -> Episode:
    mine = route if route is not None and back is None and route.lane is not Lane.GENERAL else None
    watched = _watched(docket, verdict.token) if mine else None
    state, word, rank = _state(docket, verdict, back, mine)
    return Episode(
        verdict.id,
        verdict.token,
        state,
        word,
        rank,
        verdict.at_ms,
        verdict.source,
        verdict.target,
        verdict.by,
        verdict,
        back,
        mine,
        watched,
    )


def _state(docket: Docket, verdict: Verdict, back: Verdict | None, route: Route | None) -> tuple[State, str, int]:
    if back is not None and back.kind is VerdictKind.MOVE:
        return State.OK, "moved on", _PAST
    if back is not None:
        age_s = docket.at_s - back.at_ms / 1000
        draining = bool(docket.lags.get(back.source)) and age_s < DRAINING_S
        if age_s < SETTLING_S or draining:
            return State.RESTORING, "restoring", 6
        return State.OK, "restored", _PAST
    if route is None:
        return State.OK, "over", _PAST
    if route.expires_ms is not None and route.expires_ms <= docket.now_ms:
        return State.RESTORING, "coming back", 5
    if verdict.verified is False:
        return State.WATCH, "did not help", 1
    return State.MOVED, "moved", 4


def _unexplained(docket: Docket, route: Route) -> Episode:
    """A route whose verdict is not known: moved all the same."""
    source = route.history[-1].lane if route.history else Lane.GENERAL
    return Episode(
        route.verdict_id or f"route-{route.since_ms}-{crc32(route.token.encode()):08x}",
        route.token,
        State.MOVED,
        "moved",
        4,
        route.since_ms,
        source,
        route.lane,
        route.by,
        None,
        None,
        route,
        _watched(docket, route.token),
    )


def _limits(docket: Docket) -> Iterable[Episode]:
    """Limits at capture, each until it was lifted, replaced or ran out."""
    by_token: dict[str, list[Verdict]] = {}
    for verdict in docket.verdicts.values():
        if verdict.kind in _LIMITS:
            by_token.setdefault(verdict.token, []).append(verdict)
    for token, verdicts in by_token.items():
        verdicts.sort(key=lambda v: (v.at_ms, v.id))
        route = docket.routes.get(token)
        for place, verdict in enumerate(verdicts):
            if verdict.kind is not VerdictKind.LIMIT:
                continue
            back = verdicts[place + 1] if place + 1 < len(verdicts) else None
            holds = back is None and route is not None and route.limit_at(docket.now_ms) is not None
            state, word, rank = (State.MOVED, "limited", 4) if holds else (State.OK, "lifted", _PAST)
            yield Episode(
                verdict.id,
                token,
                state,
                word,
                rank,
                verdict.at_ms,
                verdict.source,
                verdict.source,
                verdict.by,
                verdict,
                back,
                route if holds else None,
            )


def _ideas(docket: Docket) -> Iterable[Episode]:
    """Proposals, what would have been done, and warnings: the newest of each token, kind and reason is current, older ones are past."""
    done = {VerdictKind.MOVE, VerdictKind.RESTORE, *_LIMITS}
    ideas = sorted((v for v in docket.verdicts.values() if v.kind not in done), key=lambda v: (-v.at_ms, v.id))
    moved = {token for token, route in docket.routes.items() if route.lane is not Lane.GENERAL}
    seen: set[tuple[str, str, str]] = set()
    for verdict in ideas:
        key = (verdict.token, verdict.kind, verdict.reason)
        current = key not in seen
        seen.add(key)
        state, word, rank = _idea(docket, verdict, current=current and verdict.token not in moved)
        yield Episode(
            verdict.id,
            verdict.token,
            state,
            word,
            rank,
            verdict.at_ms,
            verdict.source,
            verdict.target,
            verdict.by,
            verdict,
        )


def _idea(docket: Docket, verdict: Verdict, *, current: bool) -> tuple[State, str, int]:
    if verdict.kind is VerdictKind.PROPOSAL:
        if is_open(verdict, docket.now_ms):
            return State.WATCH, "asks", 0
        answered = next((word for word in ("Approved", "Declined") if verdict.note.startswith(word)), "expired")
        return State.OK, answered.lower(), _PAST
    now_word, then_word = _IDLE_WORDS.get(verdict.kind, (verdict.kind.replace("_", " "),) * 2)
    if current and docket.at_s - verdict.at_ms / 1000 <= SUGGESTED_S:
        return State.WATCH, now_word, 3 if verdict.kind is VerdictKind.WOULD_MOVE else 2
    return State.OK, then_word, _PAST


def is_open(verdict: Verdict, now_ms: int) -> bool:
    """Can this proposal still be answered?"""
    return verdict.kind is VerdictKind.PROPOSAL and (verdict.expires_ms is None or now_ms < verdict.expires_ms)


def _watched(docket: Docket, token: str) -> Watched | None:
    return next((w for w in docket.status.watched if w.token == token), None) if docket.status else None
