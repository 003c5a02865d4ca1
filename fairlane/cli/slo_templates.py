"""`fairlane slo templates | new`: OpenSLO documents to begin with."""

from typing import Annotated

import orjson
import typer

from slo.errors import UsageError
from slo.templates import template, templates

Json = Annotated[bool, typer.Option("--json", help="One JSON object instead of sentences.")]


def list_templates(*, json: Json = False) -> None:
    """Templates of objectives that teams write again and again, with their variables."""
    found = templates()
    if json:
        print(
            orjson.dumps({t.name: {"title": t.title, "variables": dict(t.variables)} for t in found.values()}).decode()
        )
        return
    width = max(len(name) for name in found)
    for t in found.values():
        print(f"{t.name.ljust(width)}  {t.title}")
        print(f"{' ' * width}  {' '.join(f'--set {k}={v!r}' for k, v in t.variables.items())}")


def new(
    name: Annotated[str, typer.Argument(help="The template; `fairlane slo templates` lists them.", show_default=False)],
    settings: Annotated[
        list[str] | None, typer.Option("--set", help="A variable, such as service=search (several times).")
    ] = None,
) -> None:
    """Print a template as OpenSLO documents: put them in a file and name it in `slo.files`."""
    values: dict[str, str] = {}
    for one in settings or []:
        key, equals, value = one.partition("=")
        if not equals or not value:
            raise UsageError(f"--set {one}: write it as variable=value")
        values[key] = value
    print(template(name).fill(values), end="")
