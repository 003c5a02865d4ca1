"""The on-call board: what burns, how badly, since when, and the likely cause. The first thing to open after a page."""

from dashboards.boards.common import (
    MOVES,
    OBJECTIVE,
    OF_SLO,
    OF_SLO_ROW,
    PIPELINE,
    SEVERITIES,
    STATES,
    YES,
    notes,
)
from dashboards.panels import (
    GREEN,
    RED,
    YELLOW,
    Board,
    Column,
    Query,
    Row,
    Step,
    bars,
    scarce,
    stat,
    states,
    steps,
    table,
    timeseries,
)
from dashboards.promql import S, age, highest, pick, quantile, rate, total
from dashboards.recorded import BURN, ERRORS, THRESHOLD
from ingestion.capture import metrics as capture
from ingestion.lanes import metrics as lanes
from ingestion.probe import metrics as probe
from isolator import metrics as isolator
from slo import metrics as slo

UID = "fairlane-oncall"
_FIRING = 'ALERTS{alertstate="firing", tier!="heartbeat"}'
_GENERAL = ('lane="general"',)
_COUNTED = (Step(GREEN), Step(RED, 1))
_WINDOW = 'window="5m"'


def board() -> Board:
    """The board as a value."""
    return Board(
        UID,
        "Fairlane / On-call",
        "What burns now, how fast, since when and why: open this one after a page.",
        (_now(), _alerts(), _burn(), _cause(), _trust()),
        (PIPELINE, OBJECTIVE),
        notes(),
        since="now-3h",
    )


def _now() -> Row:
    state = highest(slo.STATE, "slo", where=(S,))
    return Row(
        "Now",
        (
            stat(
                "Burning objectives",
                "Is any promise being broken right now?",
                "short",
                Query(f"sum({state} == bool 1)", "burning"),
                thresholds=_COUNTED,
                width=4,
            ),
            stat(
                "Frozen objectives",
                "Of how many does nobody know, because telemetry is missing?",
                "short",
                Query(f"sum({state} == bool 2)", "frozen"),
                thresholds=(Step(GREEN), Step(YELLOW, 1)),
                width=4,
            ),
            stat(
                "Pages",
                "How many alerts want somebody awake?",
                "short",
                Query('sum(ALERTS{alertstate="firing", tier="page"}) or vector(0)', "pages"),
                thresholds=_COUNTED,
                width=4,
            ),
            stat(
                "First budget gone in",
                "How long until the first error budget is spent, at the present speed?",
                "s",
                Query(f"min({pick(slo.EXHAUSTION, S)})", "soonest"),
                thresholds=scarce(warn=7 * 86_400, bad=86_400),
                width=4,
            ),
            stat(
                "Oldest age, general lane",
                "How long has the oldest unprocessed event waited? Promised are 30 s.",
                "s",
                Query(highest(probe.OLDEST_AGE, "pipeline", where=_GENERAL), "{{pipeline}}"),
                thresholds=steps(warn=10, bad=30),
                width=4,
            ),
            stat(
                "Tokens outside the general lane",
                "Is anybody isolated, so that everyone else is fresh?",
                "short",
                Query(f"sum by (pipeline) ({highest(isolator.MOVED_TOKENS, 'pipeline', 'lane')})", "{{pipeline}}"),
                thresholds=(Step(GREEN), Step(YELLOW, 1)),
                width=4,
                leads=(MOVES,),
            ),
        ),
    )


def _alerts() -> Row:
    return Row(
        "Alerts",
        (
            table(
                "Firing now",
                "What fires, and how loudly? Each alert's annotations lead to its runbook.",
                "short",
                Query(f"max by (alertname, tier, area, pipeline, slo) ({_FIRING})", "{{alertname}}"),
                columns=(Column("Firing", "none", words=(("1", "firing", RED),)),),
            ),
            states(
                "Alerts over time",
                "What fired first, and what followed from it?",
                Query(f"max by (alertname, tier) ({_FIRING})", "{{tier}}: {{alertname}}"),
                words=(("1", "firing", RED),),
            ),
        ),
    )


def _burn() -> Row:
    by = ("slo", "pipeline")
    threshold = f"max by (slo, window) ({THRESHOLD.name})"
    return Row(
        "Burn",
        (
            table(
                "Burn table",
                "Which budget is worst, when is it gone, and how much of it is left?",
                "short",
                Query(_owned(highest(slo.SEVERITY, *by, where=(S,))), "{{slo}}"),
                Query(_owned(highest(slo.STATE, *by, where=(S,))), "{{slo}}"),
                Query(_owned(f"min by (slo, pipeline) ({pick(slo.EXHAUSTION, S)})"), "{{slo}}"),
                Query(_owned(highest(slo.BUDGET_LEFT, *by, where=(S,))), "{{slo}}"),
                Query(_owned(highest(slo.BUDGET_LEFT_SECONDS, *by, where=(S,))), "{{slo}}"),
                columns=(
                    Column("Severity", "none", words=SEVERITIES),
                    Column("State", "none", words=STATES),
                    Column("Gone in", "s", scarce(warn=7 * 86_400, bad=86_400)),
                    Column("Left", "percentunit", scarce(warn=0.5, bad=0.25)),
                    Column("Left, as time", "s"),
                ),
                width=24,
                leads=(OF_SLO_ROW,),
            ),
            states(
                "State over time",
                "Since when does it burn, and was it ever unknown (frozen)?",
                Query(highest(slo.STATE, "slo", where=(S,)), "{{slo}}"),
                words=STATES,
                width=24,
                leads=(OF_SLO,),
            ),
            timeseries(
                "Burn against its thresholds",
                "Which window is over its threshold? An alert needs the long and the short one of a pair over 1.",
                "short",
                Query(
                    f"max by (slo, window) ({pick(BURN, S)}) / on (slo, window) {threshold}",
                    "{{slo}} over {{window}}",
                ),
                thresholds=(Step(GREEN), Step(RED, 1)),
                leads=(OF_SLO,),
            ),
            timeseries(
                "Error ratio, five minutes",
                "How many of a hundred events are bad right now: is it getting better?",
                "percentunit",
                Query(f"max by (slo) ({pick(ERRORS, S, _WINDOW)})", "{{slo}}"),
                leads=(OF_SLO,),
            ),
        ),
    )


