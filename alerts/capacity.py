"""Alerts on what runs out and what it costs. Levels and lead times are series: their number does not grow with the number of limits."""

from collections.abc import Iterator
from typing import Final

from alerts.model import Alert, Group, Tier
from slo.capacity import metrics
from slo.capacity.cost import JUMP, SPENT, STOP, TOLD
from slo.catalogue import Metric

_HOLD: Final = "15m"


def groups(board: str) -> Iterator[Group]:
    """The group; `board` is the uid of the capacity board."""
    yield Group("fairlane-capacity", "1m", (*_limits(board), *_budgets(board)))


def _limits(board: str) -> Iterator[Alert]:
    state = _by("limit", metrics.STATE)
    yield Alert(
        "FairlaneCapacityTooLate",
        f"{_by('limit', metrics.SLACK)} < 0",
        Tier.TICKET,
        "capacity",
        "{{ $labels.limit }} is reached before it can be raised",
        "The forecast passes critical before the lead time is over, or critical is reached: the slack is {{ $value | humanizeDuration }}. "
        "Begin the project now, and slow down what fills it. `fairlane capacity` names project and owner.",
        board,
        hold=_HOLD,
    )
    yield Alert(
        "FairlaneCapacityYellow",
        f"{state} == 1",
        Tier.NOTIFY,
        "capacity",
        "Work on {{ $labels.limit }} must begin soon",
        "It is past its trigger, or the early end of its forecast comes before the lead time is over. Put its project on the plan with a date; `fairlane capacity` names it.",
        board,
        hold=_HOLD,
    )
    yield Alert(
        "FairlaneCapacityUnknown",
        f"{state} == 3\nand on (limit)\n{_by('limit', metrics.SAMPLED)} > 0",
        Tier.TICKET,
        "capacity",
        "Nobody knows how full {{ $labels.limit }} is",
        "It was measured before and has not been for two days, so its forecast says nothing. Look at its source: `fairlane capacity` says when it was read last.",
        board,
        hold=_HOLD,
    )


def _budgets(board: str) -> Iterator[Alert]:
    spent, ends, week = (
        _by("budget", metric) for metric in (metrics.COST_SPENT, metrics.COST_FORECAST, metrics.COST_WEEK)
    )
    yield Alert(
        "FairlaneCostNotice",
        f"{spent} >= {TOLD}\nor\n{ends} >= {SPENT:g}",
        Tier.NOTIFY,
        "cost",
        "The month's budget {{ $labels.budget }} is nearly spent, or will be overspent",
        "80 % is spent, or the month ends above its budget at the pace of the last seven days ({{ $value | humanizePercentage }}). Decide now what may wait.",
        board,
        hold=_HOLD,
    )
    yield Alert(
        "FairlaneCostOverspent",
        f"{spent} >= {SPENT:g}\nor\n{ends} >= {STOP}",
        Tier.TICKET,
        "cost",
        "The month's budget {{ $labels.budget }} is spent, or will be exceeded by a fifth",
        "At {{ $value | humanizePercentage }} of the month's budget. `fairlane capacity gate` is closed for it until somebody approves an exception.",
        board,
        hold=_HOLD,
    )
    yield Alert(
        "FairlaneCostRunaway",
        f"{spent} >= {STOP}",
        Tier.TICKET,
        "cost",
        "{{ $labels.budget }} has cost a fifth more than the month's budget already",
        "At {{ $value | humanizePercentage }} of the month's budget. Stop what is not needed, and tell whoever pays before the invoice does.",
        board,
        hold=_HOLD,
    )
    yield Alert(
        "FairlaneCostJump",
        f"{week} > {JUMP}",
        Tier.TICKET,
        "cost",
        "{{ $labels.budget }} became dearer by a fifth within a week",
        "The last seven days cost {{ $value | humanizePercentage }} of the seven before. Look for the change that did it: `fairlane change` notes stand on the board.",
        board,
        hold=_HOLD,
    )


def _by(label: str, metric: Metric) -> str:
    return f"max by ({label}) ({metric.name})"
