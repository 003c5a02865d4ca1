"""Whole runs: deterministic, late where it should be, and the same whatever the step and the number of processes."""

from dataclasses import replace
from functools import partial
from xml.etree import ElementTree as ET

import numpy as np
import pytest

from isolator.simulate.contender import Orders
from isolator.simulate.entrants import NAMES, Tuned, maker
from isolator.simulate.meter import START_S
from isolator.simulate.oracle import Oracle
from isolator.simulate.ours import Fairlane
from isolator.simulate.picture import svg
from isolator.simulate.pool import measure
from isolator.simulate.run import Run, play, scenario_named
from isolator.simulate.scenarios import ALL, SCENARIOS
from isolator.simulate.settings import Settings
from slo.errors import ConfigError, UsageError
from tests.support.simulated import SMALL, Script, plan, source

# large enough for 0.01 % of the tokens to be one, small enough for a second a run
QUICK = Settings(tokens=3_000, rate=800.0)
SHORT = replace(QUICK, hours=0.09)
"""Long enough for a flood to begin, to be decided on and to be forgotten; too short for its overflow to drain."""


@pytest.mark.parametrize("name", ["one_flood", "slow_tenant"])
def test_a_culprit_is_moved_alone_and_nobody_is_late(name):
    found = play(name, 1, Fairlane, SHORT).measures
    assert (found.moved, found.cover, found.false_moves) == (1, 1, 0)
    assert max(found.decide_s) <= 16.0
    assert found.late_ratio <= 1e-4
    assert found.arrived == pytest.approx(found.handled + found.waiting)


def test_a_culprit_comes_back_when_it_is_calm():
    found = play("hung_record", 1, Fairlane, QUICK).measures
    assert (found.moved, found.cover, found.not_restored) == (1, 1, 0)
    assert len(found.restore_s) == 1


@pytest.mark.parametrize("name", ["stall", "gap", "deploy"])
def test_nobody_is_moved_for_what_is_nobodys_fault(name):
    found = play(name, 1, Fairlane, SHORT).measures
    assert found.moved == 0
    assert found.cover == 0


def test_the_steps_size_does_not_change_what_is_decided():
    coarse = play("one_flood", 2, Fairlane, SHORT)
    fine = play("one_flood", 2, Fairlane, replace(SHORT, fine_s=0.5, coarse_s=1.0))
    assert [(e.kind, e.name) for e in coarse.events] == [(e.kind, e.name) for e in fine.events]
    moved = [e.at_s for e in coarse.events if e.away]
    assert moved == pytest.approx([e.at_s for e in fine.events if e.away], abs=5.0)
    assert coarse.measures.worst_innocent_age_s == pytest.approx(fine.measures.worst_innocent_age_s, abs=2.0)
    assert coarse.measures.arrived == pytest.approx(fine.measures.arrived, rel=0.25)


def test_the_answer_does_not_depend_on_the_number_of_processes():
    makers = {"us": Fairlane, "script": Script}
    short = replace(QUICK, tokens=500, hours=0.03)
    alone = measure(["one_flood", "surge"], [1], makers, short, jobs=1)
    said: list[str] = []
    together = measure(["one_flood", "surge"], [1], makers, short, jobs=2, say=said.append)
    assert together == alone
    assert [(r.scenario, r.contender) for r in alone] == [
        ("one_flood", "fairlane"),
        ("one_flood", "script"),
        ("surge", "fairlane"),
        ("surge", "script"),
    ]
    assert len(said) == 4


def test_every_scenario_draws_a_plan_that_fits_it_from_any_seed():
    for name in ALL:
        for seed in range(5):
            drawn = SCENARIOS[name].plan(Settings(), seed)
            assert drawn.times() == SCENARIOS[name].plan(Settings(), seed).times()
            assert 60 <= drawn.begin_s < drawn.calm_s < drawn.end_s
            assert 0.4 <= drawn.utilisation <= 0.7
            guilty = [s for s in drawn.sources if s.culprit]
            assert bool(guilty) == (SCENARIOS[name].kind != "decoy")
            assert all(s.share.sum() == pytest.approx(1.0) for s in drawn.sources)


@pytest.mark.parametrize("name", [n for n in ALL if SCENARIOS[n].kind == "culprit"])
@pytest.mark.parametrize("seed", [1, 2, 3])
def test_without_a_rule_a_culprit_harms_innocents_so_that_there_is_something_to_protect(name, seed):
    drawn = SCENARIOS[name].plan(Settings(), seed)
    found = Oracle(drawn, Settings(), np.full(Settings().slots, drawn.utilisation * Settings().capacity))
    assert found.onsets()
    assert found.cover()


def scripted(*orders: tuple[float, Orders], reroutes: bool = False, noise: bool = False) -> tuple[Run, Script]:
    flood = source("x", 150.0, culprit=((0.0, 60.0),))
    settings = replace(SMALL, noise=noise)
    run = Run(plan(flood, calm=60.0), 1, partial(Script, orders=orders, reroutes=reroutes), settings)
    run.through()
    assert isinstance(run.contender, Script)
    return run, run.contender


