"""The capacity board, the "doomsday clock": which limit is reached first, and does that leave time to raise it. The list with owners is our page `/capacity`."""

from typing import Final

from dashboards.boards.common import PIPELINE, notes
from dashboards.panels import (
    GREEN,
    RED,
    YELLOW,
    Board,
    Column,
    Lead,
    Query,
    Row,
    Step,
    Variable,
    Words,
    bars,
    scarce,
    stat,
    states,
    steps,
    table,
    timeseries,
)
from dashboards.promql import highest, pick, rate, total
from ingestion.capture import metrics as capture
from ingestion.lanes import metrics as lanes
from ingestion.probe import metrics as probe
from isolator import metrics as isolator
from slo.capacity import metrics as m

UID = "fairlane-capacity"
DAY: Final = 86_400
_L: Final = 'limit=~"$limit"'
_STATES: Final[Words] = (("0", "ok", GREEN), ("1", "yellow", YELLOW), ("2", "red", RED), ("3", "unknown", YELLOW))
_PAGE: Final = Lead("The list with owners and projects", "/capacity")
_SLACK: Final = scarce(warn=30 * DAY, bad=0)
_COST: Final = (Step(GREEN), Step(YELLOW, 0.8), Step("orange", 1), Step(RED, 1.2))


def board() -> Board:
    """The board as a value."""
    return Board(
        UID,
        "Fairlane / Capacity",
        "How far each limit is used, when it is reached, and whether the time left is longer than raising it takes; then our own lanes, then cost.",
        (_clock(), _forecast(), _own(), _cost()),
        (PIPELINE, Variable("limit", "Limit", f"label_values({m.CURRENT.name}, limit)", multi=True)),
        notes("1h", "1h"),
        page="/capacity",
        since="now-30d",
        refresh="5m",
    )


def _level(level: str) -> str:
    return highest(m.LEVEL, "limit", where=(_L, f'level="{level}"'))


def _used() -> str:
    return f"max by (limit) ({pick(m.CURRENT, _L)}) / {_level('critical')}"


def _until(bound: str) -> str:
    return f"{highest(m.BREACH, 'limit', where=(_L, _bound(bound)))} - time()"


def _bound(name: str) -> str:
    return f'bound="{name}"'


def _clock() -> Row:
    state, slack = highest(m.STATE, "limit", where=(_L,)), f"min by (limit) ({pick(m.SLACK, _L)})"
    return Row(
        "Clock",
        (
            stat(
                "Red limits",
                "Is any limit reached before it can be raised?",
                "short",
                Query(f"sum({state} == bool 2)", "red"),
                thresholds=(Step(GREEN), Step(RED, 1)),
                width=4,
                leads=(_PAGE,),
            ),
            stat(
                "Yellow limits",
                "Where must work begin soon?",
                "short",
                Query(f"sum({state} == bool 1)", "yellow"),
                thresholds=(Step(GREEN), Step(YELLOW, 1)),
                width=4,
                leads=(_PAGE,),
            ),
            stat(
                "Limits without data",
                "Of how many limits is nothing known, so that no red and no yellow says little?",
                "short",
                Query(f"sum({state} == bool 3)", "no data"),
                thresholds=(Step(GREEN), Step(YELLOW, 1)),
                width=4,
                leads=(_PAGE,),
            ),
            stat(
                "Least slack",
                "How long may the most urgent project still wait? Negative: it is too late already.",
                "s",
                Query(f"bottomk(1, {slack})", "{{limit}}"),
                thresholds=_SLACK,
                leads=(_PAGE,),
            ),
            stat(
                "Last forecast",
                "Is the forecast fresh? It runs once an hour.",
                "s",
                Query(f"time() - max({pick(m.LAST_RUN)})", "ago"),
                thresholds=steps(warn=2 * 3_600, bad=DAY),
            ),
            table(
                "Limits",
                "Which limit is worst, who owns it, and which project raises it?",
                "short",
                Query(_joined(f"min by (limit) ({pick(m.SLACK, _L)})"), "{{limit}}"),
                Query(_joined(state), "{{limit}}"),
                Query(_joined(f"max by (limit) ({pick(m.CURRENT, _L)})"), "{{limit}}"),
                Query(_joined(_level("trigger")), "{{limit}}"),
                Query(_joined(_level("critical")), "{{limit}}"),
                Query(_joined(f"max by (limit) ({pick(m.LEAD_TIME, _L)})"), "{{limit}}"),
                Query(_joined(_until("likely")), "{{limit}}"),
                columns=(
                    Column("Slack", "s", _SLACK),
                    Column("State", "none", words=_STATES),
                    Column("Now"),
                    Column("Trigger"),
                    Column("Critical"),
                    Column("Lead time", "s"),
                    Column("Reached in", "s"),
                ),
                width=24,
                height=10,
                leads=(_PAGE,),
            ),
        ),
    )


def _joined(expr: str) -> str:
    """With owner, project and unit as labels, so that they become columns."""
    return f"({expr}) * on (limit) group_left (owner, project, unit) max by (limit, owner, project, unit) ({pick(m.INFO, _L)})"


