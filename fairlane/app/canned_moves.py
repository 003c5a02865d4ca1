"""Canned states of the controller for the moves pages: named scenes with made-up numbers, for tests, screenshots and work on the pages without a broker."""

import math
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Final

from fairlane.app.docket import Points, Trace
from fairlane.app.observation import Part
from ingestion.contracts.names import Lane
from ingestion.contracts.routes import Mode, Route
from isolator.answers import Answer
from isolator.brain import mode_record
from isolator.changes import Change
from isolator.marks import Mark, MarkKind
from isolator.marks import encode as encode_marks
from isolator.state import StateView
from isolator.status import PipelineStatus, Score, Watched
from isolator.verdict import Alternative, Reason, Verdict, VerdictKind

EPOCH: Final = 1_792_584_271.0
"""2026-10-21 12:04:31 UTC, as in `canned`."""
PIPELINE: Final = "events"
NOISY: Final = "phc_ab41c7de90f2e6d8a39f"
SLOW: Final = "phc_77c0ffee12ab34cd56ef"
IMPORT: Final = "phc_51aa7e9b00c1d2e3f405"
WRONG: Final = "phc_1234567890abcdef1234"
NOW_MS: Final = int(EPOCH * 1000)
MOVED_AT: Final = NOW_MS - 371_000


@dataclass(frozen=True, slots=True)
class Scene:
    """A folded state, what was recorded, and what is away."""

    state: StateView
    traces: dict[str, Trace] = field(default_factory=dict)
    lags: dict[Lane, int | None] = field(default_factory=dict)
    parts: tuple[Part, ...] = ()
    known: tuple[str, ...] = ()


Record = Route | Verdict | PipelineStatus | Change | Answer


def fold(mode: Mode, *records: Record, marks: dict[str, tuple[Mark, ...]] | None = None) -> StateView:
    """The state that these records make."""
    view = StateView(PIPELINE)
    pairs = [mode_record(PIPELINE, mode, "ann", "", NOW_MS), *(record.encode() for record in records)]
    pairs += [encode_marks(PIPELINE, token, some) for token, some in (marks or {}).items()]
    for offset, (key, value) in enumerate(pairs):
        view.apply(key, value, offset)
    return view


def status(**more: object) -> PipelineStatus:
    """A tick of three seconds ago."""
    base = PipelineStatus(
        PIPELINE,
        NOW_MS - 3_000,
        "auto",
        "healthy",
        "Protected. 1 of 5,012 tokens is moved.",
        active_tokens=5_012,
        last_tick_ms=NOW_MS - 3_000,
        warm=True,
        rho=0.52,
        moved_traffic=0.031,
    )
    return replace(base, **more)  # type: ignore[arg-type] # names and types are those of PipelineStatus


FLOOD: Final = Verdict(
    "1792583900000-5b1d3c7e-move",
    PIPELINE,
    NOISY,
    VerdictKind.MOVE,
    Reason.NOISY_TENANT,
    MOVED_AT,
    target=Lane.OVERFLOW,
    diagnosis="noisy_tenant",
    mode="auto",
    partitions=(2, 7, 9),
    partitions_total=12,
    events_per_s=1_840.0,
    cost_s=0.00126,
    baseline_cost_s=0.00121,
    work=2.32,
    baseline_work=0.0748,
    ratio=31.0,
    score=214.0,
    share=0.83,
    need=1.41,
    threshold=3.0,
    unit="times its baseline work",
    rho_before=1.9,
    rho_predicted=0.5,
    rho_realised=0.52,
    delay_before_s=46.2,
    delay_predicted_s=0.4,
    delay_realised_s=0.42,
    lag_blamed_s=44.0,
    verified=True,
    verified_ms=MOVED_AT + 15_000,
    alternatives=(
        Alternative("phc_0d3c5b1aa9e17c2f4410", 0.031, 1.3, 0.4, "1.3x its baseline, under 3x"),
        Alternative("phc_9a77e2bb3d06c15f8841", 0.012, 4.1, 1.1, "its volume is not unlikely enough"),
    ),
    suggestion="Talk to the tenant if it comes again; it is restored by itself when it has calmed down.",
)
ASKS: Final = replace(
    FLOOD,
    id="1792584240000-5b1d3c7e-proposal",
    kind=VerdictKind.PROPOSAL,
    at_ms=NOW_MS - 31_000,
    mode="suggest",
    note="Mode suggest: approve or decline.",
    expires_ms=NOW_MS + 869_000,
    rho_realised=None,
    delay_realised_s=None,
    verified=None,
    verified_ms=None,
)


