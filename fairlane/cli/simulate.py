"""`fairlane simulate`: the production policy on a simulated pipeline, with scenarios whose culprits are known, or with a trace."""

import math
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import orjson
import psutil
import typer

from isolator.simulate import traced, traces
from isolator.simulate.contender import Maker
from isolator.simulate.entrants import maker as maker_named
from isolator.simulate.ours import NAME
from isolator.simulate.picture import svg
from isolator.simulate.pool import measure
from isolator.simulate.run import Result, play_plan, scenario_named
from isolator.simulate.scenarios import ALL
from isolator.simulate.settings import Settings
from isolator.simulate.summary import Summary, summarise
from isolator.simulate.watch import Watch
from slo.errors import UsageError

HEAD = ("decide p50", "p95", "protect p95", "late", "excess", "false", "restore p95")


def simulate(
    *,
    scenario: Annotated[
        list[str] | None,
        typer.Option(metavar="NAME", help="A scenario, or `all` (the default without --trace); may be repeated."),
    ] = None,
    trace: Annotated[
        Path | None, typer.Option(help="Play this trace instead: CSV (or .csv.gz) t,dur,token,records,bytes,work_ms.")
    ] = None,
    background: Annotated[
        str, typer.Option(metavar="TOKENS:RATE", help="Tokens (Zipf) and events/s of everybody else.")
    ] = f"{Settings().tokens}:{Settings().rate:g}",
    partitions: Annotated[int, typer.Option(help="Partitions of each lane.")] = Settings().partitions,
    slots: Annotated[
        int | None,
        typer.Option(
            help=f"Worker slots of the general lane; default {Settings().slots}, or one a partition if fewer."
        ),
    ] = None,
    capacity: Annotated[
        float | None,
        typer.Option(
            help=f"Work a second of one slot; default {Settings().capacity:g}, and with --trace what makes its mean "
            f"{traced.BACKGROUND:g} of the general lane."
        ),
    ] = None,
    slo: Annotated[float, typer.Option(help="Seconds within which an event must be visible.")] = Settings().slo_s,
    speedup: Annotated[float, typer.Option(help="Play the trace so many times faster.")] = 1.0,
    seeds: Annotated[int, typer.Option(min=1, help="Runs of each scenario, with seeds 1 to N.")] = 5,
    hours: Annotated[float, typer.Option(min=0.0, help="Length of a run, instead of the scenario's own.")] = 0.0,
    contender: Annotated[str, typer.Option(help="Whose rule plays: ours, or a rival's.")] = NAME,
    policy: Annotated[
        list[str] | None, typer.Option(metavar="KEY=VALUE", help="Set a constant of our policy; may be repeated.")
    ] = None,
    jobs: Annotated[
        int, typer.Option(min=0, help="Processes; 0 for one a core. The answer does not depend on it.")
    ] = 0,
    json: Annotated[bool, typer.Option("--json", help="Print nothing but one JSON object.")] = False,
    plot: Annotated[Path | None, typer.Option(help="Write the first run as an SVG.")] = None,
) -> None:
    """Play scenarios or a trace on a simulated pipeline and measure what the policy does."""
    began = time.perf_counter()
    overrides = dict(_pair(text) for text in policy or ())
    playing = maker_named(contender, overrides)
    tokens, rate = _background(background)
    settings = Settings(
        partitions=partitions,
        slots=min(Settings().slots, max(partitions, 1)) if slots is None else slots,
        capacity=Settings().capacity if capacity is None else capacity,
        slo_s=slo,
        tokens=tokens,
        rate=rate,
        hours=hours,
    )
    _writable(plot)
    if trace is not None:
        if scenario:
            raise UsageError("--scenario and --trace exclude each other: a trace is its own scenario")
        played = _trace(trace, settings, playing, seeds, speedup, fit=capacity is None)
    else:
        if speedup != 1.0:
            raise UsageError("--speedup is for --trace: scenarios have their own time")
        names = [n for name in scenario or ["all"] for n in (ALL if name == "all" else (scenario_named(name).name,))]
        played = _Played(
            measure(
                tuple(dict.fromkeys(names)), range(1, seeds + 1), {contender: playing}, settings, jobs=jobs, say=_say
            )
        )
    summary = summarise(played.results)
    if plot is not None:
        plot.write_text(svg(played.results[0], slo), encoding="utf-8")
        _say(f"picture of {played.results[0].scenario}, seed {played.results[0].seed}: {plot}")
    if json:
        print(
            orjson.dumps(_object(summary, played, contender, seeds, time.perf_counter() - began)).decode(), flush=True
        )
    else:
        _print(summary, played)


