"""The honest reading of the isolation benchmark: where a rival is better than ours, why as far as the numbers say it, and what it pays. Every sentence is computed: other
numbers give other sentences.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

from fairlane.bench.contest import Group
from fairlane.bench.score import CULPRIT, DECOY, Cell, Score
from fairlane.bench.score_words import number, percent, seconds
from isolator.simulate.summary import Mean

MUTE: Final = 0.5
"""Share of undecided episodes from which a contender's times say nothing: it seldom acts."""
UNEXPLAINED: Final = "why is not visible in these numbers"
Why = Callable[[Score, Score], str]


@dataclass(frozen=True, slots=True)
class Measure:
    """A number to compare, less is better. `why` says, of ours and of who has less, what in the numbers explains it ("" for nothing)."""

    name: str
    of: Callable[[Score], float | None]
    text: Callable[[float], str]
    why: Why
    spread: Callable[[Score], Mean | None] = lambda _: None


def _less_harm(ours: Score, theirs: Score) -> str:
    gaps = {
        mine.scenario: (mine.harmed.mean, its.harmed.mean)
        for mine, its in _cells(ours, theirs, CULPRIT)
        if its.harmed.mean < mine.harmed.mean
    }
    if not gaps:
        return ""
    name = max(gaps, key=lambda n: gaps[n][0] - gaps[n][1])
    said = f"most in `{name}`, {percent(gaps[name][1])} against {percent(gaps[name][0])}"
    if theirs.false.mean > ours.false.mean:
        said += f"; it moves {number(theirs.false.mean)} innocent tokens a run besides (ours {number(ours.false.mean)})"
    return said


def _fewer_false(ours: Score, theirs: Score) -> str:
    if theirs.undecided > ours.undecided:
        return f"it acts less: in {percent(theirs.undecided)} of the culprits' episodes it does nothing (ours {percent(ours.undecided)})"
    where = [f"`{mine.scenario}`" for mine, its in _cells(ours, theirs) if its.false.mean < mine.false.mean]
    return f"in {', '.join(where)}" if where else ""


def _sooner(ours: Score, theirs: Score) -> str:
    said = []
    if theirs.every_s < ours.every_s:
        said.append(f"it judges every {theirs.every_s:g} s, ours every {ours.every_s:g} s")
    if theirs.decoy_false.mean > ours.decoy_false.mean:
        said.append(
            f"it needs less evidence: {percent(theirs.decoy_false.mean)} of the decoy runs have a false move (ours {percent(ours.decoy_false.mean)})"
        )
    return " and ".join(said)


def _calmer(ours: Score, theirs: Score) -> str:
    if theirs.restore_p95 is not None and ours.restore_p95 is not None and theirs.restore_p95 > ours.restore_p95:
        return (
            f"it keeps tokens away longer, restore p95 {seconds(theirs.restore_p95)} (ours {seconds(ours.restore_p95)})"
        )
    return _fewer_false(ours, theirs) if theirs.undecided > ours.undecided else ""


def _back_sooner(ours: Score, theirs: Score) -> str:
    if theirs.flaps.mean > ours.flaps.mean:
        return f"it waits less before it takes a token back, and flaps {number(theirs.flaps.mean)} times a run (ours {number(ours.flaps.mean)})"
    return _fewer_false(ours, theirs) if theirs.undecided > ours.undecided else ""


def _mild(ours: Score, theirs: Score) -> str:
    return "" if theirs.refused.mean >= ours.refused.mean else "it refuses less at capture"


MEASURES: Final = (
    Measure(
        "innocents over the SLO or refused, worst culprit scenario", lambda s: s.worst_harm, percent, _less_harm,
        lambda s: s.worst.harmed if s.worst is not None else None,
    ),
    Measure("innocents over the SLO or refused, mean of culprit runs", lambda s: s.harmed.mean, percent, _less_harm, lambda s: s.harmed),
    Measure("decoy runs with a false move", lambda s: s.decoy_false.mean, percent, _fewer_false, lambda s: s.decoy_false),
    Measure("innocent tokens moved a run", lambda s: s.false.mean, number, _fewer_false, lambda s: s.false),
    Measure("innocents refused", lambda s: s.refused.mean, percent, _mild, lambda s: s.refused),
    Measure("time to decide, median", lambda s: s.decide_p50, seconds, _sooner),
    Measure("time to decide, p95", lambda s: s.decide_p95, seconds, _sooner),
    Measure("time to protect, p95", lambda s: s.protect_p95, seconds, _sooner),
    Measure("excess moves", lambda s: s.excess.mean, number, _fewer_false, lambda s: s.excess),
    Measure("flaps", lambda s: s.flaps.mean, number, _calmer, lambda s: s.flaps),
    Measure("restore, p95", lambda s: s.restore_p95, seconds, _back_sooner),
)  # fmt: skip


