"""What the policy carries from tick to tick. Frozen; rebuilt from `fairlane.state` after a restart."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from ingestion.contracts.names import Lane
from ingestion.contracts.routes import Mode, Route
from isolator.baseline import Usual
from isolator.gate import History
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


@dataclass(frozen=True, slots=True)
class PolicyState:
    """Everything besides the observation that a decision depends on. `usual` must cover the observation's tokens."""

    mode: Mode
    usual: Usual
    routes: Mapping[str, Route] = field(default_factory=dict)
    marks: Marks = field(default_factory=dict)
    watches: Mapping[str, Watch] = field(default_factory=dict)
    hot: History = ()
    unexplained: int = 0
    """Ticks in a row with an overload that is nobody's."""
    said: Mapping[str, int] = field(default_factory=dict)
    """What was recorded without being done -> Unix ms, so that it is not repeated every tick."""

    def moved(self) -> dict[str, Route]:
        """Routes that point outside general now."""
        return {token: route for token, route in self.routes.items() if route.lane is not Lane.GENERAL}


def strikes(route: Route | None, at_ms: int, window_s: float) -> int:
    """How often the token was moved within the window before `at_ms`, a present move included."""
    if route is None:
        return 0
    since = at_ms - window_s * 1000
    past = sum(1 for h in route.history if h.lane is not Lane.GENERAL and h.until_ms > since)
    return past + (route.lane is not Lane.GENERAL)
