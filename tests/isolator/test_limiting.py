"""Limits at capture (steps 4 and 8) on the fluid model: who is limited, to what, and when it ends."""

from dataclasses import replace

import pytest

from ingestion.contracts.names import Lane
from ingestion.contracts.routes import Mode, Route
from isolator.constants import Policy
from isolator.limiting import limit
from isolator.marks import Mark, MarkKind
from isolator.moves import limit_strikes
from isolator.verdict import Verdict
from tests.support.fluid import START, Source, World, background

POLICY = Policy(warm_s=15.0, calm_s=20.0)
ALL = tuple(range(12))
TROUBLE = 22


def cheap(rate: float = 120_000.0, end: int = 10_000, name: str = "cheap") -> Source:
    """Events of 10 us: forwarding one costs 7."""
    return Source(name, lambda t: rate if TROUBLE <= t < end else 0.0, lambda _t: 1e-5, ALL, 5000)


def flood(name: str, rate: float, begin: int = TROUBLE) -> Source:
    return Source(name, lambda t: rate if t >= begin else 0.0, lambda _t: 1e-3, ALL, 2000)


def world(*extra: Source, **options) -> World:
    return World(options.pop("policy", POLICY), [*background(300, 500.0, 12), *extra], **options)


def verdicts(one: World, kind: str) -> list[Verdict]:
    return [v for _, d in one.decisions for v in d.verdicts if v.kind == kind]


def test_a_flood_of_cheap_events_is_limited_at_capture_instead_of_moved() -> None:
    one = world(cheap())
    one.run(60)
    assert one.moved() == []
    (found,) = verdicts(one, "limit")
    assert (found.token, found.reason.value, found.source, found.target) == (
        "cheap",
        "cheap",
        Lane.GENERAL,
        Lane.GENERAL,
    )
    assert found.limit_per_s is not None
    assert 1.0 <= found.limit_per_s < 60_000
    assert "limited to" in found.sentence()
    route = one.state.limited()["cheap"]
    assert route.limit_at(one.ms) == found.limit_per_s
    status = one.decisions[-1][1].status
    assert status.limited == ("cheap",)
    assert "limited at capture" in status.sentence
    assert status.diagnosis == "healthy"
    assert status.rho <= 0.85, "the limit leaves the consumer enough room"
    assert one.worst_age <= 12


def test_events_dear_enough_to_forward_are_moved() -> None:
    one = world(Source("dear", lambda t: 20_000.0 if t >= TROUBLE else 0.0, lambda _t: 6e-5, ALL, 5000))
    one.run(60)
    assert one.moved() == ["dear"]
    assert not one.state.limited()


def test_events_so_many_that_forwarding_would_eat_the_consumer_are_limited() -> None:
    one = world(Source("many", lambda t: 40_000.0 if t >= TROUBLE else 0.0, lambda _t: 3e-5, ALL, 5000))
    one.run(60)
    assert one.moved() == []
    assert one.state.limited().keys() == {"many"}


def test_a_limit_is_lifted_once_the_token_has_been_calm_for_its_time() -> None:
    one = world(cheap(end=60))
    one.run(140)
    (lifted,) = verdicts(one, "lift")
    at = next(t for t, kind, _, _ in one.verdicts() if kind == "lift")
    assert 60 + POLICY.calm_s <= at <= 60 + POLICY.calm_s + 25
    assert lifted.reason == "calm"
    assert not one.state.limited()
    assert [kind for _, kind, _, _ in one.verdicts()] == ["limit", "lift"]


def test_a_limit_ends_by_itself_in_every_mode_and_comes_back_for_twice_as_long() -> None:
    policy = replace(POLICY, limit_s=60.0, calm_s=30.0)
    one = world(cheap(), policy=policy)
    one.run(180)
    kinds = [(kind, reason) for _, kind, _, reason in one.verdicts()]
    assert kinds[:3] == [("limit", "cheap"), ("lift", "expired"), ("limit", "cheap")]
    route = one.state.limited()["cheap"]
    assert route.limit_until_ms is not None
    assert limit_strikes(route, one.ms, policy.strike_window_s) == 2
    assert route.limit_until_ms - route.limited_ms[-1] == 120_000
    off = world(cheap(), policy=policy)
    off.run(40)
    off.state = replace(off.state, mode=Mode.OFF)
    off.run(60)
    assert not off.state.limited(), "a limit does not outlive its time, even when nobody decides any more"


