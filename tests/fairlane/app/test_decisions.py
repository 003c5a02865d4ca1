"""The controller's state as the page's moves."""

from dataclasses import replace

from fairlane.app.decisions import moves, scores, suggestions
from fairlane.app.observation import MoveNow
from ingestion.contracts.names import Lane
from ingestion.contracts.routes import Route
from isolator.state import StateView
from isolator.status import PipelineStatus, Score
from isolator.verdict import Alternative, Reason, Verdict, VerdictKind

NOW = 1_800_000_000.0
MS = int(NOW * 1000)
LAGS: dict[Lane, int | None] = {Lane.OVERFLOW: 0}
VERDICT = Verdict(
    "v1",
    "events",
    "acme",
    VerdictKind.MOVE,
    Reason.NOISY_TENANT,
    MS - 60_000,
    target=Lane.OVERFLOW,
    partitions=(2, 7),
    work=3.1,
    baseline_work=0.1,
    ratio=31,
    share=0.83,
    score=214,
    rho_before=1.9,
    rho_predicted=0.5,
    delay_before_s=44,
    delay_predicted_s=0.4,
    alternatives=(Alternative("other", 0.1, 1.3, 0.4, "not anomalous"),),
)


def state(*records: Route | Verdict | PipelineStatus) -> StateView:
    view = StateView("events")
    for offset, record in enumerate(records):
        view.apply(*record.encode(), offset)
    return view


def moved() -> Route:
    return Route("events", "acme", Lane.OVERFLOW, MS - 60_000, verdict_id="v1")


def only(found: tuple[MoveNow, ...]) -> MoveNow:
    (one,) = found
    return one


def test_a_move_carries_its_verdict() -> None:
    move = only(moves(state(moved(), VERDICT), LAGS, NOW))
    assert (move.source, move.target, move.restored) == (Lane.GENERAL, Lane.OVERFLOW, False)
    assert move.sentence.startswith("Work 31x its baseline")
    assert move.predicted == "rho 1.9 → 0.5, delay 44 s → 0.4 s"
    assert move.realised == ""
    assert dict(move.observed)["score"] == "214 (−log₁₀ p)"
    assert move.alternatives == ("other: work 1.3x its baseline, score 0.4; not anomalous",)


def test_the_realised_effect_says_whether_it_helped() -> None:
    assert only(moves(state(moved(), VERDICT.realised(0.52, 0.42, verified=True)), LAGS, NOW)).realised.endswith(
        "0.42 s: it helped"
    )
    assert only(moves(state(moved(), VERDICT.realised(1.8, 40, verified=False)), LAGS, NOW)).realised.endswith(
        "it did not help"
    )


def test_a_route_without_a_verdict_is_shown_all_the_same() -> None:
    move = only(moves(state(replace(moved(), reason="import", by="anna")), LAGS, NOW))
    assert (move.reason, move.by, move.sentence) == ("import", "anna", "")


def test_a_restore_is_under_way_while_its_lane_has_lag_and_then_past_and_then_gone() -> None:
    view = state(moved().then(Lane.GENERAL, MS - 30_000))
    assert only(moves(view, {Lane.OVERFLOW: 9}, NOW)).restored is False
    assert only(moves(view, LAGS, NOW)).restored is True
    assert moves(view, LAGS, NOW + 3_600) == ()


def test_a_token_that_was_never_moved_is_no_move() -> None:
    assert moves(state(Route("events", "acme", Lane.GENERAL, MS)), LAGS, NOW) == ()


def test_the_newest_suggestion_of_a_token_is_shown_until_it_is_old_or_done() -> None:
    would = replace(VERDICT, kind=VerdictKind.WOULD_MOVE, mode="observe")
    older = replace(would, id="v0", at_ms=MS - 90_000)
    found = only(suggestions(state(older, would), NOW))
    assert (found.verdict_id, found.word, found.realised) == ("v1", "would move", "nothing was done")
    assert suggestions(state(would), NOW + 600) == ()
    assert suggestions(state(would, moved()), NOW) == ()


def test_scores_come_with_the_share_of_the_work_that_was_seen() -> None:
    status = PipelineStatus("events", MS, "auto", "healthy", "", scores=(Score("acme", 214.0, 31.0, 3.1, 900.0),))
    (row,) = scores(state(status), {"acme": 0.83})
    assert (row.token, row.score, row.work_share) == ("acme", 214.0, 0.83)
    assert scores(state(), {}) == ()