def better(ours: Score, other: Score) -> list[str]:
    """What `other` does better than ours, with both numbers and why; what reads the same is no difference. Times count only for who acts in most episodes."""
    found = []
    for one in MEASURES:
        theirs, mine = one.of(other), one.of(ours)
        if theirs is None or mine is None or theirs >= mine or one.text(theirs) == one.text(mine) or _mute(one, other):
            continue
        said = f"{one.name} {one.text(theirs)} (ours {one.text(mine)}"
        said += ", within the intervals)" if _overlap(one.spread(ours), one.spread(other)) else ")"
        found.append(f"{said}: {one.why(ours, other) or UNEXPLAINED}")
    return found


def worse(ours: Score, other: Score) -> list[str]:
    """What `other` does worse than ours, with both numbers."""
    found = []
    for one in MEASURES:
        theirs, mine = one.of(other), one.of(ours)
        if theirs is None or mine is None or theirs <= mine or one.text(theirs) == one.text(mine):
            continue
        where = f" in `{other.worst.scenario}`" if one is MEASURES[0] and other.worst is not None else ""
        found.append(f"{one.name} {one.text(theirs)}{where} (ours {one.text(mine)})")
    return found


def not_beaten(ours: Score, rivals: Sequence[Score]) -> list[Score]:
    """Rivals that ours does not beat on both: innocents over the SLO or refused (worst culprit scenario), and false moves (decoy runs with one)."""
    return [r for r in rivals if not (ours.worst_harm < r.worst_harm and ours.decoy_false.mean < r.decoy_false.mean)]


def reading(scores: Sequence[Score]) -> str:
    """Markdown."""
    ours = next(s for s in scores if s.group is Group.OURS)
    rivals = [s for s in scores if s.group is Group.RIVAL]
    lines = [
        *_standing(ours, rivals),
        "\nWhat each does better, why as far as these numbers say it, and what it does worse:\n",
    ]
    for rival in rivals:
        wins, losses = better(ours, rival), worse(ours, rival)
        lines.append(f"- **{rival.name}**" + ("" if wins else ": better in nothing that is measured here."))
        lines += [f"    - better: {win}." for win in wins]
        lines.append(f"    - worse: {'; '.join(losses) or 'in nothing that is measured here'}.")
    relieved = _relieved(ours, rivals)
    if relieved:
        lines.append(f"\n{relieved}")
    return "\n".join(lines) + "\n"


def ahead(ours: Score, rivals: Sequence[Score]) -> list[Score]:
    """Rivals that are better than ours on innocents harmed (worst culprit scenario) or on false moves (decoy runs with one)."""
    return [r for r in rivals if r.worst_harm < ours.worst_harm or r.decoy_false.mean < ours.decoy_false.mean]


def _standing(ours: Score, rivals: Sequence[Score]) -> list[str]:
    """Who is behind ours on both, who is level on one, who is ahead on one."""
    level, first = not_beaten(ours, rivals), ahead(ours, rivals)
    level = [r for r in level if r not in first]
    beaten = [r for r in rivals if r not in level and r not in first]
    lines = ["Judged by innocents harmed (worst culprit scenario) and false moves (decoy runs with one):\n"]
    if beaten:
        lines.append(f"- behind ours on both, {len(beaten)} of {len(rivals)}: {', '.join(map(_numbers, beaten))};")
    if level:
        lines.append(
            f"- level with ours on one and behind on the other, or level on both, {len(level)}: {', '.join(map(_numbers, level))};"
        )
    if first:
        lines.append(f"- **ahead of ours on one**, {len(first)}: {', '.join(map(_numbers, first))};")
    return [*lines, f"- ours: {_numbers(ours)}."]


def _numbers(one: Score) -> str:
    idle = f", {percent(one.undecided)} of the culprits' episodes undecided" if one.undecided else ""
    return f"{one.name} ({percent(one.worst_harm)} harmed, {percent(one.decoy_false.mean)} false{idle})"


def _relieved(ours: Score, rivals: Sequence[Score]) -> str:
    """Decoys in which somebody's false moves helped those who stayed."""
    said = []
    for cell in (c for c in ours.cells if c.kind == DECOY and c.harmed.mean > 0.001):
        helped = [
            f"{r.name} ({percent(c.harmed.mean)}, {number(c.false.mean)} moved for it)"
            for r in rivals
            for c in r.cells
            if c.scenario == cell.scenario and c.harmed.mean < 0.5 * cell.harmed.mean and c.false_runs > 0
        ]
        if helped:
            said.append(f"`{cell.scenario}`: {percent(cell.harmed.mean)} late with ours, less with {', '.join(helped)}")
    if not said:
        return ""
    return (
        "In some decoys moving somebody who is not to blame helps the others, for overflow's workers stand idle. "
        + "; ".join(said)
        + ". Ours moves nobody there by design: it is a lack of capacity, and it is reported as such (`structural: move` would relieve it)."
    )


def _cells(ours: Score, theirs: Score, kind: str | None = None) -> list[tuple[Cell, Cell]]:
    by = {c.scenario: c for c in theirs.cells}
    return [(c, by[c.scenario]) for c in ours.cells if c.scenario in by and kind in {None, c.kind}]


def _mute(one: Measure, other: Score) -> bool:
    return one.text is seconds and other.undecided > MUTE


def _overlap(a: Mean | None, b: Mean | None) -> bool:
    return a is not None and b is not None and a.low <= b.high and b.low <= a.high
