"""Step 9: did the move help?"""

from enum import StrEnum

from isolator.constants import Policy


class Effect(StrEnum):
    """What a move turned out to be."""

    PENDING = "pending"
    HELPED = "helped"
    NO_HELP = "no_help"
    """It did not help (or that cannot be told any more), but it is no wrong culprit either."""
    WRONG_CULPRIT = "wrong_culprit"


def verify(
    *,
    ticks: int,
    before: float,
    predicted: float,
    now: float,
    with_it_back: float,
    policy: Policy,
    comparable: bool = True,
    stopped: bool = False,
) -> Effect:
    """After 3 ticks rho must have dropped by half of the prediction. `before` to `with_it_back` are utilisations of the consumers of its partitions.

    If it has not, the token is a wrong culprit when it could be taken back safely: rho with it back is under 0.85, or it would add less than half of the
    drop that was promised (what was thought to be its load was not its own). A token that `stopped` by itself right after the move adds nothing either,
    which proves nothing; and over a rebalance (not `comparable`) rho before and after are of different consumers: neither is called wrong.
    """
    if ticks < policy.verify_ticks:
        return Effect.PENDING
    promised = before - predicted
    adds = with_it_back - now
    if not comparable:
        return Effect.HELPED if adds >= policy.verify_share * promised else Effect.NO_HELP
    if before - now >= policy.verify_share * promised:
        return Effect.HELPED
    if stopped:
        return Effect.NO_HELP
    if with_it_back < policy.restore_rho or adds < policy.verify_share * promised:
        return Effect.WRONG_CULPRIT
    return Effect.NO_HELP