@dataclass(frozen=True, slots=True)
class _Played:
    results: list[Result]
    trace: dict[str, Any] | None = None


def _trace(path: Path, settings: Settings, playing: Maker, seeds: int, speedup: float, *, fit: bool) -> _Played:
    if not speedup > 0 or not math.isfinite(speedup):
        raise UsageError(f"--speedup must be greater than 0, not {speedup}")
    found = traces.read(path).faster(speedup)
    ready = traced.plan(found, settings, fit=fit)
    _say(
        f"trace {found.name}: {len(found.token):,} rows, {len(found.names):,} tokens, {found.length_s:,.0f} s at this speed, mean "
        f"{ready.load:.2f} of general's {ready.settings.total:.4g} work/s; {len(ready.plan.sources)} tokens can matter"
    )
    results = []
    for seed in range(1, seeds + 1):
        watch = Watch(_say, f"{found.name} seed {seed}")
        results.append(play_plan(found.name, "trace", ready.plan, seed, playing, ready.settings, watch=watch))
        done = results[-1].measures
        _say(f"{seed}/{seeds} {done.moved} moved, {done.late_ratio:.4%} late ({results[-1].wall.total_s:.1f} s)")
    told = {
        "rows": len(found.token),
        "tokens": len(found.names),
        "length_s": found.length_s,
        "capacity": ready.settings.capacity,
        "load": ready.load,
        "blamed_tokens": sum(bool(s.culprit) for s in ready.plan.sources),
        "events": [{"t": e.at_s, "kind": e.kind, "token": e.name, "lane": e.lane} for e in results[0].events],
    }
    return _Played(results, told)


def _object(summary: Summary, played: _Played, contender: str, seeds: int, wall_s: float) -> dict[str, Any]:
    body: dict[str, Any] = {"contender": contender, "seeds": seeds, **summary.as_dict()}
    if played.trace is not None:
        body["trace"] = played.trace
    memory = [psutil.Process().memory_info().rss, *(r.wall.rss for r in played.results)]
    return {**body, "wall_s": round(wall_s, 1), "rss_mb": round(max(memory) / 2**20)}


def _print(summary: Summary, played: _Played) -> None:
    width = max(len(name) for name in summary.scenarios) + 2
    print(" " * (width + 8) + "".join(f"{h:>13}" for h in HEAD))
    for name, found in summary.scenarios.items():
        decoy = found["kind"] == "decoy"
        cells = (
            *(_cell(None if decoy else found[key], "s") for key in _TIMES),
            f"{found['innocents_over_slo_ratio']:.4%}",
            f"{found['excess_moves_mean']:.2f}",
            f"{found['measures']['runs_with_false_move_ratio']['mean']:.0%}",
            _cell(found["restore_s_p95"], "s"),
        )
        print(f"{name:<{width}}{found['kind']:<8}" + "".join(f"{c:>13}" for c in cells))
    print()
    for key, value in {**summary.total, **summary.more}.items():
        print(f"{key:<36}{'-' if value is None else f'{value:.6g}'}")
    if played.trace is not None:
        for event in played.trace["events"]:
            print(f"{event['t']:>10.0f} s  {event['kind']} {event['token']} {event['lane']}".rstrip())


_TIMES = ("decide_s_p50", "decide_s_p95", "protect_s_p95")


def _cell(value: float | None, unit: str) -> str:
    return "-" if value is None else f"{value:.1f} {unit}"


def _background(text: str) -> tuple[int, float]:
    tokens, colon, rate = text.partition(":")
    try:
        found = int(tokens), float(rate)
    except ValueError:
        colon = ""
        found = (0, 0.0)
    if not colon or found[0] < 1 or not 0 < found[1] < math.inf:
        raise UsageError(f"--background {text}: write it as TOKENS:RATE, both greater than 0, for example 100000:5000")
    return found


def _pair(text: str) -> tuple[str, str]:
    key, equals, value = text.partition("=")
    if not equals or not key.strip():
        raise UsageError(f"--policy {text}: write it as KEY=VALUE, for example --policy guard_ratio=4")
    return key.strip(), value.strip()


def _writable(path: Path | None) -> None:
    if path is not None and not path.absolute().parent.is_dir():
        raise UsageError(f"--plot {path}: there is no directory {path.parent}")


def _say(line: str) -> None:
    print(line, file=sys.stderr, flush=True)
