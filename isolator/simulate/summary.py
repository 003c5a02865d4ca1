"""Many runs of one contender as numbers: means with bootstrap intervals by scenario, and the few that stand for all."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np

from isolator.interner import Floats
from isolator.simulate.measures import Measures
from isolator.simulate.run import Result

RESAMPLES: Final = 2_000
LEVEL: Final = 0.95
_PER_RUN: Final[tuple[tuple[str, Callable[[Measures], float]], ...]] = (
    ("innocents_over_slo_ratio", lambda m: m.late_ratio),
    ("innocents_refused_ratio", lambda m: m.refused_ratio),
    ("worst_innocent_age_s", lambda m: m.worst_innocent_age_s),
    ("cover", lambda m: m.cover),
    ("moved", lambda m: m.moved),
    ("excess_moves", lambda m: m.excess_moves),
    ("false_moves", lambda m: m.false_moves),
    ("false_tokens", lambda m: m.false_tokens),
    ("false_token_minutes", lambda m: m.false_token_minutes),
    ("flaps", lambda m: m.flaps),
    ("moves_per_token_hour", lambda m: m.moves_per_token_hour),
    ("peak_share_moved", lambda m: m.peak_share_moved),
    ("undecided", lambda m: m.undecided),
    ("not_restored", lambda m: m.not_restored),
    ("early_restores", lambda m: m.early_restores),
)
_TIMES: Final[tuple[tuple[str, Callable[[Measures], Sequence[float]]], ...]] = (
    ("decide_s", lambda m: m.decide_s),
    ("isolate_s", lambda m: m.isolate_s),
    ("protect_s", lambda m: m.protect_s),
    ("restore_s", lambda m: m.restore_s),
)


@dataclass(frozen=True, slots=True)
class Mean:
    """A mean over runs and its bootstrap interval."""

    mean: float
    low: float
    high: float
    most: float


def mean(values: Sequence[float]) -> Mean:
    """Mean with the percentile bootstrap's 95 % interval (a fixed stream, so the same values give the same interval); zeros for no values."""
    if not values:
        return Mean(0.0, 0.0, 0.0, 0.0)
    data: Floats = np.asarray(values, dtype=np.float64)
    rng = np.random.default_rng(1)
    means = data[rng.integers(0, len(data), (RESAMPLES, len(data)))].mean(axis=1)
    low, high = np.quantile(means, ((1 - LEVEL) / 2, (1 + LEVEL) / 2))
    return Mean(float(data.mean()), float(low), float(high), float(data.max()))


def quantile(values: Sequence[float], q: float) -> float | None:
    """The q-quantile (linear), None for no values."""
    return float(np.quantile(np.asarray(values), q)) if len(values) else None


@dataclass(frozen=True, slots=True)
class Summary:
    """`total` (the eight numbers of `headline`), `more`, and the same eight by scenario with `measures` beside them: as JSON has them."""

    total: dict[str, float | None]
    more: dict[str, float | None]
    scenarios: dict[str, dict[str, Any]]

    def as_dict(self) -> dict[str, Any]:
        """{"summary": ..., "scenarios": ..., "more": ...}"""
        return {"summary": self.total, "scenarios": self.scenarios, "more": self.more}


def summarise(results: Sequence[Result]) -> Summary:
    """The numbers of one contender's runs.

    Times are pooled over all episodes (restores) of all culprit runs. `innocents_over_slo_ratio` is the mean over runs of the worst culprit scenario; what is
    marked `limit` counts for neither. With neither culprits nor decoys (a trace) the ratios are those of all runs.
    """
    by = _by_scenario(results)
    judged, counted = _judged(results), _counted(results)
    more: dict[str, float | None] = {
        "runs": len(results),
        "isolate_s_p95": _pooled(judged, "isolate_s", 0.95),
        "innocents_refused_ratio": max((r.measures.refused_ratio for r in counted), default=0.0),
        "worst_innocent_age_s": max((r.measures.worst_innocent_age_s for r in judged), default=0.0),
        "excess_moves_max": max((r.measures.excess_moves for r in judged), default=0),
        "false_moves_mean": mean([r.measures.false_moves for r in counted]).mean,
        "flaps_mean": mean([r.measures.flaps for r in counted]).mean,
        "tick_ms_p50": _tick(results, 0.5),
        "tick_ms_p99": _tick(results, 0.99),
    }
    return Summary(headline(results), more, {name: _scenario(some) for name, some in by.items()})


def headline(results: Sequence[Result]) -> dict[str, float | None]:
    """The eight numbers of these runs. A time is None where nothing of its kind happened; the last three ratios are 0 where nothing counts for them."""
    judged, counted = _judged(results), _counted(results)
    late = [mean([r.measures.late_ratio for r in some]).mean for some in _by_scenario(judged).values()]
    return {
        "decide_s_p50": _pooled(judged, "decide_s", 0.5),
        "decide_s_p95": _pooled(judged, "decide_s", 0.95),
        "protect_s_p95": _pooled(judged, "protect_s", 0.95),
        "innocents_over_slo_ratio": max(late, default=0.0),
        "excess_moves_mean": mean([r.measures.excess_moves for r in judged]).mean,
        "decoy_runs_with_false_move_ratio": mean(
            [float(r.measures.false_moves > 0) for r in results if r.kind == "decoy"]
        ).mean,
        "moves_per_token_hour_max": max((r.measures.moves_per_token_hour for r in counted), default=0),
        "restore_s_p95": _pooled(judged, "restore_s", 0.95),
    }


def _judged(results: Sequence[Result]) -> Sequence[Result]:
    """The culprit runs; where there are none, all."""
    return [r for r in results if r.kind == "culprit"] or results


def _counted(results: Sequence[Result]) -> Sequence[Result]:
    """All but what no isolation can prevent; where there is nothing else, all."""
    return [r for r in results if r.kind != "limit"] or results


def _by_scenario(results: Sequence[Result]) -> dict[str, list[Result]]:
    names = dict.fromkeys(r.scenario for r in results)
    return {name: [r for r in results if r.scenario == name] for name in names}


def _scenario(results: Sequence[Result]) -> dict[str, Any]:
    measures: dict[str, dict[str, float | None]] = {}
    for name, of in _PER_RUN:
        one = mean([float(of(r.measures)) for r in results])
        measures[name] = {"mean": one.mean, "low": one.low, "high": one.high, "max": one.most}
    for name, times in _TIMES:
        values = [v for r in results for v in times(r.measures)]
        one = mean(values)
        measures[name] = {
            "count": len(values),
            "p50": quantile(values, 0.5),
            "p95": quantile(values, 0.95),
            "mean": one.mean if values else None,
            "low": one.low if values else None,
            "high": one.high if values else None,
        }
    measures["runs_with_false_move_ratio"] = {
        "mean": mean([float(r.measures.false_moves > 0) for r in results]).mean,
    }
    return {"kind": results[0].kind, "runs": len(results), **headline(results), "measures": measures}


def _pooled(results: Sequence[Result], name: str, q: float) -> float | None:
    of = dict(_TIMES)[name]
    return quantile([v for r in results for v in of(r.measures)], q)


def _tick(results: Sequence[Result], q: float) -> float | None:
    found = quantile([t for r in results for t in r.wall.tick_s], q)
    return None if found is None else round(1000 * found, 3)
