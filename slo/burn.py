"""Burn rates and what they mean: pure, exact, three-valued.

Burn rate = error ratio / (1 - target): at 1 the budget lasts exactly its period (Google SRE workbook, ch. 5).
"""

from dataclasses import dataclass, replace
from decimal import Decimal
from enum import StrEnum
from fractions import Fraction
from typing import Final

from slo.slices import EMPTY, Slice, coverage
from slo.windows import Pair, Tier

MIN_COVERAGE: Final = Fraction(9, 10)
"""Under this share of observed seconds a window neither fires nor resolves."""
RECENT_MINUTES: Final = 5
LONGEST_BACK_S: Final = 3_600
"""A page looks at the RECENT_MINUTES minutes before those that cannot have become bad yet, and so far back at most."""
MIN_BAD_MINUTES: Final = 2
"""A page needs bad events in this many of the last RECENT_MINUTES minutes ..."""
MIN_BAD: Final = 100
"""... and this many bad events (or seconds) in the long window; else it is a ticket."""


class State(StrEnum):
    """What is known of an objective."""

    OK = "ok"
    FIRING = "firing"
    FROZEN = "frozen"


class Severity(StrEnum):
    """How urgent it is."""

    NONE = "none"
    TICKET = "ticket"
    PAGE = "page"

    @property
    def rank(self) -> int:
        """0 none, 1 ticket, 2 page."""
        return _RANKS[self]


_RANKS: Final = {Severity.NONE: 0, Severity.TICKET: 1, Severity.PAGE: 2}


@dataclass(frozen=True, slots=True)
class WindowSum:
    """A rolling window: the sum of its slices, and how much of its due part (closed minutes since the objective exists) was observed."""

    slice: Slice = EMPTY
    due_observed_s: int = 0
    due_s: int = 0

    def later(self, seconds: int) -> "WindowSum":
        """The same, where minutes are due so many seconds later."""
        return replace(self, due_s=max(self.due_s - seconds, 0)) if seconds else self

    def less(self, newest: "WindowSum") -> "WindowSum":
        """The counts without its newest part; that it was observed still tells no data from no traffic. Raises ValueError when that is no part of it."""
        whole, part = self.slice, newest.slice
        return WindowSum(
            Slice(
                whole.good - part.good,
                whole.total - part.total,
                whole.expected - part.expected,
                whole.observed,
            ),
            self.due_observed_s - newest.due_observed_s,
            self.due_s - newest.due_s,
        )

    @property
    def coverage(self) -> Fraction | None:
        """Share of the due seconds that were observed; None when none are due yet."""
        return coverage(self.due_observed_s, self.due_s)

    @property
    def frozen(self) -> bool:
        """Too little is known: coverage under MIN_COVERAGE, or nothing due yet and nothing seen either."""
        share = self.coverage
        return share < MIN_COVERAGE if share is not None else not (self.slice.total or self.slice.observed)


def burn_rate(part: Slice, target: Decimal) -> Fraction | None:
    """Error ratio over what the target allows, exactly; None when nothing was due."""
    ratio = part.error_ratio
    return None if ratio is None else ratio / (1 - Fraction(target))


@dataclass(frozen=True, slots=True)
class PairReading:
    """One pair at one time: both burn rates (None: no traffic) and what follows."""

    pair: Pair
    long: Fraction | None
    short: Fraction | None
    state: State
    severity: Severity

    @property
    def agreed(self) -> Fraction:
        """The burn rate that both windows agree on: the lower of the two, 0 without traffic."""
        return min(self.long or Fraction(0), self.short or Fraction(0))


def judge(
    pair: Pair,
    target: Decimal,
    long: WindowSum,
    short: WindowSum,
    bad_minutes: int,
    held: Severity = Severity.NONE,
    *,
    partly_frozen: bool = False,
) -> PairReading:
    """Is the pair firing, and how urgently?

    `bad_minutes` of the last RECENT_MINUTES had bad events. `held` is the severity that the pair had before: a frozen pair keeps it. Where another pair of the
    objective is frozen (`partly_frozen`) the newest minutes are missing, and no bad ones among them do not make a ticket of a page.
    """
    burns = burn_rate(long.slice, target), burn_rate(short.slice, target)
    if long.frozen or short.frozen:
        return PairReading(pair, *burns, State.FROZEN, held)
    if any(burn is None or burn <= pair.factor for burn in burns):
        return PairReading(pair, *burns, State.OK, Severity.NONE)
    urgent = pair.tier is Tier.PAGE and bad_minutes >= MIN_BAD_MINUTES and long.slice.bad >= MIN_BAD
    urgent = urgent or (partly_frozen and held is Severity.PAGE)
    return PairReading(pair, *burns, State.FIRING, Severity.PAGE if urgent else Severity.TICKET)


def overall(readings: list[PairReading]) -> tuple[State, Severity]:
    """An objective fires when any pair does, and is else frozen when any pair is; the highest severity counts."""
    states = {reading.state for reading in readings}
    state = next((s for s in (State.FIRING, State.FROZEN) if s in states), State.OK)
    return state, max((reading.severity for reading in readings), key=lambda s: s.rank, default=Severity.NONE)


def exhaustion_s(left: Fraction, burn: Fraction, period_s: int) -> float | None:
    """Seconds until the budget is spent: left * period / burn. 0 when it is spent already, None when nothing burns."""
    if left <= 0:
        return 0.0
    return float(left * period_s / burn) if burn > 0 else None
