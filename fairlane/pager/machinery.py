"""The alerts on the machinery, judged here by the expressions that Prometheus would evaluate."""

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Final

from alerts.burn import PAGE, TICKET
from alerts.config import AlertSettings
from alerts.model import Alert, Tier
from alerts.rules import alerts
from fairlane.pager.finding import Finding, Round
from fairlane.pager.promql.evaluate import Moment
from fairlane.pager.promql.parse import parse
from fairlane.pager.promql.samples import Samples
from fairlane.pager.promql.syntax import Call, Expr, Select, walk
from fairlane.pager.wording import filled

_OTHERWISE: Final = frozenset({PAGE, TICKET})
"""Judged by the objectives' own evaluation, which keeps three days of minutes; the samples here are of minutes."""
_UNITS: Final = {"s": 1.0, "m": 60.0, "h": 3_600.0, "d": 86_400.0}


@dataclass(frozen=True, slots=True)
class Rule:
    """An alert, ready to be evaluated."""

    alert: Alert
    expr: Expr
    names: frozenset[str]
    """The metrics that it needs."""
    remembered: frozenset[str]
    """Those whose newest sample counts for a day, also after a restart."""
    reach_s: float
    """How far it looks back: with less than that known, nothing is said."""

    @property
    def hold_s(self) -> float:
        """How long it must hold before it fires."""
        return float(self.alert.hold[:-1]) * _UNITS[self.alert.hold[-1]]


def rules() -> tuple[Rule, ...]:
    """Every alert that needs no recorded series and is no heartbeat. Raises NotUnderstood for one that cannot be evaluated here."""
    return tuple(_rules())


def _rules() -> Iterator[Rule]:
    for alert in alerts():
        if alert.name in _OTHERWISE or alert.tier is Tier.HEARTBEAT:
            continue
        expr = parse(alert.expr)
        selects = [one for one in walk(expr) if isinstance(one, Select)]
        if any(":" in one.name for one in selects):
            # compares what only a Prometheus has recorded
            continue
        last = {one.arguments[0] for one in walk(expr) if isinstance(one, Call) and one.function == "last_over_time"}
        yield Rule(
            alert,
            expr,
            frozenset(one.name for one in selects),
            frozenset(one.name for one in selects if one in last),
            max(((one.range_s or 0.0) + one.offset_s for one in selects if one not in last), default=0.0),
        )


@dataclass(slots=True)
class Machinery:
    """Judges the rules, round by round. Remembers only since when each has held."""

    settings: AlertSettings
    rules: Sequence[Rule] = field(default_factory=rules)
    _since: dict[str, float] = field(default_factory=dict)

    def names(self) -> frozenset[str]:
        """The metrics that are needed."""
        return frozenset(name for rule in self.rules for name in rule.names)

    def remembered(self) -> frozenset[str]:
        """The metrics whose newest samples must survive a restart."""
        return frozenset(name for rule in self.rules for name in rule.remembered)

    def judge(self, samples: Samples, at: float, now: float, standing: Collection[str] = ()) -> Round:
        """What holds at `at` (the samples' clock), which is `now` in Unix seconds. What is `standing` (keys) need not hold anew after a restart."""
        moment, since, found = Moment(samples, at, now), dict[str, float](), list[Finding]()
        blind = {rule.alert.name for rule in self.rules if at - samples.began < rule.reach_s}
        for rule in self.rules:
            if rule.alert.name in blind:
                continue
            for labels, value in moment.vector(rule.expr).items():
                finding = self._finding(rule.alert, dict(labels), value)
                since[finding.key] = self._since.get(finding.key, at)
                if at - since[finding.key] >= rule.hold_s or finding.key in standing:
                    found.append(finding)
        self._since = since
        return Round(tuple(found), lambda name: name.partition("{")[0] in blind)

    def _finding(self, alert: Alert, labels: dict[str, str], value: float) -> Finding:
        body = alert.body(self.settings)["annotations"]
        return Finding(
            alert.name,
            alert.tier,
            alert.area,
            tuple(sorted(labels.items())),
            filled(alert.summary, labels, value),
            filled(alert.description, labels, value),
            body["runbook_url"],
            body["dashboard_url"],
            self.settings.owner,
        )
