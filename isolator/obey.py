"""What a person's command does to a pipeline. Pure: gives the new state and the records to write, or a refusal."""

from dataclasses import dataclass, replace
from typing import Final

from ingestion.contracts.names import Lane
from ingestion.contracts.routes import Mode, Route
from ingestion.contracts.telemetry import Action, Command
from isolator import marks, restore, words
from isolator.answers import Answer
from isolator.blame import verdict_id
from isolator.brain import Batch, Brain, Record, mode_record
from isolator.changes import Change
from isolator.limiting import limit
from isolator.marks import Mark, MarkKind
from isolator.moves import LimitWatch, Watch
from isolator.policy import protected
from isolator.verdict import Reason, Verdict, VerdictKind

OLD_MS: Final = 60_000
"""A command that nobody took for so long is refused: whoever sent it was told so. Only `mode off` is never too late."""
CHANGE_OLD_MS: Final = 3_600_000
SKEW_MS: Final = 60_000
"""A deploy pipeline's clock may be ahead of ours by so much."""
CHANGES: Final = 200
"""Changes that are kept."""
TEXT: Final = 500
"""Characters of each text of a change that are kept."""


@dataclass(frozen=True, slots=True)
class _Done:
    message: str
    records: tuple[Record, ...] = ()
    verdicts: tuple[Verdict, ...] = ()


class _Refused(Exception):
    def __init__(self, message: str, problem: str = "conflict") -> None:
        super().__init__(message)
        self.problem = problem


def obey(brain: Brain, command: Command, now_ms: int) -> Batch:
    """Carry the command out, once: one that was answered before gives an empty batch."""
    if command.id in brain.answers:
        return Batch()
    try:
        late = now_ms - command.at_ms > OLD_MS
        if command.expires_ms is not None and command.expires_ms <= now_ms:
            raise _Refused("its expiry is over already: give a time that lies ahead", "usage")
        if late and not (command.action is Action.MODE and command.mode == Mode.OFF):
            raise _Refused(f"the command waited for {words.duration((now_ms - command.at_ms) / 1000)}; send it again")
        done = _ACTIONS[command.action](brain, command, now_ms)
        newest = done.verdicts[-1].id if done.verdicts else ""
        answer = Answer(brain.pipeline, command.id, now_ms, ok=True, message=done.message, verdict_id=newest)
    except _Refused as refused:
        done = _Done("")
        answer = Answer(brain.pipeline, command.id, now_ms, ok=False, message=str(refused), problem=refused.problem)
    brain.answers[command.id] = now_ms
    brain.verdicts.update({v.id: v for v in done.verdicts})
    records: list[Record] = [*done.records, *(v.encode() for v in done.verdicts), answer.encode()]
    if brain.status is not None and done.records:
        # the page shows the new mode and moves now, not at the next tick
        brain.status = replace(
            brain.status,
            mode=str(brain.state.mode),
            moved=tuple(sorted(brain.state.moved())),
            limited=tuple(sorted(brain.state.limited())),
            at_ms=now_ms,
        )
        records.append(brain.status.encode())
    return Batch(tuple(records), done.verdicts, done.verdicts)


def _token(command: Command) -> str:
    if not command.token:
        raise _Refused(f"{command.action} needs a token", "usage")
    return command.token


def _mode(brain: Brain, command: Command, now_ms: int) -> _Done:
    try:
        mode = Mode(command.mode)
    except ValueError:
        raise _Refused(f"mode is one of {', '.join(Mode)}, not {command.mode!r}", "usage") from None
    before = brain.state.mode
    brain.state = replace(brain.state, mode=mode)
    moved = len(brain.state.moved())
    stay = f"; {moved} moved tokens stay where they are until restored" if mode is Mode.OFF and moved else ""
    record = mode_record(brain.pipeline, mode, command.by, command.reason, now_ms)
    return _Done(f"mode {before} -> {mode}{stay}", (record,))


def _move(brain: Brain, command: Command, now_ms: int) -> _Done:
    token = _token(command)
    lane = command.lane or Lane.OVERFLOW
    if lane is Lane.GENERAL:
        raise _Refused("to bring a token back use restore", "usage")
    _movable(brain, token, now_ms)
    route = brain.state.routes.get(token) or Route(brain.pipeline, token, Lane.GENERAL, 0)
    # one that only waits for its lane to come back may be told to stay after all
    leaving = route.expires_ms is not None and route.expires_ms <= now_ms
    if route.lane is lane and not leaving:
        raise _Refused(f"{token} is already wanted in {lane}")
    if brain.status is not None and brain.status.moves_refused:
        raise _Refused("a worker's fence map is full and refuses moves: restore tokens first")
    verdict = _by_hand(brain, command, now_ms, VerdictKind.MOVE, token, route.lane, lane)
    return _set(brain, route, verdict, command.expires_ms, f"{token} is wanted in {lane}")


def _movable(brain: Brain, token: str, now_ms: int) -> None:
    guarded = protected(brain.state, token, now_ms)
    if guarded is not None:
        why = f" ({guarded.reason})" if guarded.reason else ""
        raise _Refused(f"{token} is protected by {guarded.by}{why}: clear its protection first")


