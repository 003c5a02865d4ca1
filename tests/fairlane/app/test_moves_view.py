"""The moves pages as values: first sentence, rows, what is allowed and why not, time line, pictures."""

from dataclasses import replace
from typing import Any

import pytest

from fairlane.app import canned_moves, move_view, moves_view
from fairlane.app.canned_moves import (
    ASKS,
    EPOCH,
    FLOOD,
    IMPORT,
    MOVED_AT,
    NOISY,
    NOW_MS,
    SLOW,
    Scene,
    fold,
    status,
    trace,
    watched,
)
from fairlane.app.docket import Docket, Trace, docket_of
from fairlane.app.episodes import find
from fairlane.app.move_view import MoveView, rerun, worst
from fairlane.app.states import State
from ingestion.contracts.names import Lane
from ingestion.contracts.routes import Mode, Route
from isolator.answers import Answer
from isolator.marks import Mark, MarkKind


def docket(scene: Scene) -> Docket:
    return docket_of(scene.state, EPOCH, pipeline="events", lags=scene.lags, parts=scene.parts)


def detail(scene: Scene, wanted: str, recorded: Trace | None = None) -> MoveView:
    known = docket(scene)
    one = find(known, wanted)
    assert one is not None
    return move_view.build(known, one, recorded or scene.traces.get(one.token, Trace()))


@pytest.mark.parametrize(
    ("scene", "state", "text"),
    [
        ("moved", State.MOVED, "2 of 5,012 tokens are moved, 3.1 % of the traffic."),
        ("asks", State.WATCH, "Asked: move phc_ab41…39f to overflow? It can be answered for 14 min."),
        ("calm", State.OK, "Nobody is moved: every token is in the general lane."),
        ("blind", State.FROZEN, "2 of 5,012 tokens are moved, 3.1 % of the traffic, as of 4 min ago."),
        ("never", State.FROZEN, "No data: no controller has decided for pipeline events yet."),
        ("away", State.FROZEN, "No data: Kafka does not answer, so nobody knows who is moved."),
    ],
)
def test_the_first_sentence(scene: str, state: State, text: str) -> None:
    view = moves_view.build(docket(canned_moves.SCENES[scene]()))
    assert (view.state, view.text) == (state, text)
    assert bool(view.empty) is not bool(view.current)


def test_a_row_is_a_sentence_with_what_was_predicted_and_what_came() -> None:
    row = next(one for one in moves_view.build(docket(canned_moves.moved())).current if one.token == NOISY)
    assert row.sentence.startswith(
        "Work 31x its baseline, 83 % of the load on partitions 2, 7 and 9; 44 s of lag are its"
    )
    assert row.predicted == "rho 1.9 → 0.5, delay 46.2 s → 0.4 s"
    assert row.realised == "rho 1.9 → 0.52, delay 46.2 s → 0.42 s: it helped"
    assert row.now.endswith("not calm: its work is 29x its baseline")
    assert dict(row.observed)["lag"] == "44 s of 46.2 s of queue are its: the queue re-run without it"


def allowed(scene: Scene, token: str) -> dict[str, str]:
    rows = moves_view.build(docket(scene)).current
    return {button.action: button.why_not for row in rows if row.token == token for button in row.buttons}


def test_only_what_the_controller_would_do_has_a_button() -> None:
    assert allowed(canned_moves.moved(), NOISY) == {"restore": "", "protect": "", "exempt": ""}
    assert allowed(canned_moves.asks(), NOISY) == {"approve": "", "decline": "", "protect": "", "exempt": ""}
    guarded = fold(Mode.SUGGEST, ASKS, status(), marks={NOISY: (Mark(MarkKind.PROTECT, "ann", 0, "pays for it"),)})
    found = allowed(Scene(guarded), NOISY)
    assert found["approve"] == "It is protected by ann (pays for it): clear its marks first."
    assert found["decline"] == found["clear"] == found["exempt"] == ""
    assert "protect" not in found
    full = allowed(Scene(fold(Mode.SUGGEST, ASKS, status(moves_refused=True))), NOISY)
    assert "fence map is full" in full["approve"]


def test_a_controller_that_is_gone_leaves_no_button_and_says_why() -> None:
    found = allowed(canned_moves.blind(), NOISY)
    assert set(found) == {"restore", "protect", "exempt"}
    assert all("last decided 4 min ago" in why for why in found.values())


def test_an_answered_or_expired_proposal_cannot_be_answered() -> None:
    known = canned_moves.asks()
    expired = detail(known, "1792580000000-99-proposal").row
    declined = detail(known, "1792581000000-98-proposal").row
    assert next(b.why_not for b in expired.buttons if b.action == "approve").startswith(
        "The proposal expired 56 min ago"
    )
    assert next(b.why_not for b in declined.buttons if b.action == "approve") == "Declined by ben."
    assert next(b.why_not for b in expired.buttons if b.action == "move") == ""


