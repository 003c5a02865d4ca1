"""Alert windows as data: pairs of a long and a short rolling window, and the burn rate that both must exceed.

The long window makes a page mean something, the short one makes it end soon. Google SRE workbook, ch. 5, "Multiwindow, Multi-Burn-Rate Alerts".
"""

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from enum import StrEnum
from fractions import Fraction
from functools import cache
from typing import Final

from slo.errors import ConfigError
from slo.slices import SLICE_S

MINUTE: Final = 60
HOUR: Final = 3_600
DAY: Final = 86_400


class Tier(StrEnum):
    """How urgent a pair is at most."""

    PAGE = "page"
    TICKET = "ticket"


@dataclass(frozen=True, slots=True)
class Pair:
    """One alert condition: fires while the burn rates of both windows (seconds) are above `factor`."""

    long_s: int
    short_s: int
    factor: Fraction
    tier: Tier

    @property
    def name(self) -> str:
        """Such as `1h/5m`: the label `pair`."""
        return f"{window_name(self.long_s)}/{window_name(self.short_s)}"


@dataclass(frozen=True, slots=True)
class Share:
    """A pair as the workbook states it: fire when `share` of the period's budget is spent within the long window."""

    long_s: int
    short_s: int
    share: Decimal
    tier: Tier

    def pair(self, period_s: int) -> Pair:
        """Its factor in a period: share * period / long window; 2 % of 30 days in an hour is 14.4."""
        return Pair(self.long_s, self.short_s, Fraction(self.share) * period_s / self.long_s, self.tier)


GOOGLE_MWMB: Final = (
    Share(HOUR, 5 * MINUTE, Decimal("0.02"), Tier.PAGE),
    Share(6 * HOUR, 30 * MINUTE, Decimal("0.05"), Tier.PAGE),
    Share(DAY, 2 * HOUR, Decimal("0.1"), Tier.TICKET),
    Share(3 * DAY, 6 * HOUR, Decimal("0.1"), Tier.TICKET),
)
FAST_SLOW: Final = (
    Pair(HOUR, 5 * MINUTE, Fraction(10), Tier.PAGE),
    Pair(6 * HOUR, HOUR, Fraction(2), Tier.TICKET),
)
PRESETS: Final = ("google-mwmb", "fast-slow")


@cache
def preset(name: str, window_days: int) -> tuple[Pair, ...]:
    """The pairs of a named preset for an objective over `window_days`. Raises ConfigError for an unknown name."""
    if name == "google-mwmb":
        return tuple(share.pair(window_days * DAY) for share in GOOGLE_MWMB)
    if name == "fast-slow":
        return FAST_SLOW
    raise ConfigError(f"windows: there is no preset '{name}'; choose one of {', '.join(PRESETS)}")


def check(pairs: Sequence[Pair], target: Decimal, slice_s: int = SLICE_S) -> None:
    """Refuse what could never fire, or would fire on noise.

    Raises ConfigError, with the reason, for a target outside (0, 1), a factor that no burn rate can exceed, a short window under two slices, a short
    window that is not shorter than the long one, and two pairs of one name.
    """
    if target == 1:
        raise ConfigError(
            "target: 100 % leaves no error budget, so the first bad event would page for ever; choose one below 1, such as 0.999"
        )
    if not 0 < target < 1:
        raise ConfigError(f"target: must lie between 0 and 1, such as 0.999, not {target}")
    highest = 1 / (1 - Fraction(target))
    for pair in pairs:
        where = f"windows: pair {pair.name}"
        if pair.factor <= 0:
            raise ConfigError(f"{where}: the factor must be above 0, not {show(pair.factor)}")
        if pair.factor >= highest:
            raise ConfigError(
                f"{where}: factor {show(pair.factor)} can never be exceeded, because at target {target} even a total outage burns at "
                f"1/(1 - target) = {show(highest)}; lower the factor or raise the target"
            )
        if pair.short_s < 2 * slice_s:
            raise ConfigError(
                f"{where}: the short window of {pair.short_s} s holds less than two slices of {slice_s} s, so one slice decides alone; "
                f"make it {2 * slice_s} s or longer"
            )
        if pair.short_s >= pair.long_s:
            raise ConfigError(f"{where}: the short window must be shorter than the long one")
    names = [pair.name for pair in pairs]
    if len(set(names)) < len(names) or not names:
        raise ConfigError(f"windows: one or more pairs with different names are needed, not [{', '.join(names)}]")


def window_name(seconds: int) -> str:
    """The label `window`: the largest unit that divides, such as `5m`, `1h`, `3d`."""
    for size, unit in ((DAY, "d"), (HOUR, "h"), (MINUTE, "m")):
        if seconds % size == 0:
            return f"{seconds // size}{unit}"
    return f"{seconds}s"


def show(value: Fraction) -> str:
    """A factor for people: `14.4`, `1000`."""
    return f"{float(value):.6g}"
