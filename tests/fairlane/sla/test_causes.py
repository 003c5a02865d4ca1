"""Causes: sentences that name nobody."""

import pytest
from sqlalchemy import Engine

from fairlane.schema import VERDICTS
from fairlane.sla.causes import UNKNOWN, Decision, Decisions, cause, moved_tokens, of
from isolator.verdict import Reason, VerdictKind

T = 1_792_584_120


def one(after_s: float, token: str = "a", kind: VerdictKind = VerdictKind.MOVE, why: Reason = Reason.NOISY_TENANT):
    return Decision(f"id-{after_s}", token, kind, why, int((T + after_s) * 1000))


@pytest.mark.parametrize(
    ("decisions", "says"),
    [
        ([], UNKNOWN),
        ([one(9)], "One tenant's load; moved within a minute."),
        ([one(200), one(230, "b")], "2 tenants' load; the first moved after 3 min."),
        ([one(9, kind=VerdictKind.LIMIT, why=Reason.CHEAP)], "One tenant's load; limited within a minute."),
        ([one(9, "", VerdictKind.ALERT, Reason.CAPACITY)], "More load than the workers could do."),
        ([one(9, why=Reason.HUNG)], "A record hung its handler. One tenant's load; moved within a minute."),
    ],
    ids=["nothing", "one", "two", "limited", "nobody's fault", "hung"],
)
def test_the_sentence(decisions: list[Decision], says: str) -> None:
    assert cause(decisions, T) == says


def test_decisions_shortly_before_and_within_belong_to_a_stretch() -> None:
    some = [one(-301), one(-299), one(0), one(59), one(60)]
    assert of(some, T, T + 60) == some[1:4]


def test_tokens_are_counted_once() -> None:
    assert moved_tokens([one(1), one(2), one(3, "b"), one(4, "c", VerdictKind.ALERT)]) == 2


def test_what_is_no_verdict_is_left_out(engine: Engine) -> None:
    with engine.begin() as conn:
        conn.execute(VERDICTS.insert().values(id="x", pipeline="p", token="a", kind="move", at_ms=T * 1000, body="{}"))
    assert Decisions(engine, "p").between(T, T + 1) == []
