"""What an evaluation found: plain numbers, so that it can be stored, sent and shown."""

from dataclasses import asdict, dataclass
from typing import Any

import orjson

from slo.burn import Severity, State


@dataclass(frozen=True, slots=True)
class PairResult:
    """One row of the burn table. Burn rates are None without traffic, coverages None while nothing is due."""

    pair: str
    tier: str
    long_window: str
    short_window: str
    long_burn: float | None
    short_burn: float | None
    threshold: float
    state: State
    severity: Severity
    long_coverage: float | None = None
    short_coverage: float | None = None
    bad: int = 0
    total: int = 0
    """Bad and due events or seconds in the long window."""


@dataclass(frozen=True, slots=True)
class Evaluation:
    """One objective at one time. `since_ms` is when it came into its state and severity; ratios are of the rolling period."""

    slo: str
    pipeline: str
    population: str
    sli: str
    unit: str
    title: str
    target: float
    owner: str
    runbook: str
    window_days: int
    at_ms: int
    since_ms: int
    state: State
    severity: Severity
    pairs: tuple[PairResult, ...]
    """Worst first."""
    good: int
    total: int
    error_ratio: float | None
    budget_spent: float
    budget_left: float
    budget_s: float
    budget_left_s: float
    exhaustion_s: float | None
    """None: nothing burns. 0: spent."""
    observed_s: int
    """Observed seconds in the period; 0 is no data, which is not the same as no traffic (`total` 0)."""
    bad_minutes: int = 0
    """Minutes with bad events among the last five."""

    @property
    def worst(self) -> PairResult:
        """The row to show first."""
        return self.pairs[0]

    def encode(self) -> str:
        """As JSON."""
        return orjson.dumps(asdict(self)).decode()

    @staticmethod
    def decode(text: str) -> "Evaluation":
        """From JSON; unknown fields are ignored. Raises ValueError, KeyError or TypeError when it is not one."""
        return Evaluation(**_fields(Evaluation, orjson.loads(text)))


def _fields(cls: type[Evaluation] | type[PairResult], raw: dict[str, Any]) -> dict[str, Any]:
    known = {name: raw[name] for name in cls.__dataclass_fields__ if name in raw}
    known["state"], known["severity"] = State(known["state"]), Severity(known["severity"])
    if "pairs" in known:
        known["pairs"] = tuple(PairResult(**_fields(PairResult, pair)) for pair in known["pairs"])
    return known
