"""Step 6 and the laws of step 7: overload without a culprit, and what no sequence of ticks may do."""

from dataclasses import replace

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ingestion.contracts.names import Lane
from isolator.constants import Policy
from isolator.marks import Mark, MarkKind
from isolator.policy import Decision
from isolator.verdict import Reason
from tests.support.fluid import START, Source, World, background

POLICY = Policy(warm_s=15.0, calm_s=20.0, overflow_share=10.0, budget_traffic=0.9)
ALL = tuple(range(12))
TROUBLE = 22
BIG = ("big-a", "big-b", "big-c", "big-d")


def tight(structural: str, mark: str = "", **changes) -> World:
    """Everyone grows by a third past what the consumer can do, four large tenants with them: nobody stands out."""
    grown = lambda t: 1.4 if t >= TROUBLE else 1.0  # noqa: E731
    large = [
        Source(name, lambda t, r=r: r * grown(t), lambda _t: 1e-3, ALL, 500)
        for name, r in zip(BIG, (150.0, 120.0, 90.0, 60.0), strict=True)
    ]
    one = World(replace(POLICY, structural=structural, **changes), [*background(120, 320.0, 12, grown), *large])
    if mark:
        one.state = replace(one.state, marks={mark: (Mark(MarkKind.PROTECT, "ops", START * 1000),)})
    return one


def kinds(one: World) -> list[tuple[str, str, str]]:
    return [(kind, token, reason) for _, kind, token, reason in one.verdicts()]


def test_structural_move_takes_the_fewest_of_the_largest_after_three_ticks_and_says_capacity() -> None:
    one = tight("move")
    one.run(75)
    moves = [v for _, d in one.decisions for v in d.verdicts if v.kind == "move"]
    assert {v.token for v in moves} <= set(BIG[:2])
    assert len(moves) in {1, 2}
    assert all(v.reason is Reason.CAPACITY and v.diagnosis == "capacity" for v in moves)
    assert "scale out" in moves[0].sentence()
    assert moves[0].rho_predicted is not None
    assert moves[0].rho_predicted < moves[0].rho_before
    diagnoses = one.diagnoses()
    first = next(n for n, (_, d) in enumerate(one.decisions) if any(v.kind == "move" for v in d.verdicts))
    assert diagnoses[first - 2 : first + 1] == ["capacity"] * 3, "not before three ticks without a culprit"
    assert one.decisions[-1][1].status.rho < 0.9
    assert one.worst_age < 25


@pytest.mark.parametrize(("structural", "said"), [("off", []), ("alert", [("alert", "", "capacity")])])
def test_structural_off_and_alert_move_nobody(structural: str, said: list[tuple[str, str, str]]) -> None:
    one = tight(structural)
    one.run(75)
    assert kinds(one) == said
    assert "capacity" in one.diagnoses()


def test_structural_move_never_takes_a_protected_token() -> None:
    one = tight("move", mark="big-a")
    one.run(75)
    assert "big-a" not in one.moved()
    assert one.moved()


def test_structural_move_stays_within_the_traffic_budget_and_asks_beyond_it() -> None:
    one = tight("move", budget_traffic=0.1)
    one.run(90)
    assert one.moved() == []
    proposals = {v.token for _, d in one.decisions for v in d.verdicts if v.kind == "proposal"}
    assert proposals
    assert proposals <= set(BIG)


def test_structural_moves_come_home_when_there_is_room_again() -> None:
    one = tight("move")
    one.run(75)
    away = set(one.state.moved())
    one.capacity = lambda _t: 2.0  # somebody scaled out
    one.run(90)
    assert away
    assert not one.state.moved()
    assert all(reason == "calm" for kind, _, reason in kinds(one) if kind == "restore")


FLOODS = st.lists(
    st.tuples(
        st.integers(22, 60), st.integers(5, 60), st.sampled_from([300.0, 700.0, 2500.0]), st.sampled_from([1e-3, 1e-5])
    ),
    min_size=1,
    max_size=7,
)


@settings(max_examples=8, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(FLOODS, st.integers(0, 99), st.sampled_from(["alert", "move"]))
def test_no_sequence_of_ticks_exceeds_the_budget_or_touches_a_protected_token(
    floods: list[tuple[int, int, float, float]], seed: int, structural: str
) -> None:
    policy = Policy(warm_s=15.0, calm_s=20.0, structural=structural)
    sources = [
        Source(
            f"flood-{n}",
            lambda t, begin=begin, end=begin + length, rate=rate / (cost * 1e3): rate if begin <= t < end else 0.0,
            lambda _t, cost=cost: cost,
            ALL,
            900,
        )
        for n, (begin, length, rate, cost) in enumerate(floods)
    ]
    one = World(policy, [*background(80, 450.0, 12), *sources], seed=seed)
    guarded = {"flood-0", "bg-0"}
    one.state = replace(one.state, marks={t: (Mark(MarkKind.PROTECT, "ops", START * 1000),) for t in guarded})
    while one.t < 110:
        usual_before = one.state.usual
        decision = one.tick()
        _within(decision, policy, guarded)
        assert decision.state.usual is not usual_before


def _within(decision: Decision, policy: Policy, guarded: set[str]) -> None:
    touched = {t for t, r in decision.state.routes.items() if r.lane is not Lane.GENERAL or r.limit_per_s is not None}
    assert len(touched) <= policy.budget_min
    assert not touched & guarded
    fresh = [v for v in decision.verdicts if v.kind in {"move", "limit"} and v.source is Lane.GENERAL]
    assert len(fresh) <= max(1, int(policy.budget_tick_share * policy.budget_min))