def test_orders_act_late_and_reports_come_late():
    token = SMALL.tokens
    run, script = scripted((10.0, Orders(move=(token,))), (100.0, Orders(restore=(token,))))
    assert [(e.at_s, e.kind, e.lane) for e in run.events] == [(10.0, "move", "overflow"), (100.0, "restore", "")]
    delays = [r.at_s - r.probe.at_ms / 1000 for r in script.seen if r.probe is not None]
    assert min(delays) >= 0.2
    assert max(delays) <= 0.6
    assert run.measures().decide_s == (10.0,)


def test_a_capture_that_reroutes_still_shows_what_it_saw():
    token = SMALL.tokens
    _, script = scripted((10.0, Orders(move=(token,))), reroutes=True)
    late = [r.arrivals for r in script.seen if r.arrivals is not None and r.probe is not None][-3:]
    assert all(float(a.records[a.token == token].sum()) > 0 for a in late)


def test_a_limit_is_an_order_against_the_token_and_empty_limits_lift_all():
    token = SMALL.tokens
    run, script = scripted((10.0, Orders(limits={token: 20.0, 0: 1e9})), (50.0, Orders(limits={})))
    assert [(e.at_s, e.kind) for e in run.events] == [(10.0, "limit"), (50.0, "lift")]
    found = run.measures()
    assert found.culprits_refused == pytest.approx(130 * 40, rel=0.01)
    assert found.innocents_refused == 0
    admitted = [float(a.records[a.token == token].sum()) / a.interval_s for r in script.seen if (a := r.arrivals)]
    assert min(admitted[20:40]) == pytest.approx(20.0)


def test_a_decision_hears_of_all_but_the_last_second_however_long_the_steps_are():
    _, script = scripted((10.0, Orders(move=(SMALL.tokens,))), (100.0, Orders(restore=(SMALL.tokens,))))
    assert {round(r.arrivals.interval_s) for r in script.seen if r.arrivals is not None} >= {1, 5}, "coarse ones too"
    assert len(script.heard) > 20
    assert max(now - newest for now, newest in script.heard) <= 1.0 + 1e-6


def test_what_is_decided_within_a_coarse_step_acts_within_it(monkeypatch):
    acted = []
    act = Run._act

    def noted(run: Run, orders: Orders) -> None:
        acted.append(run.world.now_s)
        act(run, orders)

    monkeypatch.setattr(Run, "_act", noted)
    _, script = scripted((10.0, Orders(move=(SMALL.tokens,))), (100.0, Orders(restore=(SMALL.tokens,))))
    step = next(r.arrivals for r in script.seen if r.arrivals is not None and r.arrivals.at_ms > (START_S + 100) * 1000)
    assert step.interval_s > 1, "the step that holds the decision is a coarse one, or was cut by it"
    assert 100.5 <= acted[1] <= 101.0


def test_names_are_forgiven_their_spelling_and_unknown_ones_get_the_nearest():
    assert scenario_named("One-Flood").name == "one_flood"
    with pytest.raises(UsageError, match="did you mean one_flood"):
        scenario_named("one_floods")
    with pytest.raises(UsageError, match="did you mean fairlane"):
        maker("fairlain")
    assert "none" in NAMES


def test_a_policy_is_checked_before_anything_is_played():
    with pytest.raises(ConfigError, match="guard_ratio"):
        maker("fairlane", {"guard_ratio": "0"})
    with pytest.raises(UsageError, match="has its own rule"):
        maker("none", {"guard_ratio": "4"})
    assert isinstance(maker("fairlane", {"guard_ratio": "4"}), Tuned)


@pytest.mark.parametrize(
    ("bad", "said"),
    [
        ({"slots": 20}, "20 slots cannot share 16 partitions"),
        ({"capacity": 0.0}, "capacity must be greater than 0"),
        ({"rate": float("nan")}, "rate must be"),
        ({"fine_s": 9.0}, "fine_s"),
        ({"act_least_s": 5.0}, "least"),
        ({"tokens": 10_000_000}, "take 3,125,000 tokens at most"),
        ({"rate": 1e9}, "more than the 1,000,000"),
    ],
    ids=[
        "more slots than partitions",
        "no capacity",
        "not a number",
        "steps",
        "delays",
        "too many tokens",
        "too many events",
    ],
)
def test_an_impossible_pipeline_is_refused(bad, said):
    with pytest.raises(UsageError, match=said):
        Settings(**bad)


def test_the_picture_is_the_same_each_time_and_marks_the_moves():
    result = play("one_flood", 1, Fairlane, replace(QUICK, hours=0.04))
    drawn = svg(result, 30.0)
    assert drawn == svg(result, 30.0)
    root = ET.fromstring(drawn)
    titles = [e.text for e in root.iter("{http://www.w3.org/2000/svg}title")]
    assert any(t and t.startswith("move flood") for t in titles)
