"""Makers of what the pager's tests need."""

from alerts.model import Tier
from fairlane.pager.finding import Finding, Round
from slo.burn import Severity, State
from slo.evaluation import Evaluation, PairResult


def finding(alert: str = "FairlaneDeadLetters", tier: Tier = Tier.PAGE, area: str = "data", **labels: str) -> Finding:
    labels = labels or {"pipeline": "events"}
    return Finding(
        alert,
        tier,
        area,
        tuple(sorted(labels.items())),
        f"{alert} holds",
        "Something is wrong; do something.",
        f"http://docs.example/{alert}",
        "http://grafana.example/d/x",
        "streams",
    )


def found(*findings: Finding, frozen: bool = False) -> Round:
    return Round(findings, lambda _: frozen)


def evaluation(
    severity: Severity = Severity.NONE, state: State | None = None, slo: str = "events-freshness-all", at_ms: int = 0
) -> Evaluation:
    state = state or (State.OK if severity is Severity.NONE else State.FIRING)
    pair = PairResult("1h/5m", "page", "1h", "5m", 20.0, 30.0, 14.4, state, severity, 1.0, 1.0, 500, 10_000)
    return Evaluation(
        slo, "events", "all", "freshness", "events", "Events visible", 0.999, "streams", "", 30, at_ms, at_ms, state, severity,
        (pair,), 9_500, 10_000, 0.05, 0.5, 0.5, 2_592.0, 1_296.0, None, 3_600, 3,
    )  # fmt: skip
