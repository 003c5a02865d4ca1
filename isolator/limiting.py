"""Limits at capture: when they end (like a restore), and tokens that have grown too large for overflow (step 8)."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from ingestion.contracts.names import Lane
from ingestion.contracts.routes import Route
from isolator import lanes, restore
from isolator.blame import Case, blame, verdict_id
from isolator.constants import Policy
from isolator.moves import LimitWatch, limit_strikes
from isolator.verdict import Reason, Verdict, VerdictKind


@dataclass(frozen=True, slots=True)
class Limiting:
    """What becomes of limited tokens in this tick."""

    routes: tuple[Route, ...] = ()
    verdicts: tuple[Verdict, ...] = ()
    watches: Mapping[str, LimitWatch] = field(default_factory=dict)


def limit(route: Route, per_s: float, at_ms: int, policy: Policy) -> Route:
    """The route with a limit that ends by itself: limit_s, doubled with every limit within the strike window."""
    again = route.limit_at(at_ms) is None
    count = limit_strikes(route, at_ms, policy.strike_window_s) + again
    seconds = min(policy.limit_s * 2.0 ** min(max(count - 1, 0), 60), policy.calm_max_s)
    return route.limited(per_s, at_ms, at_ms + int(seconds * 1000))


def lift(case: Case, *, may_lift: bool) -> Limiting:
    """Ends limits: when their time is up, or when the token has sent well under its limit for its calm time."""
    routes: list[Route] = []
    verdicts: list[Verdict] = []
    watches: dict[str, LimitWatch] = {}
    at_ms, policy = case.seen.at_ms, case.policy
    for token, route in sorted(case.state.limited().items()):
        watch = case.state.limits.get(token, LimitWatch())
        watch = replace(watch, ticks=watch.ticks + 1)
        per_s, recent = route.limit_at(at_ms), _recent(case, token)
        calm = per_s is not None and recent < policy.limit_slack * per_s
        since = (watch.calm_since_ms if watch.calm_since_ms is not None else at_ms) if calm else None
        needed = restore.calm_s(limit_strikes(route, at_ms, policy.strike_window_s), policy)
        reason: Reason | None = None
        if per_s is None:
            reason = Reason.EXPIRED
        elif may_lift and since is not None and at_ms - since >= needed * 1000:
            reason = Reason.CALM
        if reason is None:
            watches[token] = replace(watch, calm_since_ms=since)
            continue
        routes.append(route.lifted())
        verdicts.append(_lifted(case, route, reason, recent))
    return Limiting(tuple(routes), tuple(verdicts), watches)


def _recent(case: Case, token: str) -> float:
    place = case.seen.ids.get(token, len(case.away))
    return float(case.seen.tokens.recent[place]) if place < len(case.away) else 0.0


def _lifted(case: Case, route: Route, reason: Reason, recent: float) -> Verdict:
    seen = case.seen
    return Verdict(
        id=verdict_id(VerdictKind.LIFT, route.token, seen.at_ms),
        pipeline=route.pipeline,
        token=route.token,
        kind=VerdictKind.LIFT,
        reason=reason,
        at_ms=seen.at_ms,
        source=route.lane,
        target=route.lane,
        diagnosis=str(reason),
        mode=str(case.state.mode),
        events_per_s=recent,
        threshold=case.policy.limit_slack * (route.limit_per_s or 0.0),
        unit="events/s",
        rho_before=case.now.worst_rho(),
        limit_per_s=route.limit_per_s,
        strikes=limit_strikes(route, seen.at_ms, case.policy.strike_window_s),
    )


def outgrown(case: Case, settled: frozenset[str]) -> tuple[tuple[Route, ...], tuple[Verdict, ...]]:
    """Tokens that the policy moved to overflow and that belong in quarantine now: they hang or fail there, or take over half of an overflow that cannot keep up.

    Lanes never forward to each other: such a token goes on once overflow has drained for it. One that is too large is limited at capture until then, or it never
    would. While overflow keeps up, or nobody else is there, nothing is done: refusing a client's events is worse than what it would save.
    `settled` are tokens that something else happens to in this tick.
    """
    seen = case.seen
    there = {t: r for t, r in sorted(case.state.moved().items()) if r.lane is Lane.OVERFLOW}
    places = {t: seen.ids.get(t, len(case.away)) for t in there}
    known = [p for p in places.values() if p < len(case.away)]
    crowded = len(there) > 1 and _work(case, known) > seen.side[Lane.OVERFLOW].capacity
    acts: list[tuple[Route, Verdict]] = []
    for name, route in there.items():
        token = places[name]
        if route.by == "policy" and name not in settled and token < len(case.away):
            acts += _onward(case, route, token, crowded=crowded)
    return tuple(route for route, _ in acts), tuple(verdict for _, verdict in acts)


def _work(case: Case, tokens: list[int]) -> float:
    return float((case.seen.tokens.rate[tokens] * case.seen.tokens.cost[tokens]).sum())


def _onward(case: Case, route: Route, token: int, *, crowded: bool) -> list[tuple[Route, Verdict]]:
    seen, policy, at_ms = case.seen, case.policy, case.seen.at_ms
    quarantine = seen.side.get(Lane.QUARANTINE)
    if quarantine is None or quarantine.capacity <= 0:
        return []
    sick = token in seen.troubles
    limited = route.limit_at(at_ms)
    pushes = limited is not None and float(seen.tokens.recent[token]) >= policy.limit_slack * limited
    if (sick or pushes) and restore.lane_ready(seen, token, (), Lane.OVERFLOW, policy):
        reason = Reason.HUNG if sick else Reason.TOO_LARGE
        found = blame(
            case,
            token,
            VerdictKind.MOVE,
            reason,
            lanes.trouble(seen, token),
            source=Lane.OVERFLOW,
            target=Lane.QUARANTINE,
        )
        why = {"reason": str(reason), "by": found.by, "verdict_id": found.id}
        return [(route.then(Lane.QUARANTINE, at_ms, **why), found)]
    if sick or limited is not None or not (crowded and lanes.too_large(seen, token, policy)):
        return []
    per_s = policy.overflow_share * seen.side[Lane.OVERFLOW].capacity / float(seen.tokens.cost[token])
    stay = Lane.OVERFLOW
    found = blame(case, token, VerdictKind.LIMIT, Reason.TOO_LARGE, source=stay, target=stay, limit_per_s=per_s)
    return [(limit(route, per_s, at_ms, policy), found)]
