"""The reference pages, written from the code: settings, metrics, commands, errors, alerts. A law test holds docs/reference to them.

Run it with `.venv/bin/python -m fairlane.cli.docs`.
"""

import importlib
import pkgutil
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import typer
import typer.main
from pydantic import BaseModel

from alerts.rules import alerts, recordings
from fairlane.auth import matrix
from fairlane.auth.role import MEANINGS
from fairlane.reference import settings_reference
from fairlane.settings import Settings
from slo.catalogue import Metric
from slo.errors import FairlaneError

COMMAND: Final = ".venv/bin/python -m fairlane.cli.docs"
ROOMS: Final = ("slo", "ingestion", "isolator", "alerts", "dashboards", "fairlane")
_NOTE: Final = f"<!-- Written by `{COMMAND}` from the code. Do not edit. -->\n\n"
_SKIPPED: Final = "migrations"


def pages() -> dict[str, str]:
    """File name to content, for docs/reference."""
    return {
        "config.md": config_page(),
        "metrics.md": metrics_page(),
        "cli.md": cli_page(),
        "errors.md": errors_page(),
        "alerts.md": alerts_page(),
        "roles.md": roles_page(),
    }


def catalogue() -> dict[str, tuple[Metric, ...]]:
    """Every `metrics` module's METRICS, by module name; rooms in the order of the house, from the ground."""
    names = (name for room in ROOMS for name in _modules(room) if name.endswith(".metrics"))
    return {name: importlib.import_module(name).METRICS for name in names}


def error_classes() -> Iterator[type[FairlaneError]]:
    """The whole tree of errors, parents before children, from every room."""
    for room in ROOMS:
        for name in _modules(room):
            if name.rpartition(".")[2] in {"errors", "settings_errors"}:
                importlib.import_module(name)
    yield from _tree(FairlaneError)


# ----------------------------------------------------------------------------------------------------------------- pages


def config_page() -> str:
    """Every setting with its environment twin, default and meaning."""
    lines = [
        "# Settings\n",
        "A setting comes from, in this order: `--set KEY=VALUE` on the command line, the environment, `fairlane.toml`, its default. Unknown keys are refused by name.",
    ]
    section = None
    for one in settings_reference():
        head = one.path.rpartition(".")[0]
        if head != section:
            section = head
            title = f"`[{head}]`" if head else "Top level"
            lines += [
                f"\n## {title}\n",
                f"{_section_text(head)}\n",
                *_table("key", "type", "default", "environment", "meaning"),
            ]
        lines.append(
            _row(f"`{one.path}`", one.type, f"`{one.default}`" if one.default else "", f"`{one.variable}`", one.meaning)
        )
    return _page(lines)


def metrics_page() -> str:
    """Every catalogued metric."""
    lines = [
        "# Metrics\n",
        "Every process serves its own at `/metrics`. Rules and dashboards may use these names only.\n",
    ]
    for name, metrics in catalogue().items():
        lines += [f"\n## {name.rpartition('.')[0]}\n", *_table("metric", "type", "labels", "unit", "meaning")]
        lines += [
            _row(f"`{m.name}`", m.type, ", ".join(f"`{label}`" for label in m.labels), m.unit, m.meaning)
            for m in metrics
        ]
    lines += ["\n## Recorded by the generated rules\n", *_table("series", "expression")]
    for record in dict.fromkeys(rule.record for rule in recordings()):
        expr = next(rule.expr for rule in recordings() if rule.record == record)
        lines.append(_row(f"`{record}`", f"`{' '.join(expr.split())}`"))
    return _page(lines)


def cli_page() -> str:
    """Every command with its arguments and options."""
    lines = [
        "# Commands\n",
        "Exit codes: 0 ok, 1 failed, 2 usage, 3 budget, 4 unreachable. With `--json` the last line of standard output is one JSON object.\n",
    ]
    for path, command in commands():
        lines += [f"\n## `{' '.join(path)}`\n", f"{_text(command.help)}\n"]
        parameters = [
            p
            for p in command.params
            if not getattr(p, "hidden", False) and p.name not in {"help", "install_completion", "show_completion"}
        ]
        if parameters:
            lines += _table("parameter", "default", "meaning")
            lines += [_row(_spelled(p), _parameter_default(p), _text(getattr(p, "help", ""))) for p in parameters]
    return _page(lines)


def errors_page() -> str:
    """The tree of errors with exit code, status and problem type."""
    lines = [
        "# Errors\n",
        "An error's message says what is wrong, where, and what to do. Over HTTP it is a problem document (RFC 9457) whose `type` ends in the problem below.\n",
        *_table("error", "problem", "exit code", "HTTP status", "meaning"),
    ]
    for cls in error_classes():
        depth = len([c for c in cls.__mro__ if issubclass(c, FairlaneError)]) - 1
        lines.append(
            _row(
                f"{'&nbsp;&nbsp;' * depth}`{cls.__name__}`",
                f"`{cls.problem}`",
                str(cls.exit_code),
                str(cls.status),
                cls.__doc__.splitlines()[0] if cls.__doc__ else "",
            )
        )
    return _page(lines)


