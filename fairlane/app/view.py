"""The Live page as values: what the template draws and `/api/v1/live` answers. Pure: `build(observation)`; every number comes with its text."""

import math
from dataclasses import dataclass
from typing import Final

from fairlane.app import words
from fairlane.app.observation import Observation, PartitionNow, ScoreNow
from fairlane.app.opening import Notice, Opening, age_state, is_blind, is_stale, lane_of, notices, opening
from fairlane.app.rows import BurnRow, MoveRow, Quantity, When, burn_row, count, move_row, rate, seconds, share
from fairlane.app.states import State
from ingestion.contracts.names import Lane

HISTORY_S: Final = 900.0
"""The charts reach back 15 minutes."""
_GRID_S: Final = (
    0.5,
    1.0,
    2.0,
    5.0,
    10.0,
    15.0,
    20.0,
    30.0,
    60.0,
    120.0,
    300.0,
    600.0,
    900.0,
    1_800.0,
    3_600.0,
    7_200.0,
    21_600.0,
    43_200.0,
    86_400.0,
)
GAP_S: Final = 12.0
"""Points further apart than this are not joined: nothing is known between them."""


@dataclass(frozen=True, slots=True)
class LaneCard:
    """A lane: state, numbers, and how full its workers' time is."""

    lane: str
    state: State
    empty: bool
    lag: Quantity
    oldest: Quantity
    freshness: Quantity
    busy: Quantity
    rate: Quantity
    forwarded: Quantity
    workers: int
    note: str


@dataclass(frozen=True, slots=True)
class PartitionRow:
    """A partition of general: `stuck` says in words what holds it up, if anything does."""

    partition: int
    state: State
    lag: Quantity
    oldest: Quantity
    busy: Quantity
    token: str
    token_short: str
    share: Quantity
    stuck: str


@dataclass(frozen=True, slots=True)
class ScoreRow:
    """A token by how unlike itself it is: -log10 p."""

    token: str
    token_short: str
    score: Quantity
    share: Quantity
    stands_out: bool


@dataclass(frozen=True, slots=True)
class Series:
    """One line: (seconds before now, value) with None where nothing is known."""

    name: str
    css: str
    points: tuple[tuple[float, float | None], ...]
    now: Quantity


@dataclass(frozen=True, slots=True)
class Chart:
    """A chart over the last 15 minutes. `limit_s` is drawn as the SLO line."""

    key: str
    title: str
    question: str
    series: tuple[Series, ...]
    limit_s: float
    top_s: float
    step_s: float
    """Between lines of the grid; `top_s` is a multiple of it."""
    empty: str
    """Why there is nothing to draw; empty when there is."""
    changes: tuple[tuple[float, str], ...] = ()
    """Deploys: (seconds before now, what)."""


@dataclass(frozen=True, slots=True)
class LiveView:
    """The whole page."""

    pipeline: str
    pipelines: tuple[str, ...]
    mode: str
    state: State
    opening: Opening
    notices: tuple[Notice, ...]
    now: When
    seen: When | None
    tick: When | None
    stale: bool
    lanes: tuple[LaneCard, ...]
    charts: tuple[Chart, ...]
    partitions: tuple[PartitionRow, ...]
    burn: tuple[BurnRow, ...]
    burn_folded: tuple[BurnRow, ...]
    burn_empty: str
    moves: tuple[MoveRow, ...]
    suggestions: tuple[MoveRow, ...]
    """What the policy would do, asks for, or warns of."""
    moves_past: tuple[MoveRow, ...]
    moves_empty: str
    scores: tuple[ScoreRow, ...]


