"""Step 7: how many tokens may be moved without asking anybody."""

import math
from dataclasses import dataclass

from isolator.constants import Policy


@dataclass(frozen=True, slots=True)
class Budget:
    """What is left in this tick."""

    tokens: int
    """more tokens that may be away"""
    this_tick: int
    traffic: float
    """more baseline traffic that may be away, as a share"""

    def take(self, traffic: float) -> "Budget | None":
        """What is left after one more move with this share of the baseline traffic; None when it is not allowed."""
        if self.tokens < 1 or self.this_tick < 1 or traffic > self.traffic:
            return None
        return Budget(self.tokens - 1, self.this_tick - 1, self.traffic - traffic)

    def refusal(self, traffic: float) -> str:
        """Why `take` says no, "" when it would not. Waiting for the next tick is not a refusal."""
        if self.tokens < 1:
            return "the budget of moved tokens is used up"
        if traffic > self.traffic:
            return "the moved tokens would make up too much of the usual traffic"
        return ""


def budget(active_tokens: int, moved_tokens: int, moved_traffic: float, policy: Policy) -> Budget:
    """moved <= max(3, 0.01 % of the active tokens) and <= 10 % of the baseline traffic; new moves a tick <= max(1, 20 % of it)."""
    most = max(policy.budget_min, math.floor(policy.budget_tokens * active_tokens))
    return Budget(
        tokens=max(most - moved_tokens, 0),
        this_tick=max(1, math.floor(policy.budget_tick_share * most)),
        traffic=max(policy.budget_traffic - moved_traffic, 0.0),
    )
