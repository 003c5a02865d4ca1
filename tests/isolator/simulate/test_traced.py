"""A trace becomes a plan that brings what the trace says."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from isolator.simulate import traced, traces
from isolator.simulate.crowd import place, shares
from isolator.simulate.run import Run
from isolator.simulate.settings import Settings
from isolator.simulate.traces import Trace
from slo.errors import UsageError
from tests.support.simulated import Script, recorded, run

SETTINGS = Settings(partitions=4, slots=2, capacity=1.0, tokens=10, rate=10.0, noise=False)


@pytest.fixture
def trace(tmp_path: Path) -> Trace:
    """A steady token, one with a burst, and fifty small ones; 100 s."""
    rows = ["t,dur,token,records,bytes,work_ms"]
    for t in range(0, 100, 10):
        burst = 4000 if t in {40, 50} else 40
        rows += [f"{t},10,steady,1000,0,2000", f"{t},10,burst,{burst},0,{burst * 10}"]
        rows += [f"{t},10,small-{i},5,0,5" for i in range(50)]
    path = tmp_path / "made.csv"
    path.write_text("\n".join(rows) + "\n")
    return traces.read(path)


def test_all_records_and_work_of_a_trace_arrive(trace):
    ready = traced.plan(trace, SETTINGS, fit=False)
    world, recorder = recorded(ready.plan, SETTINGS)
    run(world, 100.0)
    background = SETTINGS.rate * 100
    assert recorder.arrived_events == pytest.approx(trace.records.sum() + background)
    assert ready.load == pytest.approx(trace.work_s.sum() / 100 / 2.0)


def test_drawn_records_have_the_traces_mean(trace):
    noisy = replace(SETTINGS, noise=True)
    ready = traced.plan(trace, noisy, fit=False)
    world, recorder = recorded(ready.plan, noisy)
    run(world, 100.0)
    total = trace.records.sum() + 1000
    assert recorder.arrived_events == pytest.approx(total, abs=6 * total**0.5)


def test_only_the_burst_is_to_blame_and_only_while_it_lasts(trace):
    ready = traced.plan(trace, SETTINGS, fit=False)
    assert {s.name: s.culprit for s in ready.plan.sources if s.culprit} == {"burst": ((40.0, 60.0),)}


def test_a_trace_in_milliseconds_is_refused_with_what_to_do(trace):
    wrong = replace(trace, begin_s=trace.begin_s * 1e5)
    with pytest.raises(UsageError, match=r"lasts 104 days.*are its times in seconds\? Otherwise play it faster"):
        traced.plan(wrong, SETTINGS, fit=True)
    assert traced.plan(wrong.faster(1000.0), SETTINGS, fit=True).plan.end_s < 1e5


def test_a_trace_of_no_length_is_refused(trace):
    with pytest.raises(UsageError, match=r"lasts 1e-298 s, less than"):
        traced.plan(trace.faster(1e300), SETTINGS, fit=True)


def test_a_fitted_capacity_makes_the_mean_what_it_should_be(trace):
    ready = traced.plan(trace, SETTINGS, fit=True)
    assert ready.load == pytest.approx(traced.BACKGROUND)


def test_tokens_go_where_their_keys_hash(tmp_path):
    path = tmp_path / "k.csv"
    path.write_text("t,dur,token,records,bytes,work_ms,keys\n0,10,one,900,0,9000,1\n0,10,tiny,20,0,1,1\n")
    found = traces.read(path)
    ready = traced.plan(found, SETTINGS, fit=False)
    (source,) = ready.plan.sources
    assert sorted(source.share.tolist()) == [0, 0, 0, 1]
    assert ready.plan.crowd is not None
    _, where, events, _ = ready.plan.crowd.draw(0.0, 10.0, np.random.default_rng(1), noise=True)
    assert len(set(where.tolist())) == 1
    assert events.sum() > 0


def test_hashing_spreads_evenly():
    spread = np.bincount(place(np.full(80_000, 3), np.arange(80_000), 8), minlength=8)
    assert spread.min() > 9_600
    assert shares(3, 10_000, 8).tolist() == [0.125] * 8
    assert shares(3, 5, 8).sum() == pytest.approx(1.0)


def test_a_run_over_a_trace_measures_it(trace):
    ready = traced.plan(trace, SETTINGS, fit=False)
    played = Run(ready.plan, 1, Script, ready.settings)
    played.through()
    found = played.measures()
    assert found.cover == 1
    assert found.undecided == 1
    assert found.arrived == pytest.approx(found.handled + found.waiting)
