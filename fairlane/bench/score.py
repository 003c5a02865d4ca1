"""One contender's runs as the numbers of the isolation benchmark's tables. Pure."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from fairlane.bench.contest import Group
from isolator.simulate.measures import Measures
from isolator.simulate.run import Result
from isolator.simulate.summary import Mean, mean, quantile

CULPRIT, DECOY = "culprit", "decoy"


@dataclass(frozen=True, slots=True)
class Cell:
    """One scenario's runs."""

    scenario: str
    kind: str
    harmed: Mean
    """share of innocent records over the SLO, or refused at capture"""
    late: Mean
    """share of innocent records over the SLO"""
    refused: Mean
    """share of innocent records refused at capture"""
    false: Mean
    """innocent tokens moved or limited, a run"""
    false_runs: float
    """share of runs with any"""
    excess: Mean
    flaps: Mean
    decide_p50: float | None
    protect_p95: float | None
    undecided: float
    """share of episodes in which no culprit was acted on"""


@dataclass(frozen=True, slots=True)
class Score:
    """All runs of one contender. Times in seconds, None where nothing was to be timed; shares 0 to 1; means are a run."""

    name: str
    group: Group
    runs: int
    decide_p50: float | None
    decide_p95: float | None
    protect_p95: float | None
    restore_p95: float | None
    undecided: float
    """share of episodes in which no culprit was acted on"""
    harmed: Mean
    """share of innocent records over the SLO or refused, over culprit runs"""
    late: Mean
    """over the SLO alone"""
    refused: Mean
    """innocent records refused, over all runs that count"""
    culprits_refused: float
    """culprits' records refused, a culprit run"""
    false: Mean
    false_minutes: Mean
    decoy_false: Mean
    """share of decoy runs with a false move"""
    excess: Mean
    """over culprit runs"""
    flaps: Mean
    cells: tuple[Cell, ...]
    every_s: float = 0.0
    """Seconds between its judgements; 0 where it is not told."""

    @property
    def worst(self) -> Cell | None:
        """The culprit scenario in which most innocent records were late or refused, None without one."""
        return max((c for c in self.cells if c.kind == CULPRIT), key=lambda c: c.harmed.mean, default=None)

    @property
    def worst_harm(self) -> float:
        """Its share."""
        return self.worst.harmed.mean if self.worst is not None else self.harmed.mean


def score(name: str, group: Group, results: Sequence[Result], every_s: float = 0.0) -> Score:
    """Of the runs of one contender. What is marked `limit` is in the cells only; a trace's runs count as culprit runs."""
    counted = [r for r in results if r.kind != "limit"]
    culprit = [r for r in counted if r.kind != DECOY]
    decoys = [r for r in counted if r.kind == DECOY]
    return Score(
        name,
        group,
        len(results),
        _pooled(culprit, lambda m: m.decide_s, 0.5),
        _pooled(culprit, lambda m: m.decide_s, 0.95),
        _pooled(culprit, lambda m: m.protect_s, 0.95),
        _pooled(culprit, lambda m: m.restore_s, 0.95),
        _undecided(culprit),
        _mean(culprit, harm),
        _mean(culprit, lambda m: m.late_ratio),
        _mean(counted, lambda m: m.refused_ratio),
        _mean(culprit, lambda m: m.culprits_refused).mean,
        _mean(counted, lambda m: m.false_tokens),
        _mean(counted, lambda m: m.false_token_minutes),
        _mean(decoys, lambda m: float(m.false_moves > 0)),
        _mean(culprit, lambda m: m.excess_moves),
        _mean(counted, lambda m: m.flaps),
        tuple(
            _cell(one, [r for r in results if r.scenario == one]) for one in dict.fromkeys(r.scenario for r in results)
        ),
        every_s,
    )


def _cell(scenario: str, results: Sequence[Result]) -> Cell:
    return Cell(
        scenario,
        results[0].kind,
        _mean(results, harm),
        _mean(results, lambda m: m.late_ratio),
        _mean(results, lambda m: m.refused_ratio),
        _mean(results, lambda m: m.false_tokens),
        _mean(results, lambda m: float(m.false_moves > 0)).mean,
        _mean(results, lambda m: m.excess_moves),
        _mean(results, lambda m: m.flaps),
        _pooled(results, lambda m: m.decide_s, 0.5),
        _pooled(results, lambda m: m.protect_s, 0.95),
        _undecided(results),
    )


def harm(of: Measures) -> float:
    """The share of innocent records that were late or refused: whoever limits at capture has refused what would else have been late."""
    return of.late_ratio + of.refused_ratio


def _undecided(results: Sequence[Result]) -> float:
    episodes = sum(len(r.measures.decide_s) for r in results)
    return sum(r.measures.undecided for r in results) / episodes if episodes else 0.0


def _mean(results: Sequence[Result], of: Callable[[Measures], float]) -> Mean:
    return mean([float(of(r.measures)) for r in results])


def _pooled(results: Sequence[Result], of: Callable[[Measures], Sequence[float]], q: float) -> float | None:
    return quantile([value for r in results for value in of(r.measures)], q)