def _restore(brain: Brain, command: Command, now_ms: int) -> _Done:
    token = _token(command)
    route = brain.state.routes.get(token)
    if route is None or (route.lane is Lane.GENERAL and route.limit_per_s is None):
        raise _Refused(f"{token} is neither moved nor limited")
    return (
        _bring_back(brain, command, now_ms, route)
        if route.lane is not Lane.GENERAL
        else _lift(brain, command, now_ms, route)
    )


def _restore_all(brain: Brain, command: Command, now_ms: int) -> _Done:
    state = brain.state
    done = [_bring_back(brain, command, now_ms, route) for _, route in sorted(state.moved().items())]
    done += [
        _lift(brain, command, now_ms, route)
        for token, route in sorted(state.limited().items())
        if token not in state.moved()
    ]
    if not done:
        return _Done("nobody is moved or limited")
    return _Done(
        "; ".join(d.message for d in done),
        tuple(r for d in done for r in d.records),
        tuple(v for d in done for v in d.verdicts),
    )


def _bring_back(brain: Brain, command: Command, now_ms: int, route: Route) -> _Done:
    watch = brain.state.watches.get(route.token, Watch())
    if brain.last is not None and not _ready(brain, route, watch):
        # workers would hold its partitions and send it back: the next tick that finds the lane caught up restores it
        waiting = replace(route, expires_ms=now_ms, asked_by=command.by, asked_why=command.reason)
        brain.state = replace(brain.state, routes={**brain.state.routes, route.token: waiting})
        return _Done(f"{route.token} comes back as soon as {route.lane} has caught up", (waiting.encode(),))
    verdict = _by_hand(brain, command, now_ms, VerdictKind.RESTORE, route.token, route.lane, Lane.GENERAL)
    return _set(brain, route, verdict, None, f"{route.token} is wanted in general")


def _lift(brain: Brain, command: Command, now_ms: int, route: Route) -> _Done:
    verdict = _by_hand(brain, command, now_ms, VerdictKind.LIFT, route.token, route.lane, route.lane)
    verdict = replace(verdict, limit_per_s=route.limit_per_s)
    then = route.lifted()
    limits = {token: watch for token, watch in brain.state.limits.items() if token != route.token}
    brain.state = replace(brain.state, routes={**brain.state.routes, route.token: then}, limits=limits)
    return _Done(f"{route.token} is no longer limited at capture", (then.encode(),), (verdict,))


def _ready(brain: Brain, route: Route, watch: Watch) -> bool:
    assert brain.last is not None
    seen, _ = brain.last
    partitions = watch.verdict.partitions if watch.verdict else ()
    place = seen.ids.get(route.token)
    return restore.lane_ready(seen, place, partitions, route.lane, brain.policy)


def _set(brain: Brain, route: Route, verdict: Verdict, expires_ms: int | None, message: str) -> _Done:
    then = route.then(
        verdict.target,
        verdict.at_ms,
        reason=str(verdict.reason),
        by=verdict.by,
        verdict_id=verdict.id,
        expires_ms=expires_ms,
    )
    watches = {token: watch for token, watch in brain.state.watches.items() if token != route.token}
    if then.lane is not Lane.GENERAL:
        # by hand: nothing was predicted, so there is nothing to verify
        watches[route.token] = Watch(verdict)
    brain.state = replace(brain.state, routes={**brain.state.routes, route.token: then}, watches=watches)
    return _Done(message, (then.encode(),), (verdict,))


def _by_hand(
    brain: Brain, command: Command, now_ms: int, kind: VerdictKind, token: str, source: Lane, target: Lane
) -> Verdict:
    return Verdict(
        id=verdict_id(kind, token, now_ms),
        pipeline=brain.pipeline,
        token=token,
        kind=kind,
        reason=Reason.MANUAL,
        at_ms=now_ms,
        source=source,
        target=target,
        diagnosis=brain.status.diagnosis if brain.status else "",
        mode=str(brain.state.mode),
        by=command.by,
        note=command.reason,
        expires_ms=command.expires_ms,
    )


def _mark(kind: MarkKind, brain: Brain, command: Command, now_ms: int) -> _Done:
    token = _token(command)
    mark = Mark(kind, command.by, now_ms, command.reason, command.expires_ms)
    some = marks.with_mark(brain.state.marks.get(token, ()), mark)
    brain.state = replace(brain.state, marks={**brain.state.marks, token: some})
    still = "; it stays moved until it is restored" if token in brain.state.moved() else ""
    what = "is protected: nobody moves it" if kind is MarkKind.PROTECT else "is exempt: the policy does not pick it"
    return _Done(f"{token} {what}{still}", (marks.encode(brain.pipeline, token, some),))


def _clear(brain: Brain, command: Command) -> _Done:
    token = _token(command)
    if not brain.state.marks.get(token):
        raise _Refused(f"{token} has no mark to clear")
    left = {name: some for name, some in brain.state.marks.items() if name != token}
    brain.state = replace(brain.state, marks=left)
    return _Done(f"{token} may be moved again", (marks.encode(brain.pipeline, token, ()),))


