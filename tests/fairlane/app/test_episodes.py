"""Decisions as episodes: what belongs together, in which state it is, and what comes first."""

from dataclasses import replace

import pytest

from fairlane.app import canned_moves
from fairlane.app.canned_moves import ASKS, EPOCH, FLOOD, NOISY, NOW_MS, SLOW, WRONG, Scene, fold, status
from fairlane.app.docket import Docket, docket_of
from fairlane.app.episodes import Episode, episodes, find, is_open
from fairlane.app.states import State
from ingestion.contracts.names import Lane
from ingestion.contracts.routes import Mode, Route
from isolator.status import PipelineStatus
from isolator.verdict import Reason, Verdict, VerdictKind


def docket(scene: Scene) -> Docket:
    return docket_of(scene.state, EPOCH, pipeline="events", lags=scene.lags, parts=scene.parts)


def told(*records: Route | Verdict | PipelineStatus) -> tuple[Episode, ...]:
    return episodes(docket(Scene(fold(Mode.AUTO, *records))))


def route(verdict: Verdict) -> Route:
    return Route("events", verdict.token, Lane.GENERAL, 0).then(
        verdict.target, verdict.at_ms, reason="noisy_tenant", verdict_id=verdict.id
    )


def test_a_move_and_its_restore_are_one_episode() -> None:
    found = {one.token: one for one in episodes(docket(canned_moves.moved()))}
    assert (found[NOISY].word, found[NOISY].away, found[NOISY].end_ms) == ("moved", True, None)
    assert (found[SLOW].word, found[SLOW].state) == ("restoring", State.RESTORING)
    assert (found[WRONG].word, found[WRONG].over, found[WRONG].end_ms) == ("restored", True, NOW_MS - 14_251_000)
    assert len(found) == 4


def test_trouble_comes_first_and_what_is_over_last() -> None:
    failed = replace(FLOOD, id="f", token="failed", verified=False)
    warning = Verdict("w", "events", "", VerdictKind.ALERT, Reason.CAPACITY, NOW_MS - 5_000, note="Scale out.")
    would = replace(ASKS, id="x", token="x", kind=VerdictKind.WOULD_MOVE)
    old = replace(would, id="y", token="y", at_ms=NOW_MS - 3_600_000)
    found = told(route(failed), failed, route(FLOOD), FLOOD, replace(ASKS, token="other"), warning, would, old)
    assert [one.word for one in found] == ["asks", "did not help", "warns", "would move", "moved", "would have moved"]
    assert found[-1].over


@pytest.mark.parametrize(
    ("expires_ms", "note", "word"),
    [
        (NOW_MS + 1, "", "asks"),
        (NOW_MS, "", "expired"),
        (NOW_MS - 5, "Approved by ann.", "approved"),
        (NOW_MS - 5, "Declined by ann.", "declined"),
        (None, "", "asks"),
    ],
)
def test_a_proposal_is_open_until_it_is_answered_or_its_time_is_up(
    expires_ms: int | None, note: str, word: str
) -> None:
    asked = replace(ASKS, expires_ms=expires_ms, note=note)
    (one,) = told(asked)
    assert one.word == word
    assert is_open(asked, NOW_MS) is (word == "asks")


def test_a_token_that_is_moved_on_ends_one_episode_and_begins_another() -> None:
    on = replace(FLOOD, id="on", at_ms=NOW_MS - 100, source=Lane.OVERFLOW, target=Lane.QUARANTINE)
    first, second = told(FLOOD, on, route(FLOOD).then(Lane.QUARANTINE, on.at_ms, verdict_id="on"))
    assert (first.id, first.word, second.id, second.word) == ("on", "moved", FLOOD.id, "moved on")


def test_a_route_without_its_verdict_is_shown_all_the_same() -> None:
    (one,) = told(Route("events", "acme", Lane.QUARANTINE, NOW_MS - 5, by="ann"))
    assert (one.token, one.word, one.verdict, one.target) == ("acme", "moved", None, Lane.QUARANTINE)
    assert " " not in one.id


def test_a_limit_at_capture_is_an_episode_until_it_is_lifted_or_runs_out() -> None:
    limit = replace(FLOOD, id="l", kind=VerdictKind.LIMIT, target=Lane.GENERAL, limit_per_s=20.0, at_ms=NOW_MS - 9_000)
    lifted = replace(limit, id="m", kind=VerdictKind.LIFT, reason=Reason.CALM, at_ms=NOW_MS - 1_000)
    general = Route("events", NOISY, Lane.GENERAL, 0)
    assert [one.word for one in told(limit, general.limited(20.0, limit.at_ms, NOW_MS + 60_000))] == ["limited"]
    assert [one.word for one in told(limit, general.limited(20.0, limit.at_ms, NOW_MS))] == ["lifted"]
    (over,) = told(limit, lifted, general)
    assert (over.word, over.end_ms) == ("lifted", NOW_MS - 1_000)


def test_an_episode_is_found_by_either_verdict_and_by_its_token() -> None:
    known = docket(canned_moves.moved())
    by_move, by_restore, by_token = (
        find(known, name) for name in ("1792582000000-77aa-move", "1792584260000-77aa-restore", SLOW)
    )
    assert by_move is not None
    assert by_move == by_restore == by_token
    assert find(known, "nobody") is None


def test_coming_back_by_order_waits_for_the_lane() -> None:
    (one,) = told(replace(route(FLOOD), expires_ms=NOW_MS - 1), FLOOD, status())
    assert (one.word, one.state) == ("coming back", State.RESTORING)
