"""`fairlane bench NAME`: how fast we are, against a bare loop in the same run."""

import sys
from pathlib import Path
from typing import Annotated, Final

import orjson
import typer

from fairlane.bench import BY_NAME_ONLY, GOALS, NAMES, load
from slo.errors import UsageError

OPTIONS: Final = {
    "partition": ("handler", "concurrency"),
    "isolation": ("seeds", "ablation_seeds", "scenario", "contender", "trace", "hours", "jobs", "minutes", "out"),
}
"""Which benchmark knows which options."""


def bench(
    name: Annotated[
        str, typer.Argument(help=f"Which one: {', '.join(NAMES)}, or all (but {', '.join(BY_NAME_ONLY)}).")
    ] = "all",
    *,
    handler: Annotated[
        str | None, typer.Option(help="partition: null, sleep5ms, sql (the default) or module:attribute.")
    ] = None,
    concurrency: Annotated[
        int | None, typer.Option(min=1, max=256, help="partition: handler threads; 1 by default.")
    ] = None,
    seeds: Annotated[
        int | None, typer.Option(min=1, help="isolation: runs of each scenario at most; 20 by default.")
    ] = None,
    ablation_seeds: Annotated[
        int | None, typer.Option(min=1, help="isolation: of these, how many the ablations play; 2 by default.")
    ] = None,
    scenario: Annotated[
        list[str] | None, typer.Option(metavar="NAME", help="isolation: only this scenario; may be repeated.")
    ] = None,
    contender: Annotated[
        list[str] | None, typer.Option(metavar="NAME", help="isolation: only this contender; may be repeated.")
    ] = None,
    trace: Annotated[
        list[Path] | None, typer.Option(help="isolation: play this trace as well (CSV or .csv.gz); may be repeated.")
    ] = None,
    hours: Annotated[float | None, typer.Option(min=0.0, help="isolation: length of a trace's run.")] = None,
    jobs: Annotated[int | None, typer.Option(min=0, help="isolation: processes; one a core by default.")] = None,
    minutes: Annotated[
        float | None, typer.Option(min=0.0, help="isolation: begin no further seed after so long; 25 by default.")
    ] = None,
    out: Annotated[
        Path | None, typer.Option(help="isolation: where the page goes; docs/benchmarks by default.")
    ] = None,
    json: Annotated[bool, typer.Option("--json", help="Print nothing but one JSON object a benchmark.")] = False,
) -> None:
    """Measure our speed as ratios against bare loops in the same run."""
    chosen = tuple(n for n in NAMES if n not in BY_NAME_ONLY) if name == "all" else (name,)
    if unknown := [n for n in chosen if n not in NAMES]:
        raise UsageError(f"there is no benchmark {unknown[0]!r}: choose one of {', '.join(NAMES)}, or all")
    given = {
        "handler": handler, "concurrency": concurrency, "seeds": seeds, "ablation_seeds": ablation_seeds, "scenario": scenario, "contender": contender, "trace": trace,
        "hours": hours, "jobs": jobs, "minutes": minutes, "out": out,
    }  # fmt: skip
    options = {key: value for key, value in given.items() if value is not None}
    if strange := [key for key in options if key not in OPTIONS.get(name, ())]:
        owner = next(n for n, keys in OPTIONS.items() if strange[0] in keys)
        raise UsageError(f"--{strange[0].replace('_', '-')} goes with `fairlane bench {owner}` only")
    for one in chosen:
        if not json:
            print(f"{one}: goal {GOALS[one]}")
        result = {"bench": one, **load(one)(_say, **options)}
        print(orjson.dumps(result).decode(), flush=True)


def _say(line: str) -> None:
    print(line, file=sys.stderr, flush=True)