def _owned(expr: str) -> str:
    """With the owner as a label, so that it becomes a column."""
    return f"({expr}) * on (slo) group_left (owner) max by (slo, owner) ({pick(slo.INFO, S)})"


def _cause() -> Row:
    return Row(
        "Likely cause",
        (
            states(
                "What the isolator thinks",
                "One tenant, a hot key, everybody (capacity), a stalled worker, a deploy?",
                Query(f"max by (pipeline, diagnosis) ({pick(isolator.DIAGNOSIS)}) > 0", "{{pipeline}} {{diagnosis}}"),
                words=(("1", "yes", YELLOW),),
                leads=(MOVES,),
            ),
            bars(
                "Lag by partition of the general lane",
                "Is it one partition (a token, a key) or all of them (capacity, a stalled worker)?",
                "short",
                Query(total(probe.LAG, "pipeline", "partition", where=_GENERAL), "{{pipeline}}/{{partition}}"),
            ),
            timeseries(
                "Oldest age by lane",
                "Who waits, and for how long? The side lanes are promised 15 minutes.",
                "s",
                Query(highest(probe.OLDEST_AGE, "pipeline", "lane"), "{{pipeline}} {{lane}}"),
                thresholds=(Step(GREEN), Step(RED, 30)),
            ),
            timeseries(
                "Work per record",
                "Did a deploy make every record dearer?",
                "s",
                Query(
                    f"{rate(lanes.BUSY, 'pipeline', 'lane')} / {rate(lanes.RECORDS, 'pipeline', 'lane')}",
                    "{{pipeline}} {{lane}}",
                ),
            ),
            timeseries(
                "Records in trouble",
                "Do handlers raise or hang, are records given up?",
                "ops",
                Query(rate(lanes.HANDLER_ERRORS, "pipeline", "lane"), "{{pipeline}} {{lane}} handler errors"),
                Query(rate(lanes.HUNG, "pipeline", "lane"), "{{pipeline}} {{lane}} hung"),
                Query(rate(lanes.RECORDS, "pipeline", "lane", where=('outcome="dead"',)), "{{pipeline}} {{lane}} dead"),
            ),
            timeseries(
                "What clients are told",
                "Does the HTTP door refuse, and is it slow?",
                "s",
                Query(quantile(0.99, capture.LATENCY, "pipeline"), "{{pipeline}} p99"),
                thresholds=(Step(GREEN), Step(RED, 0.2)),
            ),
        ),
    )


def _trust() -> Row:
    return Row(
        "Can this be trusted",
        (
            timeseries(
                "How old the numbers are",
                "Is telemetry late? Over a minute burn alerts freeze and no new moves are made.",
                "s",
                Query(age(probe.LAST_ROUND, "pipeline"), "{{pipeline}} probe"),
                Query(age(slo.BOOKED_AT, "pipeline"), "{{pipeline}} booking"),
                Query(age(isolator.LAST_TICK, "pipeline"), "{{pipeline}} controller"),
                Query(f"time() - max({pick(slo.LAST_EVALUATION)})", "evaluation"),
                thresholds=steps(warn=15, bad=60),
            ),
            timeseries(
                "Least coverage",
                "How much of each objective's windows was observed? Under 90 % it is frozen.",
                "percentunit",
                Query(f"min by (slo) ({pick(slo.COVERAGE, S)})", "{{slo}}"),
                thresholds=scarce(warn=0.95, bad=0.9),
            ),
            states(
                "Stopped on purpose",
                "Does a lane or the isolator wait for somebody?",
                Query(highest(lanes.PAUSED, "pipeline", "lane"), "{{pipeline}} {{lane}} paused"),
                Query(highest(isolator.MOVES_REFUSED, "pipeline"), "{{pipeline}} moves refused"),
                Query(highest(isolator.STALE, "pipeline"), "{{pipeline}} input stale"),
                words=YES,
            ),
            stat(
                "Ready workers by lane",
                "Is there a worker in every lane?",
                "short",
                Query(total(lanes.READY, "pipeline", "lane"), "{{pipeline}} {{lane}}"),
                thresholds=(Step(RED), Step(GREEN, 1)),
                width=12,
                height=8,
            ),
        ),
    )
