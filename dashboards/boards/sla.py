"""The SLA board: what was promised, what was kept, and whether the numbers can be believed. The report itself is our page `/sla`."""

from dashboards.boards.common import OBJECTIVE, OF_SLO, OF_SLO_ROW, PIPELINE, STATES, notes
from dashboards.panels import (
    GREEN,
    RED,
    YELLOW,
    Board,
    Column,
    Query,
    Row,
    Step,
    scarce,
    stat,
    states,
    steps,
    table,
    timeseries,
)
from dashboards.promql import S, highest, pick
from dashboards.recorded import ERRORS
from ingestion.capture import metrics as capture
from slo import metrics as slo
from slo.catalogue import Metric

UID = "fairlane-sla"
_BY = ("slo", "pipeline", "population")
_ACHIEVED = "1 - (1 - {left}) * (1 - {target})"
_REFUSED = 'outcome!="accepted"'
_WINDOW = 'window="1d"'


def board() -> Board:
    """The board as a value."""
    return Board(
        UID,
        "Fairlane / SLA",
        "Promises of the running period: kept or not, what is left of each budget, and how complete the data is. Signed months are on the SLA page.",
        (_kept(), _budgets(), _populations(), _data()),
        (PIPELINE, OBJECTIVE),
        notes("1h", "1h"),
        page="/sla",
        since="now-30d",
        refresh="5m",
    )


def _achieved(*where: str) -> str:
    """Good share of the objective's period, from what is left of its budget: as exact as the budget, and it reads two series instead of a month."""
    left, target = (highest(metric, *_BY, where=(S, *where)) for metric in (slo.BUDGET_LEFT, slo.TARGET))
    return _ACHIEVED.format(left=left, target=target)


def _kept() -> Row:
    kept = f"{_achieved()} >= bool {highest(slo.TARGET, *_BY, where=(S,))}"
    return Row(
        "Kept or not",
        (
            stat(
                "Promises kept",
                "Of how many objectives is the period still within its budget?",
                "short",
                Query(f"sum({kept})", "kept"),
            ),
            stat(
                "Promises broken",
                "Of how many is the budget overspent?",
                "short",
                Query(f"sum(1 - ({kept}))", "broken"),
                thresholds=(Step(GREEN), Step(RED, 1)),
            ),
            stat(
                "Least budget left",
                "Which promise is nearest to breaking?",
                "percentunit",
                Query(f"bottomk(1, {highest(slo.BUDGET_LEFT, 'slo', where=(S,))})", "{{slo}}"),
                thresholds=scarce(warn=0.5, bad=0.25),
            ),
            stat(
                "Moved share of the traffic",
                "How much of the traffic was not counted as protected in the last hour?",
                "percentunit",
                Query(highest(slo.MOVED_RATIO, "pipeline"), "{{pipeline}}"),
                thresholds=steps(warn=0.05, bad=0.1),
            ),
            table(
                "Promise against achieved",
                "What was promised in the objective's period, what was kept, and what may still go wrong?",
                "short",
                Query(highest(slo.TARGET, *_BY, where=(S,)), "{{slo}}"),
                Query(_achieved(), "{{slo}}"),
                Query(highest(slo.BUDGET_LEFT, *_BY, where=(S,)), "{{slo}}"),
                Query(highest(slo.BUDGET_LEFT_SECONDS, *_BY, where=(S,)), "{{slo}}"),
                columns=(
                    Column("Promise", "percentunit", decimals=3),
                    Column("Achieved", "percentunit", decimals=3),
                    Column("Budget left", "percentunit", scarce(warn=0.5, bad=0.25)),
                    Column("Left, as time", "s"),
                ),
                width=24,
                height=9,
                leads=(OF_SLO_ROW,),
            ),
        ),
    )


def _budgets() -> Row:
    return Row(
        "Budgets",
        (
            timeseries(
                "Budget left",
                "When was it spent: in one incident, or a little every day? Under 25 % changes are frozen.",
                "percentunit",
                Query(highest(slo.BUDGET_LEFT, "slo", where=(S,)), "{{slo}}"),
                thresholds=scarce(warn=0.5, bad=0.25),
                leads=(OF_SLO,),
            ),
            timeseries(
                "Budget left as time of full outage",
                "How long may everything be down before the promise is broken?",
                "s",
                Query(highest(slo.BUDGET_LEFT_SECONDS, "slo", where=(S,)), "{{slo}}"),
                thresholds=(Step(RED), Step(GREEN, 60)),
                leads=(OF_SLO,),
            ),
            timeseries(
                "Error ratio of the day before",
                "Which were the bad days?",
                "percentunit",
                Query(f"max by (slo) ({pick(ERRORS, S, _WINDOW)})", "{{slo}}"),
                leads=(OF_SLO,),
            ),
            states(
                "State",
                "When did it burn, and when was it unknown?",
                Query(highest(slo.STATE, "slo", where=(S,)), "{{slo}}"),
                words=STATES,
                leads=(OF_SLO,),
            ),
        ),
    )


