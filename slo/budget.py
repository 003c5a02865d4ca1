"""The error budget: what the target allows to go wrong in its period, and how much of it is spent."""

from dataclasses import dataclass
from decimal import Decimal
from fractions import Fraction

from slo.burn import burn_rate
from slo.slices import Slice


@dataclass(frozen=True, slots=True)
class Budget:
    """`spent` + `left` = 1, exactly; overspent means `left` < 0. As time they are seconds of full outage."""

    target: Decimal
    period_s: int
    spent: Fraction

    @property
    def left(self) -> Fraction:
        """What is left, as a share."""
        return 1 - self.spent

    @property
    def whole_s(self) -> float:
        """The whole budget: 43.2 minutes for 99.9 % of 30 days."""
        return float((1 - Fraction(self.target)) * self.period_s)

    @property
    def spent_s(self) -> float:
        """What is spent, as time."""
        return float(self.spent) * self.whole_s

    @property
    def left_s(self) -> float:
        """What is left, as time; negative when overspent."""
        return float(self.left) * self.whole_s


def budget(part: Slice, target: Decimal, period_s: int, elapsed_s: float) -> Budget:
    """The budget after `part`, the sum of the last period's slices.

    Spent = burn rate * elapsed / period: the share that the burn rate of the part that exists has used up. `elapsed_s` is how long the objective has
    existed (at most the period counts), so that a bad first minute spends a minute of the budget and not a hundred budgets. Once it is older than
    the period this is the textbook's bad / (total * (1 - target)).
    """
    burn = burn_rate(part, target) or Fraction(0)
    share = Fraction(int(max(0.0, min(elapsed_s, period_s))), period_s)
    return Budget(target, period_s, burn * share)