def alerts_page() -> str:
    """Every generated alert."""
    lines = [
        "# Alerts\n",
        "Written by `fairlane generate`. A louder tier silences the quieter ones of its pipeline, area and objective.\n",
        *_table("alert", "tier", "area", "for", "summary"),
    ]
    lines += [_row(f"[{a.name}](../runbooks/{a.name}.md)", str(a.tier), a.area, a.hold, a.summary) for a in alerts()]
    for alert in alerts():
        lines += [f"\n## {alert.name}\n", f"{alert.description}\n", f"```promql\n{alert.expr}\n```"]
    return _page(lines)


def roles_page() -> str:
    """Which role every route and command needs."""
    lines = [
        "# Roles\n",
        "Every role may read; `admin` may everything. How people get one: [say who may do what](../how-to/roles-and-keys.md).\n",
        *_table("role", "may"),
        *(_row(f"`{role}`", meaning) for role, meaning in MEANINGS.items()),
        "\n## Actions\n",
        "What people tell the controller, by `POST /api/v1/actions/{action}`, by the forms of the pages and by commands.\n",
        *_table("action", "role"),
        *(_row(f"`{action.replace('_', '-')}`", f"`{role}`") for action, role in matrix.ACTIONS.items()),
        "\n## Routes\n",
        *_table("route", "role"),
        *(_row(f"`{route}`", _rule(rule)) for route, rule in matrix.ROUTES.items()),
        "\n## Commands\n",
        "Held where `FAIRLANE_API_KEY` is given; without it the command line acts as the machine's owner.\n",
        *_table("command", "role"),
        *(_row(f"`fairlane {command}`", _rule(rule)) for command, rule in matrix.COMMANDS.items()),
    ]
    return _page(lines)


def _rule(rule: matrix.Rule) -> str:
    return "open" if rule is None else str(rule) if rule == matrix.BY_ACTION else f"`{rule}`"


def commands() -> Iterator[tuple[tuple[str, ...], Any]]:
    """Every command of the command line that is not hidden, with its path from `fairlane`."""
    from fairlane.cli import app

    yield from _commands(("fairlane",), typer.main.get_command(app))


# --------------------------------------------------------------------------------------------------------------- details


def _table(*columns: str) -> list[str]:
    return [_row(*columns), _row(*("---" for _ in columns))]


def _row(*cells: str) -> str:
    return "| " + " | ".join(" ".join(cell.split()).replace("|", "\\|") for cell in cells) + " |"


def _page(lines: list[str]) -> str:
    return _NOTE + "\n".join(lines) + "\n"


def _text(text: str | None) -> str:
    return " ".join((text or "").split())


def _modules(room: str) -> Iterator[str]:
    package = importlib.import_module(room)
    for info in sorted(pkgutil.walk_packages(package.__path__, f"{room}."), key=lambda i: i.name):
        if _SKIPPED not in info.name:
            yield info.name


def _tree(cls: type[FairlaneError]) -> Iterator[type[FairlaneError]]:
    yield cls
    for child in cls.__subclasses__():
        yield from _tree(child)


def _section_text(head: str) -> str:
    model: type[BaseModel] = Settings
    for part in filter(None, head.split(".")):
        model = model.model_fields[part].annotation  # type: ignore[assignment]  # a section is a model
    return f"{_text(model.__doc__)}\n"


def _commands(path: tuple[str, ...], command: Any) -> Iterator[tuple[tuple[str, ...], Any]]:
    if command.hidden:
        return
    yield path, command
    if hasattr(command, "list_commands"):
        context = typer.Context(command, info_name=path[-1])
        for name in command.list_commands(context):
            yield from _commands((*path, name), command.get_command(context, name))


def _spelled(parameter: Any) -> str:
    if parameter.param_type_name == "option":
        return ", ".join(f"`{name.strip()}`" for name in (*parameter.opts, *parameter.secondary_opts))
    return f"`{(parameter.name or '').upper()}`"


def _parameter_default(parameter: Any) -> str:
    if parameter.required:
        return "required"
    default = parameter.default
    if default is None or default is False or default in ("", ()) or callable(default):
        return ""
    return f"`{getattr(default, 'value', default)}`"


def main(out: Path = Path("docs/reference")) -> int:
    """Write the pages; says which changed."""
    out.mkdir(parents=True, exist_ok=True)
    for name, text in pages().items():
        path = out / name
        changed = not path.is_file() or path.read_text(encoding="utf-8") != text
        if changed:
            path.write_text(text, encoding="utf-8")
        print(f"{'written' if changed else 'unchanged'}  {path}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