def _proposal(brain: Brain, command: Command, now_ms: int) -> Verdict:
    wanted = _token(command)
    proposal, open_ = brain.proposal(wanted, now_ms)
    if proposal is None:
        raise _Refused(f"there is no proposal for {wanted}")
    if not open_:
        raise _Refused(f"the proposal for {proposal.token} has expired; wait for the next one, or use move")
    return proposal


def _approve(brain: Brain, command: Command, now_ms: int) -> _Done:
    proposal = _proposal(brain, command, now_ms)
    if proposal.limit_per_s is not None:
        return _approve_limit(brain, command, now_ms, proposal, proposal.limit_per_s)
    done = _move(brain, replace(command, token=proposal.token, lane=proposal.target), now_ms)
    # the evidence of the proposal is the evidence of the move: it is verified like one
    move = replace(
        proposal,
        id=done.verdicts[0].id,
        kind=VerdictKind.MOVE,
        reason=Reason.APPROVED,
        at_ms=now_ms,
        by=command.by,
        note=command.reason,
        expires_ms=command.expires_ms,
    )
    brain.state = replace(brain.state, watches={**brain.state.watches, proposal.token: Watch(move)})
    answered = replace(proposal, expires_ms=now_ms, note=f"Approved by {command.by}.")
    return _Done(done.message, done.records, (answered, move))


def _approve_limit(brain: Brain, command: Command, now_ms: int, proposal: Verdict, per_s: float) -> _Done:
    token = proposal.token
    _movable(brain, token, now_ms)
    old = brain.state.routes.get(token) or Route(brain.pipeline, token, Lane.GENERAL, 0)
    verdict = replace(
        proposal,
        id=verdict_id(VerdictKind.LIMIT, token, now_ms),
        kind=VerdictKind.LIMIT,
        reason=Reason.APPROVED,
        at_ms=now_ms,
        by=command.by,
        note=command.reason,
        expires_ms=None,
    )
    then = limit(old, per_s, now_ms, brain.policy)
    if then.lane is Lane.GENERAL:
        then = replace(then, reason=str(verdict.reason), by=command.by, verdict_id=verdict.id)
    limits = {**brain.state.limits, token: LimitWatch()}
    brain.state = replace(brain.state, routes={**brain.state.routes, token: then}, limits=limits)
    answered = replace(proposal, expires_ms=now_ms, note=f"Approved by {command.by}.")
    return _Done(f"{token} is limited to {verdict.limit_text()} at capture", (then.encode(),), (answered, verdict))


def _change(brain: Brain, command: Command, now_ms: int) -> _Done:
    if command.token:
        raise _Refused("a change concerns the pipeline: leave the token out", "usage")
    if not (command.reason or command.service or command.version):
        raise _Refused("say what has changed: a service, a version or a note", "usage")
    at_ms = command.at_ms if command.happened_ms is None else command.happened_ms
    if not now_ms - CHANGE_OLD_MS <= at_ms <= now_ms + SKEW_MS:
        raise _Refused("a change is told within the hour after it happened, not before it", "usage")
    texts = (text[:TEXT] for text in (command.service, command.version, command.reason))
    change = Change(command.id, brain.pipeline, min(at_ms, now_ms), command.by, *texts)
    known = (*(c for c in brain.state.changes if c.id != change.id), change)[-CHANGES:]
    gone = [c for c in brain.state.changes if c not in known]
    brain.state = replace(brain.state, changes=known)
    return _Done(
        f"noted: {change.text()}; slower events of most tenants in the next {words.duration(brain.policy.change_s)} are its",
        (change.encode(), *((c.encode()[0], None) for c in gone)),
    )


def _decline(brain: Brain, command: Command, now_ms: int) -> _Done:
    proposal = _proposal(brain, command, now_ms)
    until = command.expires_ms or now_ms + int(brain.policy.bar_s * 1000)
    mark = Mark(MarkKind.BARRED, command.by, now_ms, command.reason or "declined", until)
    some = marks.with_mark(brain.state.marks.get(proposal.token, ()), mark)
    brain.state = replace(brain.state, marks={**brain.state.marks, proposal.token: some})
    answered = replace(proposal, expires_ms=now_ms, note=f"Declined by {command.by}.")
    return _Done(
        f"{proposal.token} is not proposed again for {words.duration((until - now_ms) / 1000)}",
        (marks.encode(brain.pipeline, proposal.token, some),),
        (answered,),
    )


_ACTIONS: Final = {
    Action.MODE: _mode,
    Action.MOVE: _move,
    Action.RESTORE: _restore,
    Action.RESTORE_ALL: _restore_all,
    Action.PROTECT: lambda brain, command, now_ms: _mark(MarkKind.PROTECT, brain, command, now_ms),
    Action.EXEMPT: lambda brain, command, now_ms: _mark(MarkKind.EXEMPT, brain, command, now_ms),
    Action.CLEAR: lambda brain, command, _: _clear(brain, command),
    Action.APPROVE: _approve,
    Action.DECLINE: _decline,
    Action.CHANGE: _change,
}
