"""Stages of a budget, and who may change things in which."""

from dataclasses import replace

import pytest
from sqlalchemy import Engine

from slo.budget_policy import Stage, Waiver, gate, stage
from slo.burn import Severity, State
from slo.errors import NotFound, UsageError
from slo.evaluation import Evaluation
from slo.waivers import LONGEST_S, Waivers

NOW = 1_700_000_000_000
HOUR = 3_600_000


def evaluation(left: float, name: str = "a", observed: int = 60) -> Evaluation:
    return Evaluation(
        name, "p", "all", "lag", "seconds", "", 0.999, "", "", 30, NOW, NOW, State.OK, Severity.NONE, (), 0, 0, None,
        1 - left, left, 2592.0, left * 2592, None, observed,
    )  # fmt: skip


@pytest.mark.parametrize(
    ("left", "expected"),
    [(1, "healthy"), (0.501, "healthy"), (0.5, "caution"), (0.36, "caution"), (0.35, "warning"), (0.25, "warning"), (0.2499, "freeze"), (0, "freeze"), (-3, "freeze")],
)  # fmt: skip
def test_a_stage_follows_from_what_is_left(left: float, expected: str) -> None:
    assert stage(left) is Stage(expected)


def test_the_gate_is_closed_by_one_frozen_budget_and_names_it_first() -> None:
    answer = gate([evaluation(0.9, "fine"), evaluation(0.1, "spent"), evaluation(0.3, "low")], (), NOW)
    assert not answer.open
    assert (answer.stage, [j.slo for j in answer.judgements]) == (Stage.FREEZE, ["spent", "low", "fine"])


def test_a_low_budget_warns_and_does_not_close() -> None:
    assert gate([evaluation(0.26)], (), NOW).open


def test_what_was_never_observed_neither_allows_nor_forbids() -> None:
    answer = gate([evaluation(-1, observed=0)], (), NOW)
    assert answer.open
    assert answer.stage is Stage.UNKNOWN


WAIVER = Waiver("1", "a", "Ada", "the fix itself", NOW - HOUR, NOW + HOUR)


@pytest.mark.parametrize(
    ("name", "waiver", "open_"),
    [
        ("one that holds", WAIVER, True),
        ("one for everything", replace(WAIVER, slo=""), True),
        ("one of another objective", replace(WAIVER, slo="b"), False),
        ("one that is over", replace(WAIVER, expires_ms=NOW), False),
        ("one that has not begun", replace(WAIVER, since_ms=NOW + 1), False),
        ("one that was taken back", replace(WAIVER, revoked_ms=NOW - 1), False),
    ],
)
def test_an_exception_opens_the_gate_only_while_it_holds(name: str, waiver: Waiver, open_: bool) -> None:
    assert gate([evaluation(0.1)], (waiver,), NOW).open is open_


def test_exceptions_are_kept_when_they_are_over(engine: Engine) -> None:
    kept = Waivers(engine)
    kept.grant(WAIVER)
    kept.revoke("1", NOW)
    assert kept.all() == [replace(WAIVER, revoked_ms=NOW)]
    with pytest.raises(NotFound):
        kept.revoke("1", NOW)


@pytest.mark.parametrize(
    "waiver",
    [replace(WAIVER, by=" "), replace(WAIVER, reason=""), replace(WAIVER, expires_ms=WAIVER.since_ms), replace(WAIVER, expires_ms=WAIVER.since_ms + LONGEST_S * 1000 + 1)],
    ids=["nobody approved it", "no reason", "no time", "too long"],
)  # fmt: skip
def test_an_exception_without_approver_reason_or_end_is_refused(engine: Engine, waiver: Waiver) -> None:
    with pytest.raises(UsageError):
        Waivers(engine).grant(waiver)
