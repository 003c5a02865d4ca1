"""The law of step 3 on whole observations: more of a token never makes it less suspect, and what it does excuses nobody but through everybody's growth."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from isolator.anomaly import evidence, growth_of_others
from isolator.baseline import Usual
from isolator.constants import Policy
from isolator.interner import Floats, Ints
from isolator.observation import Observation, Partitions, Rows, Slots, Tick, Tokens

POLICY = Policy(guard_drift_tokens=4)
WINDOW_S = 14.4
NONE: Floats = np.zeros(0)
NOBODY: Ints = np.zeros(0, dtype=np.int64)


def observed(rate: Floats, cost: Floats, other: float = 0.0) -> Observation:
    """A pipeline of one partition whose tokens do this."""
    one = np.zeros(1)
    return Observation(
        pipeline="p",
        at_ms=0,
        names=[f"t{i}" for i in range(len(rate))],
        ids={f"t{i}": i for i in range(len(rate))},
        window_s=WINDOW_S,
        tokens=Tokens(rate, rate * WINDOW_S, rate, cost, rate * WINDOW_S, cost, cost),
        rows=Rows(NOBODY, NOBODY, NONE, NONE, NONE, NONE),
        partitions=Partitions(np.array([other]), one, one, one, one, one, np.zeros(1, dtype=np.int64), one),
        slots=Slots(("0",), np.ones(1), one),
        side={},
        in_flight={},
        tick=Tick(5.0, NOBODY, NONE, NOBODY, NONE, NONE, 0.0),
    )


def usual(rate: Floats, cost: Floats) -> Usual:
    total = float(rate.sum())
    return Usual(rate, cost, np.full(len(rate), 20.0), 0.1, 1e-3, total, 86_400.0, warm=True)


@st.composite
def pipelines(draw: st.DrawFn) -> tuple[Observation, Usual]:
    size = draw(st.integers(2, 24))
    base = draw(arrays(np.float64, size, elements=st.floats(0.01, 50)))
    times = draw(arrays(np.float64, size, elements=st.sampled_from([0.0, 0.5, 1.0, 1.3, 2.0, 4.0, 20.0, 300.0])))
    dearer = draw(arrays(np.float64, size, elements=st.sampled_from([0.5, 1.0, 1.0, 2.5, 3.5, 60.0])))
    cost = np.full(size, 1e-3)
    return observed(base * times, cost * dearer, draw(st.sampled_from([0.0, 5.0, 500.0]))), usual(base, cost)


@settings(max_examples=400, deadline=None)
@given(pipelines(), st.integers(0, 23), st.sampled_from([1.0, 1.01, 1.5, 3.0, 50.0]), st.booleans())
def test_more_events_or_dearer_ones_never_unsuspect_a_token(
    pipeline: tuple[Observation, Usual], at: int, times: float, dearer: bool
) -> None:
    seen, prior = pipeline
    at %= len(seen.tokens.rate)
    before = evidence(seen, prior, POLICY)
    more = seen.tokens.rate.copy()
    cost = seen.tokens.cost.copy()
    (cost if dearer else more)[at] *= times
    then = replace(seen.tokens, rate=more, seen=more * WINDOW_S, cost=cost)
    after = evidence(replace(seen, tokens=then), prior, POLICY)
    assert after.ratio[at] >= before.ratio[at] * (1 - 1e-9)
    assert after.score[at] >= before.score[at] - 1e-9
    assert after.anomalous[at] or not before.anomalous[at]


@settings(max_examples=200, deadline=None)
@given(
    arrays(np.float64, st.integers(2, 30), elements=st.floats(0, 1e4)),
    st.integers(0, 29),
    st.floats(0, 1e6),
    st.integers(0, 16),
)
def test_a_tokens_own_yardstick_does_not_depend_on_what_it_does(
    now: Floats, at: int, instead: float, leave_out: int
) -> None:
    at %= len(now)
    base = np.ones(len(now))
    before = growth_of_others(now, base, leave_out)[at]
    now = now.copy()
    now[at] = instead
    assert growth_of_others(now, base, leave_out)[at] == pytest.approx(before, rel=1e-6)


def test_what_everybody_does_makes_nobody_suspect_and_what_one_does_makes_one() -> None:
    base, cost = np.linspace(1, 20, 40), np.full(40, 1e-3)
    surge = evidence(observed(base * 3.5, cost), usual(base, cost), POLICY)
    assert not surge.anomalous.any()
    assert surge.growth == pytest.approx(3.5)
    flood = base.copy()
    flood[7] *= 30
    assert np.flatnonzero(evidence(observed(flood, cost), usual(base, cost), POLICY).anomalous).tolist() == [7]
    dear = cost.copy()
    dear[3] *= 60
    assert np.flatnonzero(evidence(observed(base, dear), usual(base, cost), POLICY).anomalous).tolist() == [3]


def test_a_token_that_takes_anothers_place_among_the_largest_keeps_its_yardstick() -> None:
    # the last two are next to each other in excess; whoever is left out of the sum makes it look very different
    base, cost = np.array([1.0] * 10 + [30.0, 0.1]), np.full(12, 1e-3)
    now = np.array([1.0] * 7 + [1000.0] * 3 + [69.9, 40.05])
    before = evidence(observed(now, cost), usual(base, cost), POLICY)
    now[10] += 0.1
    after = evidence(observed(now, cost), usual(base, cost), POLICY)
    assert after.score[10] > before.score[10] > 0
    assert after.ratio[10] > before.ratio[10]
