"""Many runs as numbers."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from isolator.simulate.measures import Measures
from isolator.simulate.run import Result, Wall
from isolator.simulate.summary import mean, summarise

NOTHING = Measures(
    (), (), (), 0, 1000.0, 0.0, 0.0, 0.0, 0.0, 0, 0, 0, 0, 0, 0.0, 0, 0, (), 0, 0, 0.0, 0.0, 0.0, 0.0, 0.0
)  # fmt: skip


def result(scenario: str, kind: str, seed: int = 1, **measured: object) -> Result:
    found = replace(NOTHING, **measured)  # type: ignore[arg-type]
    return Result(scenario, kind, seed, "us", found, (), (), 0.0, 1.0, 2.0, Wall((0.001,), 1.0, 1))


@given(st.lists(st.floats(0, 100), min_size=1, max_size=30))
def test_an_interval_holds_its_mean_and_is_the_same_each_time(values):
    found = mean(values)
    assert found.low - 1e-9 <= found.mean <= found.high + 1e-9
    assert found == mean(values)


def test_more_runs_make_the_interval_narrower():
    few, many = mean([0.0, 1.0] * 5), mean([0.0, 1.0] * 200)
    assert many.high - many.low < (few.high - few.low) / 3


def test_the_summary_pools_culprits_and_takes_the_worst_scenario():
    results = [
        result("a", "culprit", 1, decide_s=(4.0, 6.0), innocents_late=1.0, excess_moves=1, restore_s=(50.0,)),
        result("a", "culprit", 2, decide_s=(8.0,), innocents_late=3.0, moves_per_token_hour=2),
        result("b", "culprit", 1, decide_s=(10.0,)),
        result("c", "decoy", 1, false_moves=2, innocents_late=900.0),
        result("c", "decoy", 2),
        result("d", "limit", 1, innocents_late=900.0, false_moves=9, moves_per_token_hour=9),
    ]
    found = summarise(results)
    total = found.total
    assert total["decide_s_p50"] == pytest.approx(7.0)
    assert total["innocents_over_slo_ratio"] == pytest.approx(0.002), "the mean of a's runs; decoys and limits apart"
    assert total["excess_moves_mean"] == pytest.approx(1 / 3)
    assert total["decoy_runs_with_false_move_ratio"] == 0.5
    assert total["moves_per_token_hour_max"] == 2
    assert total["restore_s_p95"] == 50.0
    assert list(found.scenarios) == ["a", "b", "c", "d"]
    assert found.scenarios["c"]["decide_s_p50"] is None
    assert found.scenarios["a"]["decide_s_p50"] == pytest.approx(6.0)
    assert found.scenarios["c"]["decoy_runs_with_false_move_ratio"] == 0.5
    assert found.scenarios["a"]["measures"]["excess_moves"]["max"] == 1
    assert all(set(total) < set(one) for one in found.scenarios.values()), "each scenario has the same numbers"


def test_without_any_culprit_there_is_no_time_to_decide():
    assert summarise([result("c", "decoy")]).total["decide_s_p95"] is None
