"""The Live page's view, pure: what is said first, what is worst, and that nothing unknown reads as zero."""

from dataclasses import replace

import pytest

from fairlane.app import canned
from fairlane.app.observation import LaneNow, MoveNow, Observation, Point
from fairlane.app.states import State
from fairlane.app.view import build
from ingestion.contracts.names import Lane
from ingestion.contracts.routes import Mode


@pytest.mark.parametrize(
    ("scene", "state", "start"),
    [
        ("calm", State.OK, "All well: 5,012 tokens, all fresh in 0.384 s."),
        (
            "burning",
            State.BURNING,
            "Burning: the oldest event in general has waited 94.2 s, 30 s are promised; phc_ab41…39f does 83 % of the work on",
        ),
        ("moved", State.MOVED, "Protected: 1 of 5,012 tokens is moved; everyone else is fresh in 0.4 s."),
        ("capacity", State.WATCH, "capacity:"),
        (
            "silent",
            State.FROZEN,
            "No data for 42 s: the probe and the workers are silent. What you see below is from 12:03:49 UTC.",
        ),
        ("away", State.FROZEN, "No data: Kafka does not answer."),
        ("quiet", State.OK, "Quiet: no traffic now. Canaries are visible in 0.21 s."),
        (
            "fresh_start",
            State.WATCH,
            "Watch: everyone is fresh in 0.384 s, but nobody decides: the controller is away.",
        ),
    ],
)
def test_the_first_sentence_says_the_state_and_what_matters(scene: str, state: State, start: str) -> None:
    view = build(canned.SCENES[scene]())
    assert view.state is state
    assert view.opening.text.startswith(start)


def test_the_controllers_sentence_is_dropped_when_it_is_old() -> None:
    seen = replace(canned.calm(), sentence="Said long ago.", sentence_at_s=canned.EPOCH - 31)
    assert build(seen).opening.text != "Said long ago."
    assert build(replace(seen, sentence_at_s=canned.EPOCH - 29)).opening.text == "Said long ago."


def test_the_controllers_calm_does_not_hide_a_burning_budget() -> None:
    seen = replace(canned.burning(), diagnosis="healthy", sentence="All quiet.", sentence_at_s=canned.EPOCH)
    assert build(seen).opening.text.startswith("Burning:")


def test_nothing_known_is_shown_as_dashes_and_frozen_never_as_zero_or_green() -> None:
    view = build(Observation("events", canned.EPOCH))
    assert {lane.state for lane in view.lanes} == {State.FROZEN}
    assert {
        quantity.text for lane in view.lanes for quantity in (lane.lag, lane.oldest, lane.freshness, lane.busy)
    } == {"–"}
    assert not any(lane.empty for lane in view.lanes)


def test_no_traffic_is_told_from_no_data_on_the_charts() -> None:
    assert build(canned.quiet()).charts[1].empty.startswith("no traffic")
    assert build(canned.away()).charts[1].empty.startswith("no data")


@pytest.mark.parametrize("age", [11.0, 3_600.0])
def test_stale_reports_freeze_the_lanes(age: float) -> None:
    view = build(replace(canned.calm(), seen_s=canned.EPOCH - age))
    assert view.state is State.FROZEN
    assert all(lane.state is State.FROZEN for lane in view.lanes)
    assert view.charts[0].series[0].now.value is None


def test_a_late_overflow_lane_is_moved_not_burning() -> None:
    lanes = {lane.lane: lane.state for lane in build(canned.moved()).lanes}
    assert (lanes["general"], lanes["overflow"]) == (State.OK, State.MOVED)


def test_a_lane_with_lag_and_no_worker_is_said_aloud() -> None:
    seen = replace(canned.calm(), lanes=(LaneNow(Lane.GENERAL, 500, 2.0), *canned.calm().lanes[1:]))
    card = build(seen).lanes[0]
    assert card.state is State.BURNING
    assert "no worker" in card.note


def test_objectives_stand_worst_first_and_healthy_ones_are_folded() -> None:
    view = build(canned.burning())
    assert [row.state for row in view.burn] == [State.BURNING, State.WATCH]
    assert view.burn[0].slo == "events-freshness-protected"
    assert {row.state for row in view.burn_folded} == {State.OK}
    assert view.burn[0].budget.text == "3.07 of 4.32 min left"
    assert view.burn[0].exhausts.text == "45 h"


def test_the_worst_pair_is_the_one_nearest_to_firing_with_its_arithmetic() -> None:
    row = build(canned.burning()).burn[0]
    assert row.worst is not None
    assert (row.worst.long, row.worst.firing) == ("1h", True)
    assert row.arithmetic == "1,540 bad events of 334k in the last 1h = 0.462 %; 0.01 % may be bad; together 46.2x."


def test_a_frozen_objective_has_no_forecast_and_says_why() -> None:
    row = build(canned.silent()).burn[0]
    assert (row.state, row.exhausts.text) == (State.FROZEN, "–")
    assert "61 %" in row.note


def test_moves_are_newest_first_and_past_ones_are_apart() -> None:
    view = build(canned.moved())
    assert [(move.state, move.at.ago) for move in view.moves] == [
        (State.RESTORING, "14 s ago"),
        (State.MOVED, "6 min ago"),
    ]
    assert [move.word for move in view.moves_past] == ["restored"]
    assert view.moves[1].at.iso == "2026-10-21T11:58:20Z"


def test_a_suggestion_is_neither_a_move_nor_nothing() -> None:
    asked = MoveNow("acme", Lane.GENERAL, Lane.OVERFLOW, canned.EPOCH - 5, word="would move", sentence="Work 31x.")
    view = build(replace(canned.calm(), suggestions=(asked,)))
    assert view.state is State.OK
    assert [(row.word, row.state) for row in view.suggestions] == [("would move", State.WATCH)]
    assert not view.moves_empty


def test_the_announcement_changes_with_what_happens_not_with_every_number() -> None:
    calm = canned.calm()
    slower = replace(calm, lanes=(replace(calm.lanes[0], freshness_s=0.9, lag=300), *calm.lanes[1:]))
    assert build(calm).opening.announce == build(slower).opening.announce
    assert build(calm).opening.announce != build(canned.moved()).opening.announce


def test_a_hole_in_the_reports_is_a_hole_in_the_line() -> None:
    ages = (100.0, 95.0, 90.0, 40.0, 35.0)
    seen = replace(canned.calm(), history=tuple(Point(canned.EPOCH - age, 1.0, 1.0) for age in ages))
    points = build(seen).charts[0].series[0].points
    assert [value for _, value in points] == [1.0, 1.0, 1.0, None, 1.0, 1.0]


@pytest.mark.parametrize("worst", [0.0, 0.4, 29.0, 94.0, 3_700.0, 90_000.0, 4e6])
def test_the_axis_holds_the_limit_and_the_worst_in_at_most_four_round_steps(worst: float) -> None:
    chart = build(replace(canned.calm(), history=(Point(canned.EPOCH - 1, worst, worst),))).charts[0]
    assert chart.top_s >= max(worst, 30.0)
    assert 1 <= chart.top_s / chart.step_s <= 4.001
    assert chart.top_s <= 3 * max(worst * 1.04, 39.0)


def test_mode_off_and_a_blind_controller_are_noticed() -> None:
    view = build(replace(canned.calm(), mode=Mode.OFF, last_tick_s=canned.EPOCH - 61))
    assert len(view.notices) == 2
    assert "last ticked 1 min ago" in view.notices[0].text
    assert view.state is State.WATCH