def watched(**more: object) -> Watched:
    """The noisy one as the last tick saw it."""
    base = Watched(NOISY, "overflow", 2.18, 0.0748, 29.1, 201.0, 1_730.0, None, 120.0, "its work is 29x its baseline")
    return replace(base, **more)  # type: ignore[arg-type] # names and types are those of Watched


def moved() -> Scene:
    """One is away and noisy, one comes back, one was moved by hand until its time is up, one did not help; yesterday's are over."""
    slow = replace(
        FLOOD,
        id="1792582000000-77aa-move",
        token=SLOW,
        at_ms=NOW_MS - 2_271_000,
        ratio=14.0,
        cost_s=0.072,
        baseline_cost_s=0.0012,
        verified_ms=NOW_MS - 2_256_000,
        partitions=(4,),
    )
    back = Verdict(
        "1792584260000-77aa-restore",
        PIPELINE,
        SLOW,
        VerdictKind.RESTORE,
        Reason.CALM,
        NOW_MS - 14_000,
        Lane.OVERFLOW,
        Lane.GENERAL,
        ratio=1.1,
        rho_predicted=0.54,
        threshold=2.0,
    )
    hand = Verdict(
        "1792583000000-51aa-move",
        PIPELINE,
        IMPORT,
        VerdictKind.MOVE,
        Reason.MANUAL,
        NOW_MS - 1_271_000,
        target=Lane.OVERFLOW,
        by="anna@example.org",
        note="import of a year of history, announced",
        expires_ms=NOW_MS + 5_929_000,
    )
    wrong = replace(
        FLOOD,
        id="1792570000000-1234-move",
        token=WRONG,
        at_ms=NOW_MS - 14_271_000,
        rho_realised=1.71,
        verified=False,
        verified_ms=NOW_MS - 14_256_000,
    )
    barred = replace(
        back,
        id="1792570020000-1234-restore",
        token=wrong.token,
        at_ms=NOW_MS - 14_251_000,
        reason=Reason.WRONG_CULPRIT,
        rho_before=1.9,
        rho_realised=1.71,
        rho_predicted=0.5,
    )
    state = fold(
        Mode.AUTO,
        _route(FLOOD),
        _route(hand),
        _route(slow).then(Lane.GENERAL, back.at_ms, reason="calm", verdict_id=back.id),
        FLOOD,
        slow,
        back,
        hand,
        wrong,
        barred,
        status(
            moved=(IMPORT, NOISY),
            watched=(
                watched(),
                watched(
                    token=IMPORT,
                    work=0.41,
                    baseline_work=0.21,
                    ratio=1.95,
                    events_per_s=320.0,
                    calm_since_ms=NOW_MS - 41_000,
                    calm_needed_s=60.0,
                    why_not="",
                ),
            ),
        ),
        Change("c1", PIPELINE, NOW_MS - 520_000, "ci", "worker", "v42", "new geoip table"),
        marks={"phc_9a77e2bb3d06c15f8841": (Mark(MarkKind.PROTECT, "ann", NOW_MS - 86_400_000, "pays for it"),)},
    )
    return Scene(state, {NOISY: trace(), SLOW: Trace()}, {Lane.OVERFLOW: 48_213, Lane.QUARANTINE: 0})


def asks() -> Scene:
    """Mode suggest: a proposal waits for an answer."""
    expired = replace(
        ASKS, id="1792580000000-99-proposal", token=SLOW, at_ms=NOW_MS - 4_271_000, expires_ms=NOW_MS - 3_371_000
    )
    declined = replace(
        expired, id="1792581000000-98-proposal", token=IMPORT, note="Declined by ben.", at_ms=NOW_MS - 3_271_000
    )
    state = fold(
        Mode.SUGGEST,
        ASKS,
        expired,
        declined,
        status(
            mode="suggest",
            diagnosis="noisy_tenant",
            scores=(Score(NOISY, 214.0, 31.0, 2.32, 1_840.0),),
            hot_partitions=(2, 7, 9),
        ),
    )
    return Scene(state, {NOISY: trace(stayed=True)}, {Lane.OVERFLOW: 0})


def calm() -> Scene:
    """Nobody is moved, nothing was decided."""
    return Scene(fold(Mode.AUTO, status(moved_traffic=0.0)))


