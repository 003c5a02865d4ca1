"""What a culprit was taken for is read from the isolator's records, not from what the scene made of it."""

import pytest

from fairlane.demo.culprits import diagnosed, judged, sentence
from fairlane.demo.watch import Move
from ingestion.contracts.names import Lane
from isolator.verdict import Reason, Verdict, VerdictKind

START_MS = 1_700_000_000_000


def verdict(reason: Reason = Reason.NOISY_TENANT, cost_s: float = 0.001, usual_s: float = 0.001) -> Verdict:
    return Verdict(
        "1", "events", "t", VerdictKind.MOVE, reason, START_MS, cost_s=cost_s, baseline_cost_s=usual_s,
        target=Lane.OVERFLOW,
    )  # fmt: skip


@pytest.mark.parametrize(
    ("seen", "is_a"),
    [
        (verdict(Reason.HUNG, cost_s=9.0), "hung"),
        (verdict(Reason.FAILING), "failing"),
        (verdict(cost_s=0.0031), "slow"),
        (verdict(cost_s=0.0029), "flood"),
        (verdict(cost_s=0.5, usual_s=0.0), "flood"),
    ],
    ids=["hung", "failing", "costly", "no costlier than usual", "without a baseline of its cost"],
)
def test_evidence_tells_them_apart(seen: Verdict, is_a: str) -> None:
    assert diagnosed(seen) == is_a


def test_the_first_move_out_of_general_counts() -> None:
    moves = [
        Move("other", Lane.GENERAL, Lane.OVERFLOW, "no", START_MS),
        Move("t", Lane.GENERAL, Lane.QUARANTINE, "hung", START_MS + 2_500),
        Move("t", Lane.QUARANTINE, Lane.GENERAL, "calm", START_MS + 60_000),
    ]
    found = judged("t", "hung", moves, [verdict(Reason.HUNG)], START_MS, dead=1)
    assert (found.diagnosed, found.moved_to, found.moved_s, found.why) == ("hung", "quarantine", 2.5, "hung")
    assert (
        sentence(found)
        == "t, hung: taken for hung, moved to quarantine after 2.5 s; 1 of its events ended as a dead letter"
    )


def test_who_was_not_moved_is_said_to_be_so() -> None:
    found = judged("t", "slow", [], [], START_MS, dead=0)
    assert (found.diagnosed, found.moved_to, found.moved_s) == (None, None, None)
    assert "was not moved" in sentence(found)
