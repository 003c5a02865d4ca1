"""What the policy carries from tick to tick. Frozen; rebuilt from `fairlane.state` after a restart."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from ingestion.contracts.names import Lane
from ingestion.contracts.routes import Mode, Route
from isolator.baseline import Usual
from isolator.changes import Change
from isolator.gate import History
from isolator.interner import Bools
from isolator.marks import Marks
from isolator.verdict import Verdict


@dataclass(frozen=True, slots=True)
class Watch:
    """One moved token under observation."""

    verdict: Verdict | None = None
    """The move's verdict, updated by verification; None when it is no longer known."""
    calm_since_ms: int | None = None
    ticks: int = 0
    """Decisions since the move."""
    wrong: bool = False
    """Verified as a wrong culprit: comes back as soon as its lane lets it."""
    why_not: str = ""
    """What stood in the way of its return at the last tick, "" for nothing but time."""


@dataclass(frozen=True, slots=True)
class LimitWatch:
    """One token limited at capture under observation."""

    calm_since_ms: int | None = None
    ticks: int = 0
    """Decisions since the limit was set or tightened."""


@dataclass(frozen=True, slots=True)
class PolicyState:
    """Everything besides the observation that a decision depends on. `usual` must cover the observation's tokens."""

    mode: Mode
    usual: Usual
    routes: Mapping[str, Route] = field(default_factory=dict)
    marks: Marks = field(default_factory=dict)
    watches: Mapping[str, Watch] = field(default_factory=dict)
    limits: Mapping[str, LimitWatch] = field(default_factory=dict)
    changes: tuple[Change, ...] = ()
    """Change notes of the last day."""
    hot: History = ()
    over: History = ()
    unfinished: Bools | None = None
    """(partitions,) whose culprits were more than one tick may move: the next one goes on with them."""
    unexplained: int = 0
    """Ticks in a row with an overload that is nobody's."""
    said: Mapping[str, int] = field(default_factory=dict)
    """What was recorded without being done -> Unix ms, so that it is not repeated every tick."""

    def moved(self) -> dict[str, Route]:
        """Routes that point outside general now."""
        return {token: route for token, route in self.routes.items() if route.lane is not Lane.GENERAL}

    def limited(self) -> dict[str, Route]:
        """Routes of tokens that capture limits (until they are lifted, or end by themselves)."""
        return {token: route for token, route in self.routes.items() if route.limit_per_s is not None}


def strikes(route: Route | None, at_ms: int, window_s: float) -> int:
    """How often the token was moved away within the window before `at_ms`, a present absence included. From one side lane to another is the same absence."""
    if route is None:
        return 0
    since = at_ms - window_s * 1000
    lanes = [(h.lane, h.until_ms) for h in route.history if h.until_ms > since] + [(route.lane, at_ms)]
    return sum(
        lane is not Lane.GENERAL and (n == 0 or lanes[n - 1][0] is Lane.GENERAL) for n, (lane, _) in enumerate(lanes)
    )


def limit_strikes(route: Route, at_ms: int, window_s: float) -> int:
    """How often the token was limited within the window before `at_ms`, a present limit included."""
    return sum(at > at_ms - window_s * 1000 for at in route.limited_ms)
