"""What the report admits: violations, mutants that live, true workers that fail."""

from collections import Counter

import pytest

from tests.chaos.hunt import LIVE, Trial
from tests.chaos.plan import Kind
from tests.chaos.report import render, violations
from tests.chaos.run import Result

KILLED = Trial("early_return", "no-drain", "no check", 1.0, ("3 out of order", LIVE + "two committed owners: here"))
ALIVE = Trial("one_short", "off-by-one", "one early", 1.0, ())
PASSED = Trial("early_return", "", "the true worker", 1.0, ())
FAILED = Trial("one_short", "", "the true worker", 1.0, ("1 missing",), final=True)
NOTHING = Trial("held", "holds-one-key", "only the key", 1.0, ("not within 40 s: no",), crashed=True)


def page(*trials: Trial, result: Result | None = None) -> str:
    return render([result or Result(7, kafka="4.1.1")], trials, 60.0, "make chaos", "a machine")


def test_faults_and_violations_of_all_runs_are_counted() -> None:
    result = Result(7, kafka="4.1.1", faults=Counter({Kind.KILL: 3, Kind.BROKER: 1}), violations=["1 missing"])
    result.details["kill general at flushed"] = 3
    text = page(result=result)
    assert "| faults injected | 4 of 2 kinds" in text
    assert "not drained) | **1** |" in text
    assert "general at flushed 3 | 3 |" in text
    assert violations([result], []) == ["seed 7: 1 missing"]


def test_workers_that_ended_by_themselves_are_told() -> None:
    assert "by exit code | none |" in page()
    assert "by exit code | 1: 2, 75: 1 |" in page(result=Result(7, exits=Counter({1: 2, 75: 1})))


def test_a_mutant_that_lives_is_said_to_live() -> None:
    text = page(PASSED, KILLED, ALIVE)
    assert "**1 of 2**" in text
    assert "| off-by-one | one early | one_short | **not killed** (no violation) |" in text
    assert "| early_return | out of order; two committed owners |" in text
    assert violations([], [KILLED, ALIVE]) == ["off-by-one in one_short: no violation"]


def test_a_true_worker_that_fails_taints_the_kill() -> None:
    text = page(FAILED, ALIVE)
    assert "one_short (**the true worker fails it too**)" in text
    assert "the true worker passes | 0 of 1 |" in text


@pytest.mark.parametrize(
    ("trial", "expected"),
    [(KILLED, True), (ALIVE, False), (PASSED, True), (FAILED, False), (NOTHING, False)],
    ids=["killed", "alive", "passed", "failed", "showed-nothing"],
)
def test_a_trial_is_as_expected_only_when_it_showed_something(trial: Trial, expected: bool) -> None:
    assert trial.as_expected is expected
