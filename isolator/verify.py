"""Step 9: did the move help?"""

from enum import StrEnum

from isolator.constants import Policy


class Effect(StrEnum):
    """What a move turned out to be."""

    PENDING = "pending"
    HELPED = "helped"
    NO_HELP = "no_help"
    """It did not help, but taking it back now would hurt."""
    WRONG_CULPRIT = "wrong_culprit"


def verify(*, ticks: int, before: float, predicted: float, now: float, with_it_back: float, policy: Policy) -> Effect:
    """After 3 ticks rho must have dropped by half of the prediction. All arguments but `ticks` are utilisations of the consumer.

    If it has not, the token is a wrong culprit when it could be taken back safely: rho with it back is under 0.85, or it would add less than half of the
    drop that was promised (what was thought to be its load was not its own).
    """
    if ticks < policy.verify_ticks:
        return Effect.PENDING
    promised = before - predicted
    if before - now >= policy.verify_share * promised:
        return Effect.HELPED
    adds = with_it_back - now
    if with_it_back < policy.restore_rho or adds < policy.verify_share * promised:
        return Effect.WRONG_CULPRIT
    return Effect.NO_HELP
