"""`fairlane bench NAME`: how fast we are, against a bare loop in the same run."""

import sys
from typing import Annotated

import orjson
import typer

from fairlane.bench import GOALS, NAMES, load
from slo.errors import UsageError


def bench(
    name: Annotated[str, typer.Argument(help=f"Which one: {', '.join(NAMES)}, or all.")] = "all",
    *,
    json: Annotated[bool, typer.Option("--json", help="Print nothing but one JSON object a benchmark.")] = False,
) -> None:
    """Measure our speed as ratios against bare loops in the same run."""
    chosen = NAMES if name == "all" else (name,)
    if unknown := [n for n in chosen if n not in NAMES]:
        raise UsageError(f"there is no benchmark {unknown[0]!r}: choose one of {', '.join(NAMES)}, or all")
    for one in chosen:
        if not json:
            print(f"{one}: goal {GOALS[one]}")
        result = {"bench": one, **load(one)(_say)}
        print(orjson.dumps(result).decode(), flush=True)


def _say(line: str) -> None:
    print(line, file=sys.stderr, flush=True)
