"""Steps 9 and 10 for all moved tokens: verify, restore, expire. One restore per partition and tick."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

import numpy as np

from ingestion.contracts.names import Lane
from ingestion.contracts.routes import Route
from isolator import restore
from isolator.blame import Case, owners, verdict_id
from isolator.diagnose import stale
from isolator.load import load
from isolator.marks import Mark, MarkKind, with_mark
from isolator.moves import Watch, strikes
from isolator.verdict import Reason, Verdict, VerdictKind
from isolator.verify import Effect, verify

_SICK = frozenset({str(Reason.HUNG), str(Reason.FAILING)})
"""Diagnoses of moves for something else than a load: rho may well stay what it was, which makes nobody a wrong culprit."""
LOOKS = 3
"""A move that did not help is looked at again until so many times verify_ticks have passed."""


@dataclass(frozen=True, slots=True)
class Homecoming:
    """What became of the moved tokens in this tick."""

    routes: tuple[Route, ...] = ()
    verdicts: tuple[Verdict, ...] = ()
    updates: tuple[Verdict, ...] = ()
    marks: Mapping[str, tuple[Mark, ...]] = field(default_factory=dict)
    watches: Mapping[str, Watch] = field(default_factory=dict)


def come_home(case: Case, *, may_restore: bool) -> Homecoming:
    """Verifies every move, and restores what may come back.

    With `may_restore` False only what a person has ordered (an expiry) is carried out.
    """
    routes: list[Route] = []
    verdicts: list[Verdict] = []
    updates: list[Verdict] = []
    marks: dict[str, tuple[Mark, ...]] = {}
    watches: dict[str, Watch] = {}
    taken: set[int] = set()
    where = _places(case)
    # without telemetry nothing is loaded, which must not pass for a move's effect
    told = not stale(case.seen, case.policy)
    for token, route in sorted(case.state.moved().items(), key=lambda item: (item[1].since_ms, item[0])):
        place = where.get(token)
        watch = case.state.watches.get(token, Watch())
        effect = Effect.PENDING
        if told:
            watch, effect = _verified(case, route, replace(watch, ticks=watch.ticks + 1), place)
        if watch.verdict is not None and effect is not Effect.PENDING:
            updates.append(watch.verdict)
        watch, found = _judge(case, route, watch, place, effect, may_restore=may_restore)
        partitions = _partitions(case, watch, place)
        ready = found is not None and not taken & partitions
        if (
            found is None
            or not ready
            or not restore.lane_ready(case.seen, place, tuple(partitions), route.lane, case.policy)
        ):
            watches[token] = watch
            continue
        taken |= partitions or set(range(len(case.seen.partitions)))
        verdicts.append(found)
        why = {"reason": str(found.reason), "by": found.by, "verdict_id": found.id}
        routes.append(route.then(Lane.GENERAL, case.seen.at_ms, **why))
        if found.reason is Reason.WRONG_CULPRIT:
            marks[token] = with_mark(case.state.marks.get(token, ()), _bar(case))
    return Homecoming(tuple(routes), tuple(verdicts), tuple(updates), marks, watches)


def _places(case: Case) -> dict[str, int]:
    return {case.seen.names[i]: i for i in np.flatnonzero(case.away).tolist()}


def _partitions(case: Case, watch: Watch, place: int | None) -> set[int]:
    known = set(watch.verdict.partitions) if watch.verdict else set()
    if place is not None:
        rows = case.seen.rows
        known |= {int(p) for p in rows.partition[rows.token == place]}
    return known


def _verified(case: Case, route: Route, watch: Watch, place: int | None) -> tuple[Watch, Effect]:
    verdict = watch.verdict
    if verdict is None or verdict.verified or watch.wrong or verdict.rho_predicted is None:
        return watch, Effect.PENDING
    if verdict.source is not Lane.GENERAL:
        return watch, Effect.PENDING  # from one side lane to another: general was promised nothing
    second_look = verdict.verified is False
    if second_look and watch.ticks > LOOKS * case.policy.verify_ticks:
        return watch, Effect.PENDING
    slots = owners(case.seen, verdict.partitions)
    # what was moved with it or later must not pass for this move's effect: put it back in thought
    alone = case.away.copy()
    later = [t for t, r in case.state.moved().items() if t != route.token and r.since_ms >= route.since_ms]
    alone[[case.seen.ids[t] for t in later if case.seen.ids.get(t, len(alone)) < len(alone)]] = False
    back = alone.copy()
    if place is not None:
        back[place] = False
    effect = verify(
        ticks=watch.ticks,
        before=verdict.rho_before,
        predicted=verdict.rho_predicted,
        now=load(case.seen, alone, case.policy).worst_rho(slots),
        with_it_back=load(case.seen, back, case.policy).worst_rho(slots),
        comparable=_comparable(case, route, verdict),
        stopped=place is None or _stopped(case, verdict, place),
        policy=case.policy,
    )
    if effect is not Effect.HELPED and verdict.diagnosis in _SICK:
        return watch, Effect.PENDING
    # what is known of its cost may have been wrong for a while: look again, but only for that
    if effect is Effect.PENDING or (second_look and effect is not Effect.WRONG_CULPRIT):
        return watch, Effect.PENDING
    delay = case.now.worst_delay()
    seen = verdict.realised(
        case.now.worst_rho(slots),
        delay if np.isfinite(delay) else 0.0,
        verified=effect is Effect.HELPED,
        at_ms=case.seen.at_ms,
    )
    return replace(watch, verdict=seen), effect


def _comparable(case: Case, route: Route, verdict: Verdict) -> bool:
    """Did its partitions stay with their consumers since the move? After a rebalance rho before and after are of different consumers."""
    assigned = case.seen.partitions.assigned_s
    since_s = (case.seen.at_ms - route.since_ms) / 1000
    return all(assigned[p] > since_s for p in verdict.partitions if p < len(assigned))


def _stopped(case: Case, verdict: Verdict, place: int) -> bool:
    """Does it send less than half of what it did when it was moved?"""
    return float(case.seen.tokens.recent[place]) < 0.5 * verdict.events_per_s


def _judge(
    case: Case, route: Route, watch: Watch, place: int | None, effect: Effect, *, may_restore: bool
) -> tuple[Watch, Verdict | None]:
    """The watch with its calm clock, and the verdict of a restore if one is due."""
    at_ms, policy = case.seen.at_ms, case.policy
    if route.expires_ms is not None and at_ms >= route.expires_ms:
        found = _restored(case, route, watch, Reason.MANUAL if route.asked_by else Reason.EXPIRED)
        return watch, replace(found, by=route.asked_by or found.by, note=route.asked_why)
    watch = replace(watch, wrong=watch.wrong or effect is Effect.WRONG_CULPRIT)
    if watch.wrong and may_restore and route.by == "policy":
        return watch, _restored(case, route, watch, Reason.WRONG_CULPRIT)
    if place is None:
        # it has not been heard of since this controller runs: that is calm
        state = restore.Calm(
            "" if case.now.worst_delay() < policy.slo_s * policy.restore_delay_share else restore.BEHIND,
            0.0,
            case.now.worst_rho(),
        )
    else:
        usual = float(case.state.usual.work[place])
        state = restore.calm(case.seen, place, usual, case.proof.growth, case.away, policy)
        if place in case.seen.troubles:
            state = replace(state, why_not=restore.SICK)
    watch = replace(watch, why_not=state.why_not)
    if state.why_not or not may_restore:
        return replace(watch, calm_since_ms=None), None
    since = watch.calm_since_ms if watch.calm_since_ms is not None else at_ms
    watch = replace(watch, calm_since_ms=since)
    count = strikes(route, at_ms, policy.strike_window_s)
    # a move by hand with an expiry stays until then; without one it is restored like any other
    if route.expires_ms is not None or at_ms - since < restore.calm_s(count, policy) * 1000:
        return watch, None
    verdict = _restored(case, route, watch, Reason.CALM)
    return watch, replace(verdict, ratio=state.ratio, rho_predicted=state.rho_back, strikes=count)


def _restored(case: Case, route: Route, watch: Watch, reason: Reason) -> Verdict:
    old, at_ms = watch.verdict, case.seen.at_ms
    return Verdict(
        id=verdict_id(VerdictKind.RESTORE, route.token, at_ms),
        pipeline=route.pipeline,
        token=route.token,
        kind=VerdictKind.RESTORE,
        reason=reason,
        at_ms=at_ms,
        source=route.lane,
        target=Lane.GENERAL,
        diagnosis=str(reason),
        mode=str(case.state.mode),
        by="policy",
        partitions=old.partitions if old else (),
        baseline_work=old.baseline_work if old else 0.0,
        threshold=case.policy.restore_ratio,
        unit="times its baseline work",
        rho_before=old.rho_before if old else 0.0,
        rho_predicted=old.rho_predicted if old else None,
        rho_realised=old.rho_realised if old else None,
        strikes=strikes(route, at_ms, case.policy.strike_window_s),
    )


def _bar(case: Case) -> Mark:
    at_ms = case.seen.at_ms
    return Mark(MarkKind.BARRED, "policy", at_ms, "moving it did not help", at_ms + int(case.policy.bar_s * 1000))
