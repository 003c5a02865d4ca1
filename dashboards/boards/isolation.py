"""The isolation board: who is moved, why, and did it help."""

from dashboards.boards.common import MOVES, PIPELINE, notes
from dashboards.panels import (
    GREEN,
    RED,
    YELLOW,
    Board,
    Query,
    Row,
    Step,
    bars,
    heatmap,
    stat,
    states,
    steps,
    timeseries,
)
from dashboards.promql import age, buckets, highest, pick, rate, total
from isolator import metrics as m

UID = "fairlane-isolation"
_ON = (("0", "no", GREEN), ("1", "yes", YELLOW))


def board() -> Board:
    """The board as a value."""
    return Board(
        UID,
        "Fairlane / Isolation",
        "Which tokens are outside the general lane, why they were moved, and whether it helped.",
        (_now(), _effect(), _evidence(), _controller()),
        (PIPELINE,),
        notes(),
        page="/moves",
    )


def _now() -> Row:
    return Row(
        "Now",
        (
            stat(
                "Moved tokens",
                "How many tokens are outside the general lane?",
                "short",
                Query(highest(m.MOVED_TOKENS, "pipeline", "lane"), "{{pipeline}} {{lane}}"),
                thresholds=(Step(GREEN), Step(YELLOW, 1)),
                leads=(MOVES,),
            ),
            stat(
                "Moved share of traffic",
                "How much of the traffic is not counted as protected? Over 10 % a person is asked first.",
                "percentunit",
                Query(highest(m.MOVED_TRAFFIC, "pipeline"), "{{pipeline}}"),
                thresholds=steps(warn=0.05, bad=0.1),
            ),
            stat(
                "Active tokens",
                "How many tokens sent something in the last minute?",
                "short",
                Query(highest(m.ACTIVE_TOKENS, "pipeline"), "{{pipeline}}"),
            ),
            stat(
                "Last decision",
                "Does anybody watch? Over a minute the controller is blind.",
                "s",
                Query(age(m.LAST_TICK, "pipeline"), "{{pipeline}}"),
                thresholds=steps(warn=15, bad=60),
            ),
            states(
                "Diagnosis",
                "What did the controller think was wrong, and when?",
                Query(f"max by (pipeline, diagnosis) ({pick(m.DIAGNOSIS)}) > 0", "{{pipeline}} {{diagnosis}}"),
                words=(("1", "yes", YELLOW),),
                width=12,
            ),
            states(
                "Mode",
                "What was it allowed to do: off, observe, suggest or auto?",
                Query(f"max by (pipeline, mode) ({pick(m.MODE)}) > 0", "{{pipeline}} {{mode}}"),
                words=(("1", "on", GREEN),),
                width=12,
            ),
        ),
    )


def _effect() -> Row:
    return Row(
        "Effect",
        (
            timeseries(
                "Delay with and without the moved tokens",
                "How late would everyone be if nobody had been moved? The gap between the lines is what moving is worth.",
                "s",
                Query(highest(m.DELAY, "pipeline", "moved"), "{{pipeline}} {{moved}}"),
                thresholds=steps(warn=10, bad=30),
            ),
            timeseries(
                "Utilisation with and without the moved tokens",
                "Does the busiest partition fit into its worker? Over 1 it never catches up.",
                "percentunit",
                Query(highest(m.UTILISATION, "pipeline", "moved"), "{{pipeline}} {{moved}}"),
                thresholds=steps(warn=0.8, bad=1),
            ),
            timeseries(
                "Hot partitions",
                "How many partitions are in trouble at once?",
                "short",
                Query(highest(m.HOT_PARTITIONS, "pipeline"), "{{pipeline}}"),
                thresholds=(Step(GREEN), Step(RED, 1)),
            ),
            timeseries(
                "Moved tokens by lane",
                "Who came and went, and are they coming back?",
                "short",
                Query(highest(m.MOVED_TOKENS, "pipeline", "lane"), "{{pipeline}} {{lane}}"),
            ),
        ),
    )


def _evidence() -> Row:
    return Row(
        "Evidence",
        (
            bars(
                "Most conspicuous tokens",
                "Who stands out from its own usual work, and by how much? At 3 the chance is one in a thousand.",
                "short",
                Query(f"topk(20, {highest(m.ANOMALY, 'pipeline', 'token')})", "{{pipeline}} {{token}}"),
                thresholds=steps(warn=3, bad=10),
                height=10,
            ),
            timeseries(
                "Decisions",
                "What kinds of verdict are written, and is something flapping?",
                "short",
                Query(
                    f"sum by (pipeline, kind) (increase({pick(m.DECISIONS)}[$__rate_interval]))",
                    "{{pipeline}} {{kind}}",
                ),
                height=10,
            ),
            timeseries(
                "Commands",
                "What did people ask for, and was it refused?",
                "short",
                Query(
                    f"sum by (action, result) (increase({pick(m.COMMANDS)}[$__rate_interval]))", "{{action}} {{result}}"
                ),
            ),
            timeseries(
                "Baselines",
                "How much calm time were the baselines learned from? `auto` needs a day.",
                "s",
                Query(highest(m.BASELINE_SECONDS, "pipeline"), "{{pipeline}}"),
            ),
        ),
    )


def _controller() -> Row:
    return Row(
        "Controller",
        (
            heatmap(
                "Time of a decision",
                "Does a decision fit well inside its five seconds?",
                "s",
                Query(buckets(m.TICK_SECONDS), "{{le}}"),
            ),
            timeseries(
                "Age of the input",
                "Which source of telemetry is late? On stale input there are no new moves.",
                "s",
                Query(highest(m.INPUT_AGE, "pipeline", "source"), "{{pipeline}} {{source}}"),
                thresholds=steps(warn=5, bad=10),
            ),
            states(
                "Stale, refused",
                "Was the input too old, or the fence's memory full?",
                Query(highest(m.STALE, "pipeline"), "{{pipeline}} input stale"),
                Query(highest(m.MOVES_REFUSED, "pipeline"), "{{pipeline}} moves refused"),
                words=_ON,
                width=8,
            ),
            timeseries(
                "State transactions",
                "Does the controller commit, or is it fenced by another one?",
                "ops",
                Query(rate(m.STATE_WRITES, "result"), "{{result}}"),
                width=8,
            ),
            timeseries(
                "Telemetry folded",
                "Does everything that should report arrive?",
                "ops",
                Query(rate(m.REPORTS, "kind"), "{{kind}}"),
                width=8,
            ),
            stat(
                "Owned pipelines",
                "Does exactly one controller own each pipeline?",
                "short",
                Query(total(m.OWNED, "pipeline"), "{{pipeline}}"),
                thresholds=(Step(RED), Step(GREEN, 1), Step(RED, 2)),
            ),
            stat(
                "Verdicts not projected",
                "Is the database behind? Kafka has them all the same.",
                "short",
                Query(f"sum(increase({pick(m.PROJECTION_DROPPED)}[1h]))", "last hour"),
                thresholds=(Step(GREEN), Step(YELLOW, 1)),
            ),
        ),
    )