def build(seen: Observation) -> LiveView:
    """The view of `seen`. Raises nothing: what is not known is None in a Quantity and a dash on the page."""
    head = opening(seen)
    stale = is_stale(seen)
    rows = sorted(
        (burn_row(row, seen.at_s) for row in seen.burn),
        key=lambda row: (
            row.state.trouble,
            row.exhausts.value if row.exhausts.value is not None else float("inf"),
            row.slo,
        ),
    )
    moves = sorted(seen.moves, key=lambda move: -move.at_s)
    return LiveView(
        pipeline=seen.pipeline,
        pipelines=seen.pipelines or (seen.pipeline,),
        mode=seen.mode.value if seen.mode is not None else "unknown",
        state=head.state,
        opening=head,
        notices=notices(seen),
        now=When.at(seen.at_s, seen.at_s),
        seen=When.of(seen.seen_s, seen.at_s),
        tick=When.of(seen.last_tick_s, seen.at_s),
        stale=stale,
        lanes=tuple(_lane(seen, lane, stale) for lane in Lane),
        charts=(_age_chart(seen), _freshness_chart(seen)),
        partitions=tuple(
            _partition(row, seen.slo_s, stale) for row in sorted(seen.partitions, key=lambda row: row.partition)
        ),
        burn=tuple(row for row in rows if row.state is not State.OK),
        burn_folded=tuple(row for row in rows if row.state is State.OK),
        burn_empty=_burn_empty(seen),
        moves=tuple(move_row(move, seen.at_s) for move in moves if not move.restored),
        suggestions=tuple(move_row(move, seen.at_s) for move in sorted(seen.suggestions, key=lambda move: -move.at_s)),
        moves_past=tuple(move_row(move, seen.at_s) for move in moves if move.restored),
        moves_empty=_moves_empty(seen),
        scores=tuple(_score(row) for row in sorted(seen.scores, key=lambda row: -row.score)),
    )


def _lane(seen: Observation, lane: Lane, stale: bool) -> LaneCard:
    row = lane_of(seen, lane)
    state = State.FROZEN if stale else age_state(row.oldest_age_s, seen.slo_s)
    if lane is not Lane.GENERAL and state is State.BURNING:
        # late by consent: its tokens were moved so that the others are not; their own objective is in the burn table
        state = State.MOVED
    note = ""
    if stale:
        note = "no data" if seen.seen_s is None else f"no data since {words.clock(seen.seen_s)}"
    elif row.workers == 0 and row.lag:
        state, note = (State.BURNING if lane is Lane.GENERAL else State.WATCH), "no worker: nothing is being handled"
    elif row.workers == 0:
        note = "no worker"
    empty = row.lag == 0 and not row.rate
    return LaneCard(
        lane=lane.value,
        state=state,
        empty=empty and not stale,
        lag=count(row.lag),
        oldest=seconds(row.oldest_age_s),
        freshness=seconds(row.freshness_s),
        busy=share(row.busy),
        rate=rate(row.rate),
        forwarded=rate(row.forwarded),
        workers=row.workers,
        note=note,
    )


def _partition(row: PartitionNow, slo_s: float, stale: bool) -> PartitionRow:
    stuck = []
    if row.in_flight_token and row.in_flight_s >= slo_s / 3:
        stuck.append(
            f"a record of {words.token(row.in_flight_token)} has been running for {words.seconds(row.in_flight_s)}"
        )
    if row.retrying:
        stuck.append("its handler asks for retries")
    if row.held:
        stuck.append("held until a restored token's records have drained from the other lane")
    if row.token and (row.share or 0) >= 0.5 and age_state(row.oldest_age_s, slo_s) is not State.OK:
        stuck.append(f"{words.token(row.token)} does {words.percent(round(row.share or 0, 2))} of its work")
    return PartitionRow(
        partition=row.partition,
        state=State.FROZEN if stale else age_state(row.oldest_age_s, slo_s),
        lag=count(row.lag),
        oldest=Quantity(
            row.oldest_age_s,
            ("≈ " if row.age_kind == "interpolated" and row.oldest_age_s else "") + words.seconds(row.oldest_age_s),
        ),
        busy=share(row.busy),
        token=row.token,
        token_short=words.token(row.token),
        share=share(row.share),
        stuck="; ".join(stuck),
    )


