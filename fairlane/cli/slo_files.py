"""`fairlane slo validate`: are these OpenSLO v1 documents, and what becomes of them?"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import orjson
import typer

from fairlane.objectives import documents
from slo.errors import UsageError
from slo.openslo.read import Bundle, Problem
from slo.openslo.translate import Translation

Json = Annotated[bool, typer.Option("--json", help="One JSON object instead of sentences.")]


def validate(
    files: Annotated[
        list[Path], typer.Argument(help="Files, or folders of .yaml, .yml and .json files.", show_default=False)
    ],
    *,
    prometheus: Annotated[str, typer.Option(help="URL of the Prometheus that sources without one are read from.")] = "",
    json: Json = False,
) -> None:
    """Check OpenSLO v1 documents. Exit code 0: all are valid (what cannot be measured here is told); 1: an impossible promise is refused; 2: some are not valid."""
    bundle, translation = checked(files, prometheus)
    if json:
        print(orjson.dumps(told(bundle, translation)).decode())
    else:
        print("\n".join(sentences(bundle, translation)))
    if bundle.problems:
        raise typer.Exit(UsageError.exit_code)
    if translation.refused:
        raise typer.Exit(1)


def checked(files: Iterable[Path], prometheus: str = "") -> tuple[Bundle, Translation]:
    """The documents of all files as one set, and what becomes of them. Raises ConfigError for a file that cannot be read."""
    # a source without a URL of its own is valid: where it is read is told when it is run
    return documents(files, prometheus or "http://localhost:9090")


def told(bundle: Bundle, translation: Translation) -> dict[str, object]:
    """For JSON: `valid` is the specification's word, `usable` ours."""
    return {
        "valid": not bundle.problems,
        "usable": not (bundle.problems or translation.refused or translation.left_out),
        "objects": [{"kind": kind, "name": name, "file": o.file} for (kind, name), o in bundle.objects.items()],
        "objectives": [
            {"name": o.name, "target": str(o.target), "window_days": o.window_days, "pairs": [p.name for p in o.pairs]}
            for o in translation.objectives
        ],
        "problems": [asdict(p) for p in bundle.problems],
        "unresolved": [asdict(p) for p in bundle.unresolved],
        "refused": [asdict(p) for p in translation.refused],
        "left_out": [asdict(p) for p in translation.left_out],
        "notes": [asdict(p) for p in translation.notes],
    }


def sentences(bundle: Bundle, translation: Translation) -> Iterator[str]:
    """For people: what is wrong first."""
    yield from _listed("not valid", bundle.problems)
    yield from _listed("refused", translation.refused)
    yield from _listed("not in this set", bundle.unresolved)
    yield from _listed("left out", translation.left_out)
    yield from _listed("note", translation.notes)
    many = f"{len(bundle.objects)} object{'s' * (len(bundle.objects) != 1)}, {len(translation.objectives)} objective{'s' * (len(translation.objectives) != 1)}"
    if bundle.problems:
        yield f"Not valid: {len(bundle.problems)} problem{'s' * (len(bundle.problems) != 1)}; {many}."
    elif translation.refused:
        yield f"Valid OpenSLO v1, but {len(translation.refused)} could never hold or never fire; {many}."
    else:
        yield f"Valid OpenSLO v1: {many}."


def _listed(word: str, problems: Sequence[Problem]) -> Iterator[str]:
    for problem in problems:
        yield f"{word}: {problem}"
