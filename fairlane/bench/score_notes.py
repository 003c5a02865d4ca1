"""What stands on the isolation page beside its numbers: the terms, what was run, and how true each rival is. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from fairlane.bench.score import Score
from fairlane.bench.score_words import table
from isolator.simulate.rivals import NOTES
from isolator.simulate.settings import Settings


@dataclass(frozen=True, slots=True)
class Page:
    """What the page is made of. `command` is what makes it again; `traces` are (name, what was played, scores)."""

    command: str
    seeds: int
    settings: Settings
    scores: Sequence[Score]
    traces: Sequence[tuple[str, str, Sequence[Score]]] = ()
    same: Score | None = None
    """Ours on the seeds that the ablations played; None for all."""
    ablation_seeds: int = 0


TERMS: Final = (
    "Innocents are all tokens that are not to blame. Harmed are those of their records that were handled later than the SLO, in whatever lane they were, and those that a limit at "
    "capture refused, for its sender the same or worse. A limit counts as harm only when an innocent's record is refused; what it "
    "refuses of culprits stands in a column of its own, for ours processes those records later and a limit loses them. A time counts an episode that was never decided with its whole "
    "length. A false move is an order (a move, or a limit below what the token sends) about a token that is not to blame. Excess moves are tokens moved beyond the smallest set that "
    "perfect knowledge would have moved. Intervals are 95 % bootstrap intervals of the mean. More in [the simulator](../how-to/simulate.md).\n"
)


ABOUT: Final = (
    "The rules stand in `isolator/simulate/rivals/`. Where a rule's published numbers fit only the site that they come from, a tuned variant plays as well, set by an operator who "
    "knows this site.\n"
)


def ran(what: Page) -> str:
    """The settings, and what was done to be fair."""
    of = what.settings
    rows = [
        ["partitions", f"{of.partitions}"],
        ["workers of general", f"{of.slots}, {of.capacity:g} work a second each"],
        ["workers of overflow, of quarantine", f"{of.side_slots} each"],
        ["background", f"{of.tokens:,} tokens, {of.rate:,.0f} events a second"],
        ["SLO", f"{of.slo_s:g} s"],
        ["telemetry is read", f"{of.tell_least_s:g} to {of.tell_most_s:g} s after its interval"],
        ["an order acts", f"{of.act_least_s:g} to {of.act_most_s:g} s after its decision"],
        ["a forward costs general", f"{of.forward_s * 1e6:g} µs"],
        ["seeds", f"1 to {what.seeds}; ablations 1 to {what.ablation_seeds or what.seeds}"],
        [
            "steps",
            f"{of.fine_s:g} s while something happens, {of.coarse_s:g} s else and from {of.fine_after_s:g} s after calm",
        ],
    ]
    judged = ", ".join(f"{one.name} every {one.every_s:g} s" for one in what.scores if one.every_s)
    return "\n".join(
        [
            table(["setting", "value"], rows),
            (
                "All read the same telemetry, as late and as incomplete, and know the same learned rates and costs of the past week; all orders act equally late; a move takes to the same overflow "
                "workers. Rules that reroute at capture pay nothing for it here, and keep no order of a key's records; rules that move the backlog pay for the forwards. Nobody else has "
                "a quarantine lane.\n"
            ),
            *([f"Each judges as often as its own rule does: {judged}.\n"] if judged else []),
        ]
    )


def fidelity(names: Sequence[str]) -> str:
    """A paragraph for each rival of these names: its source, what stands for what, and the liberties by whom they favour."""
    parts = [ABOUT]
    for name in names:
        if name not in NOTES:
            continue
        note, tuned = NOTES[name]
        if tuned:
            parts.append(f"**{name}.** {tuned}\n")
            continue
        links = ", ".join(f"[{text}]({address})" for text, address in note.sources)
        said = [f"**{name}.** {note.rule} ({links})." if links else f"**{name}.** {note.rule}", f"Here: {note.model}"]
        said += [f"In its favour: {note.kinder}"] if note.kinder else []
        said += [f"Against it: {note.harsher}"] if note.harsher else []
        said += [f"Not modelled: {note.absent}"] if note.absent else []
        parts.append(" ".join(said) + "\n")
    return "\n".join(parts)
