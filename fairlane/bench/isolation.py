"""`fairlane bench isolation`: ours, the rules that others ship, and ours with parts taken away, on the same seeds; writes docs/benchmarks/isolation.md and its pictures."""

import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Final

from fairlane.bench import score_pictures
from fairlane.bench.contest import OURS, Bout, Entrant, Group, by_contender, entrants, played
from fairlane.bench.score import Score, score
from fairlane.bench.score_notes import Page
from fairlane.bench.score_page import page
from fairlane.bench.score_reading import ahead, not_beaten
from isolator.simulate.run import Result, scenario_named
from isolator.simulate.scenarios import ALL
from isolator.simulate.settings import Settings
from slo.errors import UsageError

SEEDS: Final = 20
ABLATION_SEEDS: Final = 2
MINUTES: Final = 25.0
"""A page in the time of a coffee; twenty seeds take two cores some two hours."""
OUT: Final = Path("docs/benchmarks")
NO_LIMIT: Final = 10_000.0
"""Minutes that no run takes: the command on the page plays all that is on it."""
SHOWN: Final = "one_flood"
"""The scenario whose first run is drawn over time, with the contenders of DRAWN."""
DRAWN: Final = (OURS.name, "none", "token bucket", "SQS fair queues", "FoundationDB tag throttling")
SETTINGS: Final = Settings(fine_after_s=120.0)
"""As `fairlane simulate` has them; what is still waiting two minutes after calm drains in coarse steps."""
Progress = Callable[[str], None]


def run(
    progress: Progress,
    *,
    seeds: int = SEEDS,
    ablation_seeds: int = ABLATION_SEEDS,
    scenario: Sequence[str] = (),
    contender: Sequence[str] = (),
    trace: Sequence[Path] = (),
    hours: float = 0.0,
    jobs: int = 0,
    minutes: float = MINUTES,
    out: Path = OUT,
    settings: Settings = SETTINGS,
) -> dict[str, object]:
    """Play, then write the page and its pictures into `out`. No scenario (contender) means all of them; ours always plays. Each trace is played by ours and the
    rivals with one seed, for `hours` (0: to its end). The ablations play the first `ablation_seeds` seeds and are compared with ours on the same. After
    `minutes` no further seed is begun, and the page holds those that everybody finished: the first in any case. Raises UsageError for a name that does not exist and for a trace that is no file.
    """
    began = time.perf_counter()
    chosen = _chosen(contender)
    names = tuple(dict.fromkeys(scenario_named(name).name for name in scenario or ALL))
    if missing := [path for path in trace if not path.is_file()]:
        raise UsageError(f"--trace {missing[0]}: there is no such file")
    fewer = min(seeds, ablation_seeds)
    progress(f"{len(names)} scenarios x {seeds} seeds x {len(chosen)} contenders")
    bouts = [
        Bout(
            name,
            seed,
            tuple(one for one in chosen if one.group is not Group.ABLATION or seed <= fewer),
            settings,
            keep=DRAWN if name == SHOWN and seed == 1 else (),
        )
        for seed in range(1, seeds + 1)
        for name in names
    ]
    # the first seed is played whatever it takes: a page of nothing helps nobody
    first = played(bouts[: len(names)], jobs=jobs, say=progress)
    rest = played(bouts[len(names) :], jobs=jobs, say=progress, late=lambda: time.perf_counter() - began > 60 * minutes)
    seeds = 1 + len(rest) // len(names)
    fewer = min(seeds, fewer)
    results = [r for bout in (first + rest)[: seeds * len(names)] for r in bout]
    scores = _scores(chosen, results)
    same = score(
        f"{OURS.name}, same seeds", Group.OURS, [r for r in by_contender(results)[OURS.name] if r.seed <= fewer]
    )
    traces = [_trace(path, chosen, settings, hours, jobs, progress) for path in trace]
    command = _command(seeds, fewer, scenario, contender, trace, hours)
    out.mkdir(parents=True, exist_ok=True)
    (out / "isolation.md").write_text(
        page(Page(command, seeds, settings, scores, traces, same, fewer)), encoding="utf-8"
    )
    _pictures(out, scores, results, settings)
    ours, rivals = scores[0], [s for s in scores if s.group is Group.RIVAL]
    return {
        "runs": len(results) + sum(len(of) for _, _, of in traces),
        "seeds": seeds,
        "decide_s_p50": ours.decide_p50,
        "decide_s_p95": ours.decide_p95,
        "protect_s_p95": ours.protect_p95,
        "innocents_harmed_ratio": ours.worst_harm,
        "decoy_runs_with_false_move_ratio": ours.decoy_false.mean,
        "rivals": len(rivals),
        "rivals_ahead_on_one": [r.name for r in ahead(ours, rivals)],
        "rivals_not_behind_on_both": [r.name for r in not_beaten(ours, rivals)],
        "page": str(out / "isolation.md"),
        "wall_s": round(time.perf_counter() - began, 1),
    }


def _chosen(names: Sequence[str]) -> tuple[Entrant, ...]:
    known = {one.name: one for one in entrants()}
    if unknown := [name for name in names if name not in known]:
        raise UsageError(f"there is no contender {unknown[0]!r}: known are {', '.join(known)}")
    return tuple(one for name, one in known.items() if not names or one is OURS or name in names)


def _scores(chosen: Sequence[Entrant], results: Sequence[Result]) -> list[Score]:
    found = by_contender(results)
    return [score(one.name, one.group, found[one.name], one.every_s) for one in chosen]


def _trace(
    path: Path, chosen: Sequence[Entrant], settings: Settings, hours: float, jobs: int, progress: Progress
) -> tuple[str, str, list[Score]]:
    playing = [one for one in chosen if one.group is not Group.ABLATION]
    name = path.name.removesuffix(".gz").removesuffix(".csv")
    # a process a contender: a trace may be a day long
    alone = [Bout(name, 1, (one,), replace(settings, hours=hours), path) for one in playing]
    results = [r for bout in played(alone, jobs=jobs, say=progress) for r in bout]
    told = f"{results[0].end_s / 3600:.1f} h, seed 1, capacity fitted to the trace's mean."
    return name, told, _scores(playing, results)


def _command(
    seeds: int, fewer: int, scenarios: Sequence[str], contenders: Sequence[str], trace: Sequence[Path], hours: float
) -> str:
    parts = [f"fairlane bench isolation --seeds {seeds} --ablation-seeds {fewer} --minutes {NO_LIMIT:g}"]
    parts += [f"--scenario {name}" for name in scenarios]
    parts += [f'--contender "{name}"' for name in contenders]
    # where a trace lies is nobody's business
    parts += [f"--trace {path.name}" for path in trace]
    parts += [f"--hours {hours:g}"] if hours and trace else []
    return " ".join(parts)


def _pictures(out: Path, scores: Sequence[Score], results: Sequence[Result], settings: Settings) -> None:
    main = [s for s in scores if s.group is not Group.ABLATION]
    bars = score_pictures.bars(scores, "Innocents harmed")
    (out / "isolation-innocents.svg").write_text(bars, encoding="utf-8")
    scatter = score_pictures.scatter(main, "False moves against innocents harmed")
    (out / "isolation-scatter.svg").write_text(scatter, encoding="utf-8")
    drawn = [r for r in results if r.series and r.scenario == SHOWN]
    if drawn:
        flood = score_pictures.delays(drawn, settings.slo_s, f"{SHOWN}, seed 1")
        (out / "isolation-flood.svg").write_text(flood, encoding="utf-8")
