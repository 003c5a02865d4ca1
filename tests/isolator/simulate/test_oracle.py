"""The cover of perfect knowledge."""

from itertools import combinations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from isolator.simulate.curve import Curve
from isolator.simulate.oracle import Oracle, smallest
from isolator.simulate.plan import Plan
from tests.support.simulated import SMALL, plan, source

# in thousandths: what is smaller than the solver's tolerance covers nothing and everything
GAINS = st.lists(st.lists(st.integers(0, 5000).map(lambda n: n / 1000), min_size=3, max_size=3), min_size=1, max_size=5)


@given(GAINS, st.lists(st.floats(-1, 6), min_size=3, max_size=3))
def test_no_smaller_set_covers_as_much(gains, needs):
    gain, need = np.array(gains), np.array(needs)
    chosen = smallest(gain, need, np.ones(len(gain)))
    reach = np.minimum(need, gain.sum(axis=0) * (1 - 1e-9))

    def covers(some: tuple[int, ...]) -> bool:
        return bool((gain[list(some)].sum(axis=0) >= reach - 1e-5).all()) or not (reach > 1e-9).any()

    assert covers(chosen)
    assert not any(covers(fewer) for size in range(len(chosen)) for fewer in combinations(range(len(gain)), size))


def oracle(of: Plan, background: float = 0.5) -> Oracle:
    return Oracle(of, SMALL, np.full(SMALL.slots, background))


FLOOD = Curve.step(1.0, (10.0, 50.0, 100.0))


def test_only_who_is_needed_is_chosen():
    big = source("big", FLOOD, culprit=((10.0, 50.0),))
    small = source("small", Curve.step(1.0, (10.0, 50.0, 20.0)), culprit=((10.0, 50.0),))
    elsewhere = source("elsewhere", Curve.step(1.0, (10.0, 50.0, 20.0)), share=(0, 1, 0, 0), culprit=((10.0, 50.0),))
    assert oracle(plan(big, small, elsewhere)).cover() == (0,)


def test_nobody_is_chosen_where_nobody_is_to_blame():
    assert oracle(plan(source(rate=100.0))).cover() == ()


def test_the_onset_is_when_the_demand_passes_the_capacity_not_when_the_load_begins_to_rise():
    growing = source("r", Curve.ramp(0.0, 10.0, 110.0, 100.0, 120.0), culprit=((10.0, 120.0),))
    # 0.5 in the background, capacity 1, a work of 0.01 a second more each second
    assert oracle(plan(growing)).onsets() == {0: pytest.approx(60.0, abs=1.01)}


def test_a_hang_is_an_onset_of_its_own():
    from dataclasses import replace

    hanging = replace(source("h", 1.0, culprit=((10.0, 60.0),)), hangs=((20.0, 15.0, 0),))
    found = oracle(plan(hanging))
    assert found.onsets() == {0: 20.0}
    assert found.cover() == (0,)


def test_each_burst_is_an_episode():
    spans = ((10.0, 20.0), (50.0, 60.0))
    bursts = source("b", Curve.step(0.0, *((a, b, 100.0) for a, b in spans)), culprit=spans)
    assert oracle(plan(bursts)).episodes(0) == [(10.0, 20.0), (50.0, 60.0)]
