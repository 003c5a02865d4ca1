"""Commands that are imported when they are used: a worker's start does not pay for dashboards and alerts."""

from importlib import import_module
from typing import Any, Final

import typer
from typer.core import TyperGroup

COMMANDS: Final[dict[str, str]] = {
    "demo": "fairlane.cli.demo:demo",
    "up": "fairlane.cli.up:up",
    "serve": "fairlane.cli.serve:serve",
    "doctor": "fairlane.cli.doctor:doctor",
    "config": "fairlane.cli.config:app",
    "status": "fairlane.cli.isolate:app",
    "explain": "fairlane.cli.isolate:app",
    "move": "fairlane.cli.isolate:app",
    "restore": "fairlane.cli.isolate:app",
    "mode": "fairlane.cli.isolate:app",
    "protect": "fairlane.cli.isolate:app",
    "exempt": "fairlane.cli.isolate:app",
    "approve": "fairlane.cli.isolate:app",
    "decline": "fairlane.cli.isolate:app",
    "change": "fairlane.cli.isolate:app",
    "slo": "fairlane.cli.slo:app",
    "sla": "fairlane.cli.sla:app",
    "publish": "fairlane.cli.publish:publish",
    "keys": "fairlane.cli.keys:app",
    "audit": "fairlane.cli.audit:app",
    "capacity": "fairlane.cli.capacity:app",
    "quality": "fairlane.cli.quality:quality",
    "generate": "fairlane.cli.generate:generate",
    "pager": "fairlane.cli.pager:app",
    "bench": "fairlane.cli.bench:bench",
    "simulate": "fairlane.cli.simulate:simulate",
}
"""Command name to where it is: a function, a typer application that is a group of its own, or one that has a command of that name."""


class LazyGroup(TyperGroup):
    """A group whose commands are COMMANDS, in that order."""

    def list_commands(self, ctx: Any) -> list[str]:
        """Their names."""
        return [*super().list_commands(ctx), *COMMANDS]

    def get_command(self, ctx: Any, cmd_name: str) -> Any:
        """The command, imported now; None for a name that is none of ours."""
        if cmd_name not in COMMANDS:
            return super().get_command(ctx, cmd_name)
        module, _, attribute = COMMANDS[cmd_name].partition(":")
        target = getattr(import_module(module), attribute)
        if not isinstance(target, typer.Typer):
            alone = typer.Typer(add_completion=False)
            alone.command(cmd_name)(target)
            return typer.main.get_command(alone)
        found = typer.main.get_command(target)
        inner = found.get_command(ctx, cmd_name) if isinstance(found, TyperGroup) else None
        if inner is not None:
            return inner
        found.name = cmd_name
        return found