def _score(row: ScoreNow) -> ScoreRow:
    return ScoreRow(
        row.token,
        words.token(row.token),
        Quantity(row.score, words.digits(row.score)),
        share(row.work_share),
        row.score >= 3,
    )


def _age_chart(seen: Observation) -> Chart:
    everyone = Series(
        "moved tokens included",
        "everyone",
        _points(seen, [p.everyone_s for p in seen.history]),
        seconds(_last(seen, "everyone_s")),
    )
    general = Series(
        "without them",
        "general",
        _points(seen, [p.general_s for p in seen.history]),
        seconds(_last(seen, "general_s")),
    )
    return _chart("age", "Oldest age", "How long has the oldest unhandled event waited?", (everyone, general), seen)


def _freshness_chart(seen: Observation) -> Chart:
    slow = Series(
        "slowest 1 %",
        "everyone",
        _points(seen, [p.fresh_p99_s for p in seen.history]),
        seconds(_last(seen, "fresh_p99_s")),
    )
    half = Series(
        "median", "general", _points(seen, [p.fresh_p50_s for p in seen.history]), seconds(_last(seen, "fresh_p50_s"))
    )
    return _chart(
        "freshness",
        "Freshness of tokens that are not moved",
        "How long from capture until an event is visible?",
        (slow, half),
        seen,
    )


def _chart(key: str, title: str, question: str, series: tuple[Series, ...], seen: Observation) -> Chart:
    known = [value for line in series for _, value in line.points if value is not None]
    empty = "" if known else "no data in the last 15 minutes"
    if not known and seen.arrivals == 0 and seen.seen_s is not None:
        empty = "no traffic in the last 15 minutes"
    top, step = scale(max([seen.slo_s * 1.3, *(1.04 * value for value in known)]))
    told = [(seen.at_s - change.at_s, f"{words.token(change.text)} by {change.by}") for change in seen.changes]
    recent = tuple((round(age, 1), text) for age, text in told if 0 <= age <= HISTORY_S)
    return Chart(key, title, question, series, seen.slo_s, top, step, empty, recent)


def _points(seen: Observation, values: list[float | None]) -> tuple[tuple[float, float | None], ...]:
    """(seconds before now, value), oldest first; a None stands wherever reports were missing for longer than GAP_S."""
    points: list[tuple[float, float | None]] = []
    before: float | None = None
    for point, value in zip(seen.history, values, strict=True):
        age = seen.at_s - point.at_s
        if age > HISTORY_S or age < 0:
            continue
        if before is not None and before - age > GAP_S:
            points.append((before - 0.001, None))
        points.append((round(age, 3), value))
        before = age
    return tuple(points)


def _last(seen: Observation, name: str) -> float | None:
    if is_stale(seen):
        return None
    return next(
        (
            getattr(p, name)
            for p in reversed(seen.history)
            if getattr(p, name) is not None and seen.at_s - p.at_s <= GAP_S
        ),
        None,
    )


def scale(top: float) -> tuple[float, float]:
    """(top of the chart, step of its grid) in round times: the least step that needs no more than four lines to reach `top`."""
    step = next((step for step in _GRID_S if step * 4 >= top), 0.0)
    if not step:
        step = math.ceil(top / 4 / 86_400) * 86_400.0
    return math.ceil(top / step - 1e-9) * step, step


def _burn_empty(seen: Observation) -> str:
    if seen.burn:
        return ""
    if not seen.part("database").ok:
        return "No data: the budgets are in the database, which does not answer."
    return "No objective has been evaluated yet; the first evaluation comes 15 s after the start."


def _moves_empty(seen: Observation) -> str:
    if seen.suggestions or any(not move.restored for move in seen.moves):
        return ""
    if is_blind(seen):
        return "Nobody is known to be moved; the controller is not deciding."
    return "Nobody is moved: every token is in the general lane."
