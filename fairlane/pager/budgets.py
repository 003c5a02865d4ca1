"""The burn alerts, from the objectives' own evaluations: the same windows, factors and low-traffic rule as the Prometheus rules, from the database's slices."""

from collections.abc import Iterable
from typing import Final

from alerts import burn
from alerts.config import AlertSettings
from alerts.model import Alert, Tier
from alerts.rules import alerts
from fairlane.pager.finding import Finding, Round, key
from fairlane.pager.wording import filled
from slo.burn import Severity, State
from slo.evaluation import Evaluation

_NAMES: Final = {Severity.PAGE: burn.PAGE, Severity.TICKET: burn.TICKET}
ALERTS: Final = frozenset(_NAMES.values())
"""The burn alerts."""


def judge(evaluations: Iterable[Evaluation], settings: AlertSettings) -> Round:
    """Which objectives burn. A frozen one keeps the alert that it has: it neither fires nor ends."""
    known = {alert.name: alert for alert in alerts()}
    found: list[Finding] = []
    frozen: set[str] = set()
    for e in evaluations:
        if e.state is State.FROZEN:
            frozen |= {key(name, _labels(e)) for name in _NAMES.values()}
        elif e.severity in _NAMES:
            if e.severity is Severity.PAGE:
                # the page speaks for it: a ticket that stands goes on, none begins
                frozen.add(key(burn.TICKET, _labels(e)))
            found.append(_finding(e, known[_NAMES[e.severity]], settings))
    return Round(tuple(found), frozen.__contains__)


def _labels(e: Evaluation) -> tuple[tuple[str, str], ...]:
    """One alert an objective: its pairs of windows are named in the text."""
    return ("pipeline", e.pipeline), ("population", e.population), ("slo", e.slo)


def _finding(e: Evaluation, alert: Alert, settings: AlertSettings) -> Finding:
    body = alert.body(settings)["annotations"]
    worst = next((p for p in e.pairs if p.severity is e.severity), e.worst)
    values = {**dict(_labels(e)), "pair": worst.pair, "window": worst.long_window, "tier": str(alert.tier)}
    return Finding(
        alert.name,
        Tier(alert.tier),
        alert.area,
        _labels(e),
        filled(alert.summary, values, worst.long_burn or 0.0),
        filled(alert.description, values, worst.long_burn or 0.0),
        body["runbook_url"],
        body["dashboard_url"],
        settings.owner,
    )
