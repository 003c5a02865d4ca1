"""The page's first sentence and its state: what a tired person can act on. Pure."""

from dataclasses import dataclass
from typing import Final

from fairlane.app import words
from fairlane.app.observation import BurnNow, LaneNow, MoveNow, Observation
from fairlane.app.states import State
from ingestion.contracts.names import Lane
from ingestion.contracts.routes import Mode

STALE_S: Final = 10.0
"""Reports come each second; after this long without one the lanes are not known any more."""
BLIND_S: Final = 60.0
"""The controller ticks each 5 s; after this long without a tick nobody decides (the same limit as the alert)."""
SAID_S: Final = 30.0
"""The controller's own sentence is used while it is no older than this."""

_CAUSES: Final = {
    "noisy_tenant": ("A few tokens do far more work than they usually do.", "FairlaneTokenMoved"),
    "hot_key": ("One key does over half of a partition's work: moving its token would not help.", ""),
    "capacity": (
        "capacity: more work arrives than the workers can do, and no single token is at fault. Scale out.",
        "",
    ),
    "broad_overload": (
        "Most tokens send more than usual at once: nobody is to be moved. Scale out, or wait for it to pass.",
        "",
    ),
    "stall": (
        "Workers have a backlog but are not busy: something they wait for is slow. Look at the sink first.",
        "FairlaneLanePaused",
    ),
    "hung": ("A handler call does not return; its worker will be restarted.", ""),
    "rebalance": ("Partitions have just changed hands; give it 15 s.", ""),
    "deploy": ("Records take longer than they did with the build before: think of rolling back.", ""),
    "catching_up": ("A backlog is being worked off; no action is needed while it shrinks.", ""),
    "stale_input": ("The controller gets no fresh telemetry, so it moves nobody.", "FairlaneStaleTelemetry"),
}
"""What a diagnosis means, and its runbook."""


@dataclass(frozen=True, slots=True)
class Opening:
    """The head of the page. `announce` changes only when a person should hear about it, not with every number."""

    state: State
    text: str
    detail: str = ""
    runbook: str = ""
    announce: str = ""


@dataclass(frozen=True, slots=True)
class Notice:
    """Something about the page itself, below the sentence: a part that is away, a mode that does nothing."""

    state: State
    text: str


def lane_of(seen: Observation, lane: Lane) -> LaneNow:
    """The lane as observed, or one of which nothing is known."""
    return next((row for row in seen.lanes if row.lane is lane), LaneNow(lane))


def is_stale(seen: Observation) -> bool:
    """Nothing true can be said about the lanes now."""
    return not seen.part("kafka").ok or seen.seen_s is None or seen.at_s - seen.seen_s > STALE_S


def is_blind(seen: Observation) -> bool:
    """Nobody decides: the controller's last tick is too long ago, or there was none."""
    return seen.last_tick_s is None or seen.at_s - seen.last_tick_s > BLIND_S


def age_state(age_s: float | None, slo_s: float) -> State:
    """An oldest age against the SLO: a third of it is watched, as the controller's gate does."""
    if age_s is None:
        return State.FROZEN
    return State.BURNING if age_s > slo_s else State.WATCH if age_s > slo_s / 3 else State.OK


def burn_state(row: BurnNow) -> State:
    """Firing wakes somebody or waits for the morning; frozen is neither good nor bad."""
    if row.state == "frozen":
        return State.FROZEN
    if row.state == "firing":
        return State.BURNING if row.severity == "page" else State.WATCH
    return State.WATCH if row.budget_left is not None and row.budget_left < 0.25 else State.OK