def test_the_answer_to_a_command_is_shown_on_the_page() -> None:
    scene = canned_moves.moved()
    for offset, answer in enumerate(
        (
            Answer("events", "c1", NOW_MS, ok=True, message="a is wanted in general"),
            Answer("events", "c2", NOW_MS, ok=False, message="a is not moved", problem="conflict"),
        )
    ):
        scene.state.apply(*answer.encode(), 900 + offset)
    done, refused, other = (moves_view.build(docket(scene), name).said for name in ("c1", "c2", "c3"))
    assert (done and done.state, done and done.text) == (State.OK, "Done: a is wanted in general.")
    assert (refused and refused.state, refused and refused.text) == (State.WATCH, "Refused: a is not moved.")
    assert other is None


def line(view: MoveView) -> list[tuple[str, str]]:
    return [(step.name, step.state) for step in view.steps]


def test_the_time_line_goes_from_move_to_verified_to_calm_to_restored() -> None:
    scene = canned_moves.moved()
    assert line(detail(scene, NOISY)) == [
        ("moved", "done"),
        ("verified", "done"),
        ("calm", "now"),
        ("restored", "next"),
    ]
    assert line(detail(scene, SLOW)) == [("moved", "done"), ("verified", "done"), ("calm", "done"), ("restored", "now")]
    hand = detail(scene, IMPORT)
    assert line(hand) == [("moved", "done"), ("verified", "never"), ("calm", "now"), ("restored", "next")]
    assert hand.steps[2].text == "41 s of the 60 s that are asked for"
    assert hand.steps[3].text == "its time is up in 99 min"
    assert "wrong culprit" in detail(scene, canned_moves.WRONG).steps[3].text
    assert line(detail(canned_moves.asks(), NOISY)) == [("asked", "done"), ("answer", "now")]
    assert line(detail(canned_moves.asks(), SLOW))[1] == ("expired", "done")


def test_the_pictures_mark_the_move_and_the_deploy_and_leave_gaps_open() -> None:
    work, queue = detail(canned_moves.moved(), NOISY).pictures
    assert {moment.name for moment in work.moments} == {"moved", "verified", "worker v42"}
    assert work.since_ms == MOVED_AT - 300_000
    assert work.until_ms == NOW_MS
    assert work.top >= 2.3
    assert queue.limit == 30.0
    assert not work.empty
    svg = str(move_view_svg(queue))
    assert svg.count('class="unknown"') == 2, "before the first point, and where a tick was lost"
    assert "SLO 30 s" in svg


def move_view_svg(picture: Any) -> object:
    from fairlane.app.curves import draw

    return draw(picture)


def test_what_is_missing_is_said_in_the_picture() -> None:
    scene = canned_moves.moved()
    nothing = detail(scene, SLOW).pictures
    assert [picture.empty for picture in nothing] == [
        "nothing was recorded of its work in this time",
        "nothing was recorded of the queue in this time",
    ]
    away = detail(scene, NOISY, Trace(problem="The database cannot be read (x): check database.url."))
    assert {picture.empty for picture in away.pictures} == {"the database cannot be read"}
    assert "check database.url" in away.notices[-1].text


def test_the_queue_with_the_token_grows_by_utilisation_less_one() -> None:
    one = find(docket(canned_moves.moved()), NOISY)
    assert one is not None
    at = [MOVED_AT // 5_000 * 5_000 + 5_000 * n for n in range(5)]
    recorded = Trace(
        delay={2: tuple(zip(at, (10.0, 8.0, 2.0, 0.0, 0.0), strict=True))},
        rho_with={2: tuple(zip(at, (1.9, 1.9, 1.5, 0.2, 0.2), strict=True))},
    )
    grown = [value for _, value in rerun(one, recorded, (2,), NOW_MS)]
    assert grown == pytest.approx([10.0, 14.5, 17.0, 13.0, 9.0])
    never_under = rerun(one, replace(recorded, rho_with={2: tuple((when, 0.0) for when in at)}), (2,), NOW_MS)
    assert [value for _, value in never_under] == pytest.approx([10.0, 8.0, 3.0, 0.0, 0.0])
    assert rerun(one, replace(recorded, rho_with={}), (2,), NOW_MS) == ()


def test_the_worst_partition_is_drawn() -> None:
    assert worst((((1, 2.0), (2, 5.0)), ((2, 7.0),), ())) == ((1, 2.0), (2, 7.0))


def test_a_limited_token_can_be_freed() -> None:
    limit = replace(FLOOD, kind=move_view.VerdictKind.LIMIT, target=Lane.GENERAL, limit_per_s=20.0)
    general = Route("events", NOISY, Lane.GENERAL, 0).limited(20.0, limit.at_ms, NOW_MS + 60_000)
    scene = Scene(fold(Mode.AUTO, limit, general, status(watched=(watched(),))))
    view = moves_view.build(docket(scene))
    assert view.text == "Nobody is moved; 1 token is limited at capture."
    assert view.current[0].buttons[0].label == "Lift the limit"
    assert line(detail(scene, NOISY, trace())) == [("limited", "done"), ("lifted", "next")]


def test_of_very_many_that_are_over_the_newest_are_listed() -> None:
    many = [
        replace(ASKS, id=f"p{n}", token=f"t{n}", at_ms=NOW_MS - 4_000_000 - n, expires_ms=NOW_MS - 1)
        for n in range(250)
    ]
    view = moves_view.build(docket(Scene(fold(Mode.SUGGEST, *many, status()))))
    assert (len(view.past), view.past_count) == (moves_view.MOST_PAST, 250)
    assert view.past[0].id == "p0"
