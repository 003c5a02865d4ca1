"""Laws of the decision's arithmetic: anomaly, cover, fair shares, budget, verification, calm."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import LinearConstraint, milp
from scipy.stats import nbinom

from ingestion.contracts.names import Lane
from ingestion.contracts.routes import Route
from isolator.anomaly import benjamini_hochberg, exponent, growth
from isolator.budget import budget
from isolator.constants import Policy
from isolator.cover import EXACT, cover, relief
from isolator.gate import History, gate
from isolator.load import Load
from isolator.moves import strikes
from isolator.restore import calm_s
from isolator.slots import share_left, shares
from isolator.verify import Effect, verify

POLICY = Policy()
COUNTS = st.floats(0, 1e6)
MEANS = st.floats(1e-3, 1e5)
SIZES = st.floats(0.5, 500)


def _i(n: float, m: float, k: float) -> float:
    return float(exponent(np.array([n]), np.array([m]), np.array([k]))[0])


@given(COUNTS, st.floats(0, 1e5), MEANS, SIZES)
def test_more_events_are_never_less_evidence(n: float, more: float, m: float, k: float) -> None:
    assert _i(n + more, m, k) >= _i(n, m, k) - 1e-6 * max(_i(n, m, k), 1)


@given(st.integers(1, 400), st.floats(0.05, 100), st.floats(0.5, 100))
def test_the_exponent_never_claims_more_than_the_true_tail(n: int, m: float, k: float) -> None:
    tail = nbinom.logsf(n - 1, k, k / (k + m))
    assert -_i(n, m, k) >= tail - 1e-6 * abs(tail) - 1e-6


def test_a_count_under_the_mean_is_no_evidence() -> None:
    assert _i(3, 5, 20) == 0
    assert _i(0, 5, 20) == 0


@given(st.lists(st.floats(0, 50), min_size=1, max_size=40), st.integers(0, 39), st.floats(0, 50))
def test_more_evidence_against_one_never_unsuspects_anybody(values: list[float], at: int, more: float) -> None:
    before = benjamini_hochberg(np.array(values), 1e-3)
    values[at % len(values)] += more
    after = benjamini_hochberg(np.array(values), 1e-3)
    assert (after | ~before).all()


@given(st.lists(st.floats(0, 20), min_size=1, max_size=30))
def test_benjamini_hochberg_follows_its_definition(values: list[float]) -> None:
    p = np.exp(-np.array(values))
    ordered = np.sort(p)
    ranks = [i for i in range(len(p)) if ordered[i] <= 1e-2 * (i + 1) / len(p)]
    wanted = p <= (ordered[ranks[-1]] if ranks else -1.0)
    assert benjamini_hochberg(np.array(values), 1e-2).tolist() == wanted.tolist()


def test_growth_is_everybodys_and_a_culprit_does_not_excuse_itself() -> None:
    usual = np.full(100, 1.0)
    assert growth(usual * 3, usual, 16) == pytest.approx(3.0)
    flooded = usual.copy()
    flooded[7] = 1e6
    assert growth(flooded, usual, 16) == pytest.approx(1.0)


MATRICES = st.integers(1, 7).flatmap(
    lambda rows: st.integers(1, 4).flatmap(
        lambda columns: st.tuples(
            st.lists(
                st.lists(st.sampled_from([0.0, 0.1, 0.3, 0.5, 1.0, 2.0]), min_size=columns, max_size=columns),
                min_size=rows,
                max_size=rows,
            ),
            st.lists(st.sampled_from([-1.0, 0.0, 0.2, 0.6, 1.0, 1.7]), min_size=columns, max_size=columns),
        )
    )
)


@settings(max_examples=150, deadline=None)
@given(MATRICES)
def test_the_cover_is_minimal_and_close_to_the_smallest(matrix: tuple[list[list[float]], list[float]]) -> None:
    gains, needs = np.array(matrix[0]), np.array(matrix[1])
    chosen = cover(gains, needs)
    reachable = np.minimum(np.maximum(needs, 0.0), gains.sum(axis=0))
    assert (gains[chosen].sum(axis=0) >= reachable - 1e-6).all(), "it covers what can be covered"
    for left_out in chosen:
        rest = [c for c in chosen if c != left_out]
        assert (gains[rest].sum(axis=0) < reachable - 1e-9).any(), "nobody is moved for nothing"
    best = milp(
        np.ones(len(gains)),
        constraints=LinearConstraint(gains.T, lb=reachable - 1e-9),
        integrality=np.ones(len(gains)),
        bounds=(0, 1),
    )
    assert best.success
    smallest = round(best.fun)
    assert smallest <= len(chosen) <= max(smallest, math.ceil(smallest * (1 + math.log(max(len(needs), 1) + 1))))
    if len(needs) == 1:
        assert len(chosen) == smallest, "with one constraint greedy is exact"


@settings(max_examples=150, deadline=None)
@given(MATRICES)
def test_with_few_candidates_no_smaller_set_covers_as_much(matrix: tuple[list[list[float]], list[float]]) -> None:
    gains, needs = np.array(matrix[0]), np.array(matrix[1])
    chosen = cover(gains, needs)
    reachable = np.minimum(np.maximum(needs, 0.0), gains.sum(axis=0))
    best = milp(
        np.ones(len(gains)),
        constraints=LinearConstraint(gains.T, lb=reachable - 1e-9),
        integrality=np.ones(len(gains)),
        bounds=(0, 1),
    )
    assert len(gains) <= EXACT
    assert best.success
    assert len(chosen) == round(best.fun), "the fewest there are"
    assert len(set(chosen)) == len(chosen)


@settings(max_examples=40, deadline=None)
@given(st.integers(EXACT + 1, 40), st.integers(1, 8), st.integers(0, 10_000))
def test_with_many_candidates_the_cover_is_minimal_under_inclusion_and_near_the_fewest(
    candidates: int, constraints: int, seed: int
) -> None:
    rng = np.random.default_rng(seed)
    gains = rng.exponential(0.3, (candidates, constraints)) * (rng.random((candidates, constraints)) < 0.4)
    needs = rng.uniform(-0.5, 1.5, constraints)
    chosen = cover(gains, needs)
    reachable = np.minimum(np.maximum(needs, 0.0), gains.sum(axis=0))
    assert (gains[chosen].sum(axis=0) >= reachable - 1e-6).all()
    for left_out in chosen:
        assert (gains[[c for c in chosen if c != left_out]].sum(axis=0) < reachable - 1e-9).any()
    best = milp(
        np.ones(candidates),
        constraints=LinearConstraint(gains.T, lb=reachable - 1e-9),
        integrality=np.ones(candidates),
        bounds=(0, 1),
        options={"time_limit": 5.0},
    )
    if best.success:
        assert len(chosen) <= round(best.fun) + max(1, math.ceil(0.5 * best.fun))


def test_the_cover_takes_one_token_where_one_is_enough() -> None:
    gains = np.array([[0.4, 0.4], [1.0, 1.0], [0.6, 0.6]])
    assert cover(gains, np.array([0.9, 0.9])) == [1]
    assert relief(gains, np.array([0.9, 0.9]), [1]) == 1.0
    assert relief(gains, np.array([2.0, 0.8]), [0]) == pytest.approx((0.2 + 0.5) / 2)


@given(st.floats(0.1, 4), st.lists(st.floats(0, 3), min_size=1, max_size=12))
def test_shares_are_max_min_fair(capacity: float, demand: list[float]) -> None:
    given_ = shares(capacity, np.array(demand))
    for i, level in enumerate(given_):
        others = sum(min(d, level) for j, d in enumerate(demand) if j != i)
        assert level + others == pytest.approx(capacity, rel=1e-6)
        assert level >= capacity / len(demand) - 1e-9, "nobody gets less than an equal share"


def test_a_partition_without_an_owner_has_nothing_left() -> None:
    left = share_left(np.array([0, -1, 0]), np.array([1.0]), np.array([0.25, 5.0, 0.0]))
    assert left.tolist() == [1.0, 0.0, 0.75]


@given(st.integers(0, 10_000_000), st.integers(0, 200), st.floats(0, 0.2), st.lists(st.floats(0, 0.2), max_size=30))
def test_the_budget_is_never_exceeded(active: int, moved: int, traffic: float, wanted: list[float]) -> None:
    left = budget(active, moved, traffic, POLICY)
    most = max(POLICY.budget_min, math.floor(POLICY.budget_tokens * active))
    taken, used = 0, traffic
    for each in wanted:
        after = left.take(each)
        if after is not None:
            left, taken, used = after, taken + 1, used + each
    assert moved + taken <= max(most, moved)
    assert taken <= max(1, math.floor(POLICY.budget_tick_share * most))
    assert used <= max(POLICY.budget_traffic, traffic) + 1e-9


@pytest.mark.parametrize(
    ("case", "ticks", "before", "predicted", "now", "back", "effect"),
    [
        ("too early to tell", 2, 2.0, 0.5, 1.9, 1.9, Effect.PENDING),
        ("it dropped as predicted", 3, 2.0, 0.5, 0.55, 2.0, Effect.HELPED),
        ("half of the drop is enough", 3, 2.0, 0.5, 1.25, 2.0, Effect.HELPED),
        ("no drop, and it adds little", 3, 2.0, 0.5, 1.9, 1.95, Effect.WRONG_CULPRIT),
        ("hardly a drop was promised, and it may come back", 3, 0.9, 0.5, 0.75, 0.8, Effect.WRONG_CULPRIT),
        ("others rose, but it is heavy itself", 3, 2.0, 0.5, 1.9, 3.4, Effect.NO_HELP),
    ],
)
def test_verification(
    case: str, ticks: int, before: float, predicted: float, now: float, back: float, effect: Effect
) -> None:
    assert (
        verify(ticks=ticks, before=before, predicted=predicted, now=now, with_it_back=back, policy=POLICY) is effect
    ), case


def test_the_calm_time_doubles_with_every_strike_up_to_an_hour() -> None:
    assert [calm_s(n, POLICY) for n in (0, 1, 2, 3, 7, 200)] == [60, 60, 120, 240, 3600, 3600]


def test_an_early_choice_that_later_ones_make_needless_is_dropped() -> None:
    gains = np.array([[0.9, 0.9], [1.0, 0.0], [0.0, 1.0]])
    assert sorted(cover(gains, np.array([1.0, 1.0]))) == [1, 2]


def _load(delay: float, rho: float) -> Load:
    one, zero = np.array([1.0]), np.zeros(1)
    horizon = np.array([delay + POLICY.horizon_s * max(rho - 1, 0)])
    return Load(one, one, one, np.array([rho]), np.array([delay]), horizon, one, zero)


@pytest.mark.parametrize(
    ("case", "delay", "rho", "ticks_to_confirm"),
    [
        ("calm", 0.1, 0.5, None),
        ("over capacity, hardly any queue yet", 1.0, 1.2, None),
        ("over capacity and a queue that grows", 5.0, 1.3, 2),
        ("a long queue that hardly drains", 11.0, 0.9, 2),
        ("a long queue that drains", 11.0, 0.7, None),
        ("the SLO is lost within the horizon", 5.0, 1.9, 1),
        ("a very long queue that hardly drains", 31.0, 0.9, 1),
    ],
)
def test_the_gate(case: str, delay: float, rho: float, ticks_to_confirm: int | None) -> None:
    history: History = ()
    confirmed = []
    for _ in range(4):
        found = gate(_load(delay, rho), history, (), POLICY)
        history = found.history
        confirmed.append(bool(found.confirmed[0]))
    expected = [ticks_to_confirm is not None and tick >= ticks_to_confirm for tick in range(1, 5)]
    assert confirmed == expected, case
    assert len(history) == POLICY.confirm_window


def test_a_partition_that_is_hot_in_two_of_three_ticks_is_confirmed_and_not_while_it_is_calm() -> None:
    hot, calm = _load(5.0, 1.3), _load(0.1, 0.5)
    history: History = ()
    confirmed = []
    for load in (hot, calm, hot, calm, calm, hot):
        found = gate(load, history, (), POLICY)
        history = found.history
        confirmed.append(bool(found.confirmed[0]))
    assert confirmed == [False, False, True, False, False, False]


@pytest.mark.parametrize(
    ("case", "now", "back", "how", "effect"),
    [
        ("it stopped by itself, which proves nothing", 1.9, 1.95, {"stopped": True}, Effect.NO_HELP),
        ("it stopped by itself, and rho fell", 0.6, 0.6, {"stopped": True}, Effect.HELPED),
        ("after a rebalance its load tells: it is what was promised", 0.5, 2.0, {"comparable": False}, Effect.HELPED),
        ("after a rebalance a low rho is not its doing", 0.5, 0.6, {"comparable": False}, Effect.NO_HELP),
        ("after a rebalance nobody is called wrong", 1.9, 1.95, {"comparable": False}, Effect.NO_HELP),
    ],
)
def test_verification_when_before_and_after_do_not_compare(
    case: str, now: float, back: float, how: dict[str, bool], effect: Effect
) -> None:
    found = verify(ticks=3, before=2.0, predicted=0.5, now=now, with_it_back=back, policy=POLICY, **how)
    assert found is effect, case


def test_from_one_side_lane_to_the_next_is_one_strike() -> None:
    route = Route("p", "t", Lane.GENERAL, 0).then(Lane.OVERFLOW, 1_000).then(Lane.QUARANTINE, 2_000)
    assert strikes(route, 3_000, 60.0) == 1
    again = route.then(Lane.GENERAL, 3_000).then(Lane.OVERFLOW, 4_000)
    assert strikes(again, 5_000, 60.0) == 2
    assert strikes(again.then(Lane.GENERAL, 6_000), 7_000, 60.0) == 2
    assert strikes(again.then(Lane.GENERAL, 6_000), 70_000, 60.0) == 0, "strikes are forgotten"
    assert strikes(None, 0, 60.0) == 0
