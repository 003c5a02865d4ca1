"""The one command line: `fairlane COMMAND`. Exit codes: 0 ok, 1 failed, 2 usage, 3 budget, 4 unreachable, 130 interrupted."""

import sys
from importlib.metadata import version
from pathlib import Path
from typing import Annotated

import typer

from fairlane.cli.context import Globals, parse_assignment
from fairlane.cli.lazy import LazyGroup
from slo.errors import FairlaneError

INTERRUPTED = 130
app = typer.Typer(cls=LazyGroup, no_args_is_help=True, pretty_exceptions_enable=False, add_completion=True)


def _version(wanted: bool) -> None:
    if wanted:
        print(f"fairlane {version('fairlane')}")
        raise typer.Exit


@app.callback()
def options(
    context: typer.Context,
    *,
    config: Annotated[
        Path | None,
        typer.Option(
            "--config",
            "-c",
            envvar="FAIRLANE_CONFIG",
            help="Configuration file (TOML); default: fairlane.toml here, if there is one.",
        ),
    ] = None,
    state_dir: Annotated[
        Path | None, typer.Option(help="Where the local Kafka, databases and logs live (FAIRLANE_STATE_DIR).")
    ] = None,
    assignments: Annotated[
        list[str] | None,
        typer.Option(
            "--set",
            metavar="SECTION.NAME=VALUE",
            help="Set any setting; may be repeated. `fairlane config keys` lists them.",
        ),
    ] = None,
    _show_version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Show the version.")
    ] = False,
) -> None:
    """Keeps an event-ingestion pipeline on Kafka inside its SLOs when a handful of tenants would push it out."""
    overrides = dict(parse_assignment(text) for text in assignments or ())
    if state_dir is not None:
        overrides["state_dir"] = str(state_dir)
    context.obj = Globals(config, overrides)


def main() -> None:
    """Run the command line; every error that a person can meet becomes one message on stderr and its exit code."""
    try:
        app(prog_name="fairlane")
    except FairlaneError as error:
        print(f"fairlane: {error}", file=sys.stderr)
        sys.exit(error.exit_code)
    except KeyboardInterrupt:
        print("fairlane: interrupted", file=sys.stderr)
        sys.exit(INTERRUPTED)