def _populations() -> Row:
    return Row(
        "Who it was kept for",
        (
            timeseries(
                "Achieved by population",
                "Is `protected` better than `all`, as isolation promises, and how do the moved fare?",
                "percentunit",
                Query(_achieved('population=~"all|protected|moved"'), "{{slo}} {{population}}"),
                leads=(OF_SLO,),
            ),
            timeseries(
                "Events that counted",
                "How many events does each promise speak of? Few events make a loud ratio.",
                "ops",
                Query(
                    f"clamp_min(sum by (slo) (rate({pick(slo.EXPECTED, S)}[$__rate_interval]))"
                    f" - sum by (slo) (rate({pick(slo.REVISIONS, S)}[$__rate_interval])), 0)",
                    "{{slo}}",
                ),
            ),
            timeseries(
                "Bad events",
                "How many events, or seconds of a time-slice objective, broke the promise?",
                "ops",
                Query(
                    f"clamp_min(sum by (slo) (rate({pick(slo.EXPECTED, S)}[$__rate_interval]))"
                    f" - sum by (slo) (rate({pick(slo.GOOD, S)}[$__rate_interval])), 0)",
                    "{{slo}}",
                ),
                leads=(OF_SLO,),
            ),
            timeseries(
                "Refused at the door",
                "What did clients lose that no freshness objective counts?",
                "ops",
                Query(
                    f"sum by (pipeline, outcome) (rate({pick(capture.EVENTS, _REFUSED)}[$__rate_interval]))",
                    "{{pipeline}} {{outcome}}",
                ),
            ),
        ),
    )


def _data() -> Row:
    return Row(
        "Can it be believed",
        (
            timeseries(
                "Observed share of the time",
                "Was somebody looking all the time? What was not observed is not counted as good.",
                "percentunit",
                Query(f"sum by (slo) (rate({pick(slo.OBSERVED, S)}[$__rate_interval]))", "{{slo}}"),
                thresholds=scarce(warn=0.99, bad=0.9),
            ),
            timeseries(
                "Late and strange data",
                "Were closed minutes revised, events too late to count, or without a capture time?",
                "short",
                Query(_increase(slo.REVISED), "{{pipeline}} slices revised"),
                Query(_increase(slo.TOO_LATE), "{{pipeline}} events too late"),
                Query(_increase(slo.SKEWED), "{{pipeline}} events with a wrong clock"),
                Query(_increase(slo.UNREADABLE), "{{pipeline}} unreadable messages"),
            ),
            timeseries(
                "Sources and jobs that failed",
                "Did a reading, a booking or an evaluation fail, so that minutes are missing?",
                "short",
                Query(f"sum by (slo) (increase({pick(slo.SOURCE_ERRORS, S)}[$__rate_interval]))", "{{slo}} source"),
                Query(f"sum by (job) (increase({pick(slo.JOB_ERRORS)}[$__rate_interval]))", "{{job}} failed"),
                Query(f"sum by (job) (increase({pick(slo.JOB_MISSED)}[$__rate_interval]))", "{{job}} missed"),
                Query(_increase(slo.BOOKING_ERRORS), "{{pipeline}} booking"),
                thresholds=(Step(GREEN), Step(YELLOW, 1)),
            ),
            timeseries(
                "Data quality against its limits",
                "Which event type is not as it should be: volume, nulls, duplicates, late, invalid? Over 1 it is a finding.",
                "short",
                Query(
                    f"max by (pipeline, type, signal) ({pick(slo.QUALITY)})"
                    f" / on (signal) group_left () max by (signal) ({pick(slo.QUALITY_LIMIT)})",
                    "{{pipeline}} {{type}} {{signal}}",
                ),
                thresholds=(Step(GREEN), Step(RED, 1)),
            ),
            timeseries(
                "Telemetry booked",
                "Does every kind of telemetry arrive?",
                "ops",
                Query(f"sum by (pipeline, kind) (rate({pick(slo.BOOKED)}[$__rate_interval]))", "{{pipeline}} {{kind}}"),
            ),
        ),
    )


def _increase(metric: Metric) -> str:
    return f"sum by (pipeline) (increase({pick(metric)}[$__rate_interval]))"