def page_state(seen: Observation) -> State:
    """The state of the whole page."""
    if is_stale(seen):
        return State.FROZEN
    general = lane_of(seen, Lane.GENERAL)
    age = age_state(general.oldest_age_s, seen.slo_s)
    firing = [burn_state(row) for row in seen.burn if row.state == "firing"]
    if State.BURNING in (age, *firing):
        return State.BURNING
    if State.WATCH in (age, *firing) or _cause(seen) or is_blind(seen):
        return State.WATCH
    moves = [move for move in seen.moves if not move.restored]
    if any(move.target is not Lane.GENERAL for move in moves):
        return State.MOVED
    return State.RESTORING if moves else State.OK


def opening(seen: Observation) -> Opening:
    """The sentence. The controller's own comes first while it is fresh and does not contradict the budgets; ours stands in otherwise."""
    state = page_state(seen)
    if state is State.FROZEN:
        return Opening(state, _no_data(seen), _no_data_next(seen), "FairlaneStaleTelemetry", f"{state}")
    moves = tuple(move for move in seen.moves if not move.restored)
    cause, runbook = _CAUSES.get(_cause(seen), ("", ""))
    said = seen.sentence if seen.sentence_at_s is not None and seen.at_s - seen.sentence_at_s <= SAID_S else ""
    if state is State.BURNING and not _cause(seen):
        said = ""  # the controller sees no culprit, the budget burns all the same: say that first
    firing = next((row for row in _by_trouble(seen.burn) if row.state == "firing"), None)
    runbook = runbook or (firing.runbook if firing else "")
    text = said or _ours(seen, state, moves, cause)
    # what the sentence has not said yet
    more = [f"{clause}." for clause in [_burn_clause(firing) if firing else ""] if clause and clause not in text]
    if cause and state is State.BURNING:
        more.append(cause)
    return Opening(state, text, " ".join(more), runbook, _key(state, seen, moves))


def notices(seen: Observation) -> tuple[Notice, ...]:
    """Everything that limits what this page can say or what the isolator can do, worst first."""
    found = [Notice(State.FROZEN, part.detail) for part in seen.parts if not part.ok and part.name != "kafka"]
    if is_blind(seen) and not is_stale(seen):
        since = (
            "has not ticked yet"
            if seen.last_tick_s is None
            else f"last ticked {words.ago(seen.at_s - seen.last_tick_s)}"
        )
        found.append(
            Notice(
                State.WATCH,
                f"Nobody decides: the controller {since}. Moved tokens stay where they are; start it with “fairlane serve controller”.",
            )
        )
    if seen.mode is Mode.OFF:
        found.append(
            Notice(
                State.WATCH,
                f"The isolator is off: nobody is moved, whatever happens. Switch it on with “fairlane mode {seen.pipeline} auto”.",
            )
        )
    return tuple(found)


def _cause(seen: Observation) -> str:
    """The diagnosis when it is one that a person should know about."""
    return seen.diagnosis if seen.diagnosis in _CAUSES else ""


def _no_data(seen: Observation) -> str:
    if seen.seen_s is None:
        away = seen.part("kafka")
        return f"No data: {'Kafka does not answer.' if not away.ok else f'nobody has reported on pipeline {seen.pipeline} yet.'}"
    age = words.seconds(seen.at_s - seen.seen_s)
    who = "Kafka does not answer" if not seen.part("kafka").ok else "the probe and the workers are silent"
    return f"No data for {age}: {who}. What you see below is from {words.clock(seen.seen_s)}."


def _no_data_next(seen: Observation) -> str:
    away = seen.part("kafka")
    if not away.ok:
        return away.detail
    return "Look whether they run: “fairlane status”, or start everything on this machine with “fairlane up”."