def _forecast() -> Row:
    return Row(
        "Forecast",
        (
            timeseries(
                "Used share of critical",
                "How fast does each limit fill?",
                "percentunit",
                Query(_used(), "{{limit}}"),
                thresholds=steps(warn=0.8, bad=1),
            ),
            timeseries(
                "Slack over time",
                "Does the clock tick, or did a project push it back? At 0 work must begin.",
                "s",
                Query(f"min by (limit) ({pick(m.SLACK, _L)}) < +Inf", "{{limit}}"),
                thresholds=_SLACK,
            ),
            timeseries(
                "Reached in, with its interval",
                "How sure is the forecast? Early and late are the bounds of its 80 % interval.",
                "s",
                *(Query(f"{_until(b)} < +Inf", f"{{{{limit}}}} {b}") for b in ("early", "likely", "late")),
                thresholds=_SLACK,
            ),
            states(
                "State of the limits",
                "Since when is it yellow or red?",
                Query(highest(m.STATE, "limit", where=(_L,)), "{{limit}}"),
                words=_STATES,
            ),
            timeseries(
                "Age of the samples",
                "Is a limit's source still read? Without samples a forecast says nothing.",
                "s",
                Query(f"time() - {highest(m.SAMPLED, 'limit', where=(_L,))}", "{{limit}}"),
                thresholds=steps(warn=2 * 3_600, bad=2 * DAY),
            ),
            timeseries(
                "Failed readings",
                "Which source does not answer?",
                "short",
                Query(f"sum by (limit) (increase({pick(m.SAMPLE_ERRORS, _L)}[$__rate_interval]))", "{{limit}}"),
                thresholds=(Step(GREEN), Step(YELLOW, 1)),
            ),
        ),
    )


def _own() -> Row:
    side = ('lane!="general"',)
    drain = (
        f"{total(probe.LAG, 'pipeline', 'lane', where=side)}"
        f" / clamp_min(sum by (pipeline, lane) (deriv({pick(probe.COMMITTED, *side)}[$__rate_interval])), 0.001)"
    )
    return Row(
        "Our own lanes",
        (
            timeseries(
                "Utilisation of the busiest partition",
                "How near is a general partition to one worker's whole time? Over 1 it never catches up.",
                "percentunit",
                Query(highest(isolator.UTILISATION, "pipeline", "moved"), "{{pipeline}} {{moved}} the moved tokens"),
                thresholds=steps(warn=0.7, bad=1),
            ),
            timeseries(
                "Handler time by lane",
                "How many workers' whole time do handlers take?",
                "percentunit",
                Query(rate(lanes.BUSY, "pipeline", "lane"), "{{pipeline}} {{lane}}"),
            ),
            timeseries(
                "Side lanes drain in",
                "At this speed, when has a side lane worked off what stands in it? Promised are 15 minutes.",
                "s",
                Query(drain, "{{pipeline}} {{lane}}"),
                thresholds=steps(warn=600, bad=900),
            ),
            bars(
                "Fullest fence",
                "How near is a partition to refusing moves? It holds 180.",
                "short",
                Query(highest(lanes.FENCE_ENTRIES, "pipeline", "lane"), "{{pipeline}} {{lane}}"),
                thresholds=steps(warn=120, bad=180),
            ),
            timeseries(
                "Events and requests at the door",
                "How much comes in, and does it grow?",
                "ops",
                Query(rate(capture.EVENTS, "pipeline"), "{{pipeline}} events"),
                Query(rate(capture.REQUESTS, "pipeline"), "{{pipeline}} requests"),
            ),
            timeseries(
                "Telemetry the controller folds",
                "How much of one core does telemetry take?",
                "percentunit",
                Query(rate(isolator.FOLD_SECONDS, "pipeline"), "{{pipeline}}"),
                thresholds=steps(warn=0.5, bad=0.8),
            ),
        ),
    )


def _cost() -> Row:
    return Row(
        "Cost",
        (
            bars(
                "Spent of the month's budget",
                "How much of the month's money is gone? 80 % is told, 100 % is a ticket, 120 % is a stop.",
                "percentunit",
                Query(highest(m.COST_SPENT, "budget"), "{{budget}}"),
                thresholds=_COST,
            ),
            timeseries(
                "Forecast for the month",
                "Where does the month end at this pace?",
                "percentunit",
                Query(highest(m.COST_FORECAST, "budget"), "{{budget}}"),
                thresholds=_COST,
            ),
            timeseries(
                "Week on week",
                "Did anything become dearer by a fifth within a week?",
                "percentunit",
                Query(highest(m.COST_WEEK, "budget"), "{{budget}}"),
                thresholds=steps(warn=1.1, bad=1.2),
            ),
            table(
                "Budgets and owners",
                "Who answers for each budget?",
                "short",
                Query(f"max by (budget, owner, currency) ({pick(m.COST_INFO)})", "{{budget}}"),
                columns=(Column("Known", "none", words=(("1", "yes", GREEN),)),),
            ),
        ),
    )