def off() -> Scene:
    """The kill switch was pressed while one was away."""
    scene = moved()
    key, value = mode_record(PIPELINE, Mode.OFF, "ben", "looks wrong", NOW_MS)
    scene.state.apply(key, value, 99)
    return scene


def blind() -> Scene:
    """The controller has not decided for four minutes."""
    scene = moved()
    assert scene.state.status is not None
    scene.state.status = replace(scene.state.status, at_ms=NOW_MS - 240_000, last_tick_ms=NOW_MS - 240_000)
    return scene


def never() -> Scene:
    """No controller has ever looked."""
    return Scene(StateView(PIPELINE))


def away() -> Scene:
    """Kafka does not answer, and the database does not either."""
    kafka = Part(
        "kafka",
        ok=False,
        detail="Kafka at 127.0.0.1:9092 cannot be read (Connection refused): check that it runs and that kafka.bootstrap is right; “fairlane doctor” looks closer.",
    )
    return Scene(StateView(PIPELINE), parts=(kafka,))


def no_database() -> Scene:
    """One is away, and the database with the histories cannot be read."""
    scene = moved()
    return replace(
        scene, traces={NOISY: Trace(problem="The database cannot be read (connection refused): check database.url.")}
    )


def hostile(name: str) -> Scene:
    """A move whose every text is `name`."""
    verdict = replace(
        FLOOD,
        id="evil",
        token=name,
        by=name,
        suggestion=name,
        alternatives=(Alternative(name, 0.1, 1.3, 0.4, name),),
    )
    mark = Mark(MarkKind.EXEMPT, name, NOW_MS, name)
    seen = status(moved=(name,), watched=(watched(token=name, why_not=name),))
    change = Change("c", PIPELINE, NOW_MS - 400_000, name, name, name, name)
    return Scene(fold(Mode.AUTO, _route(verdict), verdict, seen, change, marks={name: (mark,)}))


SCENES: Final[dict[str, Callable[[], Scene]]] = {
    "moved": moved,
    "asks": asks,
    "calm": calm,
    "off": off,
    "blind": blind,
    "never": never,
    "away": away,
    "no_database": no_database,
}


def trace(*, stayed: bool = False) -> Trace:
    """A flood that began 20 s before the move; a tick was lost two minutes ago."""
    begun = (ASKS.at_ms if stayed else MOVED_AT) - 20_000
    calm_at = [begun - 60_000 * n for n in range(1, 6)]
    at = sorted([*calm_at, *range(begun, NOW_MS, 5_000)])
    at = [one // 5_000 * 5_000 for one in at if not NOW_MS - 190_000 < one < NOW_MS - 100_000 or stayed]

    def work(one: int) -> float:
        noise = 1 + 0.06 * math.sin(one / 7_000) + 0.03 * math.sin(one / 2_900)
        return round((0.07 if one < begun else min(0.6 + (one - begun) / 9_000, 2.3)) * noise, 4)

    def delay(one: int, share: float) -> float:
        if one < begun:
            return 0.2
        if stayed:
            return round((one - begun) / 1000 * 0.9 * share, 2)
        grown = min(one, MOVED_AT) - begun
        drained = max(one - MOVED_AT, 0) / 1000 * 5
        return round(max(grown / 1000 * 2.2 * share - drained, 0.3 + 0.1 * math.sin(one / 11_000)), 2)

    def rho(one: int, share: float) -> float:
        return round(0.45 + (0.0 if one < begun else 1.4 * share), 3)

    shares = {2: 0.9, 7: 1.0, 9: 0.8}
    return Trace(
        _series(at, work),
        _series(at, lambda _: 0.0748),
        {p: _series(at, lambda one, s=s: delay(one, s)) for p, s in shares.items()},  # type: ignore[misc] # binds s now
        {p: _series(at, lambda one, s=s: rho(one, s)) for p, s in shares.items()},  # type: ignore[misc] # binds s now
    )


def _series(at: list[int], value: Callable[[int], float]) -> Points:
    return tuple((one, value(one)) for one in at)


def _route(verdict: Verdict) -> Route:
    general = Route(PIPELINE, verdict.token, Lane.GENERAL, 0)
    return general.then(
        verdict.target,
        verdict.at_ms,
        reason=str(verdict.reason),
        by=verdict.by,
        verdict_id=verdict.id,
        expires_ms=verdict.expires_ms,
    )
