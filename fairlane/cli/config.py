"""`fairlane config`: what is in force, and what can be set."""

from typing import Annotated

import orjson
import typer

from fairlane import toml
from fairlane.cli.context import settings_of
from fairlane.reference import hidden, settings_reference

app = typer.Typer(help="Show the configuration in force, or list every setting.", no_args_is_help=True)


@app.command()
def show(context: typer.Context, *, json: Annotated[bool, typer.Option("--json", help="As JSON.")] = False) -> None:
    """Print the configuration in force, defaults included; passwords are masked."""
    tree = hidden(settings_of(context).tree())
    print(orjson.dumps(tree).decode() if json else toml.dumps(tree), end="\n" if json else "")


@app.command()
def keys(*, json: Annotated[bool, typer.Option("--json", help="As JSON.")] = False) -> None:
    """List every setting with its type, default, environment variable and meaning."""
    rows = settings_reference()
    if json:
        print(orjson.dumps([row.as_dict() for row in rows]).decode())
        return
    for row in rows:
        print(f"{row.path} = {row.default}  ({row.type}; {row.variable})\n    {row.meaning}")
