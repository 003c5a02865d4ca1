"""docs/benchmarks/isolation.md from the scores. Pure: the same scores give the same bytes, and nothing in it depends on the machine or the day."""

from collections.abc import Callable, Sequence

from fairlane.bench.contest import Group
from fairlane.bench.score import CULPRIT, DECOY, Cell, Score
from fairlane.bench.score_notes import TERMS, Page, fidelity, ran
from fairlane.bench.score_reading import reading
from fairlane.bench.score_words import counted, interval, number, percent, seconds, table
from isolator.simulate.scenarios import SCENARIOS

HEAD = [
    "contender", "decide p50", "decide p95", "protect p95", "innocents harmed, worst scenario", "mean of culprit runs", "of all innocents refused", "false tokens a run",
    "token-minutes a run", "decoy runs with a false move", "excess moves", "flaps a run", "restore p95", "culprits' records refused a run", "undecided",
]  # fmt: skip


def page(what: Page) -> str:
    """Markdown."""
    main = [s for s in what.scores if s.group is not Group.ABLATION]
    parts = [
        "# Isolation: ours and the rules that others ship\n",
        (
            "How fast, how narrowly and how calmly does a rule protect innocents on a log? Every contender plays the same scenarios with the same seeds on the same "
            "simulated pipeline. It is a simulation: it compares decisions, not products. What a rule's product does besides (quotas, back-pressure, fair scheduling of "
            "every message) is not in it.\n"
        ),
        "Nothing on this page is written by hand but what the rules are; the command makes it again, byte for byte:\n",
        f"```\n{what.command}\n```\n",
        "## Ours and the rivals\n",
        table(HEAD, [_row(s) for s in main]),
        TERMS,
        "![Innocents harmed](isolation-innocents.svg)\n",
        "![False moves against innocents harmed](isolation-scatter.svg)\n",
        "![One flood over time](isolation-flood.svg)\n",
        "## Where a rival is better\n",
        reading(what.scores),
        "## What was run\n",
        ran(what),
        "## By scenario\n",
        "Culprit scenarios: innocents harmed.\n",
        _cells(what.scores, CULPRIT, lambda c: interval(c.harmed)),
        "Culprit scenarios: median time to decide, and the share of episodes in which no culprit was acted on where there is one.\n",
        _cells(what.scores, CULPRIT, _decided),
        "Culprit scenarios: innocent tokens moved a run.\n",
        _cells(what.scores, CULPRIT, lambda c: number(c.false.mean)),
        "Decoys: share of runs with a false move, and innocent tokens moved a run.\n",
        _cells(what.scores, DECOY, lambda c: f"{percent(c.false_runs)}, {number(c.false.mean)}"),
        "Decoys: innocents harmed. Nobody is to blame there; what is late is late for a lack of capacity, or was refused.\n",
        _cells(what.scores, DECOY, lambda c: interval(c.harmed)),
        _limits(what.scores),
        _ablations(what),
        _traces(what),
        "## How true the rivals are\n",
        fidelity([s.name for s in main]),
    ]
    return "\n".join(p for p in parts if p)


def _row(one: Score) -> list[str]:
    worst = one.worst
    where = f" ({worst.scenario})" if worst is not None and worst.harmed.mean > 0 else ""
    return [
        f"**{one.name}**" if one.group is Group.OURS else one.name,
        seconds(one.decide_p50),
        seconds(one.decide_p95),
        seconds(one.protect_p95),
        (interval(worst.harmed) if worst is not None else percent(0.0)) + where,
        interval(one.harmed),
        percent(one.refused.mean),
        counted(one.false),
        counted(one.false_minutes),
        interval(one.decoy_false),
        counted(one.excess),
        counted(one.flaps),
        seconds(one.restore_p95),
        number(one.culprits_refused),
        percent(one.undecided),
    ]


def _names(scores: Sequence[Score], kind: str) -> list[str]:
    return list(dict.fromkeys(c.scenario for s in scores for c in s.cells if c.kind == kind))


def _cells(scores: Sequence[Score], kind: str, text: Callable[[Cell], str]) -> str:
    names = _names(scores, kind)
    if not names:
        return ""
    rows = [[one.name, *(text(by[n]) for n in names)] for one in scores if (by := {c.scenario: c for c in one.cells})]
    return table(["contender", *names], rows)


def _decided(cell: Cell) -> str:
    return seconds(cell.decide_p50) + (f", {percent(cell.undecided)} undecided" if cell.undecided else "")


def _limits(scores: Sequence[Score]) -> str:
    names = _names(scores, "limit")
    if not names:
        return ""
    told = "; ".join(f"`{n}`: {SCENARIOS[n].what}" for n in names if n in SCENARIOS)
    return f"What no isolation can prevent, in none of the numbers above: innocents harmed. {told}\n\n" + _cells(
        scores, "limit", lambda c: interval(c.harmed)
    )


def _ablations(what: Page) -> str:
    others = [s for s in what.scores if s.group is Group.ABLATION]
    if not others:
        return ""
    ours = what.same or next(s for s in what.scores if s.group is Group.OURS)
    seeds = f"Seeds 1 to {what.ablation_seeds or what.seeds}, ours on the same. "
    return "\n".join(
        [
            "## Ours with one part taken away\n",
            table(HEAD, [_row(s) for s in (ours, *others)]),
            f"{seeds}What each part is for (with it → without it):\n",
            *(f"- **{one.name.removeprefix('ours ')}**: {_lost(ours, one)}." for one in others),
            "",
        ]
    )


def _lost(ours: Score, one: Score) -> str:
    changes = []
    for what, mine, theirs, text in (
        ("innocents harmed in the worst scenario", ours.worst_harm, one.worst_harm, percent),
        ("innocents harmed in the mean", ours.harmed.mean, one.harmed.mean, percent),
        ("decoy runs with a false move", ours.decoy_false.mean, one.decoy_false.mean, percent),
        ("innocent tokens moved a run", ours.false.mean, one.false.mean, number),
        ("excess moves", ours.excess.mean, one.excess.mean, number),
        ("flaps a run", ours.flaps.mean, one.flaps.mean, number),
        ("time to decide, p95", ours.decide_p95 or 0.0, one.decide_p95 or 0.0, seconds),
        ("restore, p95", ours.restore_p95 or 0.0, one.restore_p95 or 0.0, seconds),
    ):
        if text(mine) != text(theirs):
            changes.append(f"{what} {text(mine)} → {text(theirs)}")
    return "; ".join(changes) or "no difference in these runs: they do not show what it is for"


def _traces(what: Page) -> str:
    if not what.traces:
        return ""
    head = [
        "contender",
        "decide p50",
        "protect p95",
        "innocents harmed",
        "of them refused",
        "innocent tokens moved",
        "token-minutes",
        "flaps",
        "restore p95",
    ]
    parts = [
        "## Traces\n",
        "Recorded loads, with background tokens added. Who is to blame is defined by the trace itself: see [the simulator](../how-to/simulate.md).\n",
    ]
    for name, told, scores in what.traces:
        rows = [
            [
                s.name, seconds(s.decide_p50), seconds(s.protect_p95), interval(s.harmed), percent(s.refused.mean), counted(s.false), number(s.false_minutes.mean),
                number(s.flaps.mean), seconds(s.restore_p95),
            ]
            for s in scores
        ]  # fmt: skip
        parts += [f"### {name}\n", f"{told}\n", table(head, rows)]
    return "\n".join(parts)