@pytest.mark.parametrize(("mode", "kind"), [(Mode.OBSERVE, "would_move"), (Mode.SUGGEST, "proposal"), (Mode.OFF, None)])
def test_only_auto_limits(mode: Mode, kind: str | None) -> None:
    one = world(cheap(), mode=mode)
    one.run(60)
    assert not one.state.limited()
    said = [v for _, d in one.decisions for v in d.verdicts]
    assert [v.kind.value for v in said] == ([kind] if kind else [])
    if said:
        assert said[0].limit_per_s
        assert "imit" in said[0].sentence()


@pytest.mark.parametrize("kind", list(MarkKind))
def test_a_marked_token_is_not_limited(kind: MarkKind) -> None:
    one = world(cheap())
    one.state = replace(one.state, marks={"cheap": (Mark(kind, "ops", START * 1000),)})
    one.run(60)
    assert not one.state.limited()
    assert "capacity" in one.diagnoses()


def test_a_limit_is_a_property_of_the_route_and_leaves_lane_and_history_alone() -> None:
    route = Route("p", "t", Lane.GENERAL, 0).then(Lane.OVERFLOW, 1_000, reason="noisy_tenant")
    limited = limit(route, 50.0, 2_000, POLICY)
    assert (limited.lane, limited.since_ms, limited.history) == (route.lane, route.since_ms, route.history)
    assert Route.decode(limited.encode()[1]) == limited
    assert b"limit" not in route.encode()[1], "an older reader sees nothing new in a route without a limit"
    home = limited.then(Lane.GENERAL, 3_000)
    assert home.limit_per_s is None
    assert home.limited_ms == (2_000,), "past limits count as strikes"
    assert limited.lifted() == replace(limited, limit_per_s=None, limit_until_ms=None)


def test_a_flood_too_large_for_overflow_goes_to_quarantine_and_a_small_one_to_overflow() -> None:
    large, small = world(flood("flood", 2500.0)), world(flood("flood", 460.0))
    for one in (large, small):
        one.run(90)
        assert one.moved() == ["flood"]
    assert large.state.moved()["flood"].lane is Lane.QUARANTINE
    assert small.state.moved()["flood"].lane is Lane.OVERFLOW


def test_a_quarantine_without_workers_takes_nobody() -> None:
    one = world(flood("flood", 2500.0))
    one.side_workers = frozenset({Lane.OVERFLOW})
    one.run(60)
    assert one.state.moved()["flood"].lane is Lane.OVERFLOW


def test_a_token_that_outgrows_overflow_is_limited_until_drained_there_and_then_quarantined() -> None:
    grows = Source("grows", lambda t: 0.0 if t < TROUBLE else 450.0 if t < 80 else 1500.0, lambda _t: 1e-3, ALL, 2000)
    one = world(grows, flood("second", 460.0, begin=45))
    one.run(80)
    assert {t: r.lane for t, r in one.state.moved().items()} == {"grows": Lane.OVERFLOW, "second": Lane.OVERFLOW}
    one.run(160)
    kinds = [(kind, token, reason) for _, kind, token, reason in one.verdicts() if token == "grows"]
    assert kinds == [
        ("move", "grows", "noisy_tenant"),
        ("limit", "grows", "too_large"),
        ("move", "grows", "too_large"),
    ]
    assert one.state.moved()["grows"].lane is Lane.QUARANTINE
    assert one.state.moved()["grows"].limit_per_s is None
    assert one.state.moved()["second"].lane is Lane.OVERFLOW


def test_alone_in_overflow_a_token_may_grow() -> None:
    grows = Source("grows", lambda t: 0.0 if t < TROUBLE else 450.0 if t < 80 else 1500.0, lambda _t: 1e-3, ALL, 2000)
    one = world(grows)
    one.run(200)
    assert [kind for _, kind, _, _ in one.verdicts()] == ["move"]