def _ours(seen: Observation, state: State, moves: tuple[MoveNow, ...], cause: str) -> str:
    general = lane_of(seen, Lane.GENERAL)
    fresh = words.seconds(general.freshness_s) if general.freshness_s is not None else None
    tokens = f" of {words.count(seen.active_tokens)} tokens" if seen.active_tokens else ""
    if state is State.BURNING:
        firing = next((row for row in _by_trouble(seen.burn) if row.state == "firing" and row.severity == "page"), None)
        clause = _burn_clause(firing) if firing else ""
        if age_state(general.oldest_age_s, seen.slo_s) is State.BURNING:
            late = f"the oldest event in general has waited {words.seconds(general.oldest_age_s)}, {words.seconds(seen.slo_s)} are promised"
        else:
            late = clause or f"events are later than {words.seconds(seen.slo_s)}"
        suspect = _suspect(seen)
        return f"Burning: {late}; {suspect}" if suspect else f"Burning: {late}."
    if state is State.WATCH and cause:
        return f"Watch: {cause[0].lower()}{cause[1:]}" if not cause.startswith("capacity") else f"Watch, {cause}"
    if state is State.WATCH and age_state(general.oldest_age_s, seen.slo_s) is State.WATCH:
        return f"Watch: the oldest event in general has waited {words.seconds(general.oldest_age_s)} of the {words.seconds(seen.slo_s)} that are promised. {_suspect(seen)}".strip()
    if state is State.WATCH:
        ticket = next((row for row in _by_trouble(seen.burn) if row.state == "firing"), None)
        if ticket:
            return f"Watch: {_burn_clause(ticket)}; everyone is {f'fresh in {fresh}' if fresh else 'fresh'} now."
        return f"Watch: everyone is {f'fresh in {fresh}' if fresh else 'fresh'}, but nobody decides: the controller is away."
    if seen.arrivals == 0:
        return f"Quiet: no traffic now. {f'Canaries are visible in {fresh}.' if fresh else 'The lanes are empty and watched.'}"
    everyone = f"fresh in {fresh}" if fresh else "fresh"
    out = [move for move in moves if move.target is not Lane.GENERAL]
    if out:
        verb = "is" if len(out) == 1 else "are"
        number = f"{len(out)}{tokens}" if tokens else words.many(len(out), "token")
        return f"Protected: {number} {verb} moved; everyone else is {everyone}."
    if moves:
        verb = "is" if len(moves) == 1 else "are"
        return f"Calming down: {words.many(len(moves), 'token')} {verb} on the way back to general; everyone is {everyone}."
    crowd = f"{words.many(seen.active_tokens, 'token')}, all" if seen.active_tokens else "everyone is"
    return f"All well: {crowd} {everyone}."


def _burn_clause(row: BurnNow) -> str:
    # an objective that is frozen or has spent everything has no forecast
    if row.budget_left is not None and row.budget_left <= 0:
        return f"{row.slo} has spent its whole {row.window} budget"
    if row.exhausts_s is None:
        return f"{row.slo} burns its error budget"
    return f"{row.slo} spends its {row.window} budget in {words.span(row.exhausts_s)}"


def _suspect(seen: Observation) -> str:
    """Who does the work on the partitions that are late."""
    late = [
        row
        for row in seen.partitions
        if age_state(row.oldest_age_s, seen.slo_s) in {State.BURNING, State.WATCH} and row.token
    ]
    if not late:
        return ""
    by: dict[str, list[float]] = {}
    for row in late:
        by.setdefault(row.token, []).append(row.share or 0.0)
    token, shares = max(by.items(), key=lambda item: sum(item[1]))
    share = sum(shares) / len(shares)
    if share < 0.3:
        return ""
    return f"{words.token(token)} does {words.percent(round(share, 2))} of the work on {words.many(len(shares), 'partition')}."


def _by_trouble(rows: tuple[BurnNow, ...]) -> list[BurnNow]:
    return sorted(
        rows,
        key=lambda row: (
            burn_state(row).trouble,
            row.exhausts_s if row.exhausts_s is not None else float("inf"),
            row.slo,
        ),
    )


def _key(state: State, seen: Observation, moves: tuple[MoveNow, ...]) -> str:
    return "|".join((state, seen.diagnosis, *sorted(f"{move.token}>{move.target}" for move in moves)))
