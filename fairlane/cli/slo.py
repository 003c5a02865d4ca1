"""`fairlane slo status | list`: what is promised, and how it stands by the newest evaluation."""

from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Final

import orjson
import typer
from sqlalchemy import make_url

from fairlane.addresses import shown
from fairlane.app import words
from fairlane.cli.context import settings_of
from fairlane.cli.database import database
from fairlane.cli.slo_files import validate
from fairlane.cli.slo_gate import gate, unwaive, waive, waivers
from fairlane.cli.slo_report import report
from fairlane.cli.slo_show import show
from fairlane.cli.slo_templates import list_templates, new
from fairlane.objectives import objectives_of
from fairlane.settings import Settings
from slo.burn import Severity, State
from slo.clock import SystemClock
from slo.errors import NotFound
from slo.evaluation import Evaluation
from slo.history import History
from slo.objective import Objective

app = typer.Typer(no_args_is_help=True, add_completion=False, help="Objectives, error budgets and burn rates.")
app.command("validate")(validate)
app.command("show")(show)
app.command("templates")(list_templates)
app.command("new")(new)
app.command("gate")(gate)
app.command("waive")(waive)
app.command("unwaive")(unwaive)
app.command("waivers")(waivers)
app.command("report")(report)

STALE_S: Final = 120.0
"""Evaluations come each 15 s: an older one does not say how things are now."""
_SHAPES: Final = {State.OK: "●", State.FIRING: "▲", State.FROZEN: "◌"}

Json = Annotated[bool, typer.Option("--json", help="One JSON object instead of a table.")]


@app.command()
def status(context: typer.Context, *, json: Json = False) -> None:
    """How each objective stands, worst first: state, burn rates, budget left, time to exhaustion. No history yet is said, and is no failure."""
    settings = settings_of(context)
    try:
        evaluations = newest(settings)
    except NotFound as nothing:
        none: dict[str, object] = {
            "pipeline": settings.pipeline.name,
            "age_s": None,
            "stale": True,
            "objectives": [],
            "note": str(nothing),
        }
        print(orjson.dumps(none).decode() if json else f"No data: {nothing}")
        return
    age_s = SystemClock().now() - max(e.at_ms for e in evaluations) / 1000
    if json:
        stale = age_s > STALE_S
        print(
            orjson.dumps(
                {
                    "pipeline": settings.pipeline.name,
                    "age_s": age_s,
                    "stale": stale,
                    "objectives": [asdict(e) for e in evaluations],
                }
            ).decode()
        )
        return
    print(sentence(evaluations, age_s))
    rows = [
        ("SLO", "STATE", "EXHAUSTS IN", "SHORT", "LONG", "ABOVE", "BUDGET", "COVERED"),
        *(row(e) for e in evaluations),
    ]
    print("\n".join(table(rows)))


@app.command("list")
def list_(context: typer.Context, *, json: Json = False) -> None:
    """What is promised: targets, thresholds, windows, owners; the pipeline's own and those of slo.files. Needs neither Kafka nor the database."""
    settings = settings_of(context)
    pipeline, objectives = settings.pipeline, objectives_of(settings)
    if json:
        print(orjson.dumps({"pipeline": pipeline.name, "objectives": [described(o) for o in objectives]}).decode())
        return
    rows = [("SLO", "TARGET", "PERIOD", "PROMISE", "PAIRS", "OWNER")]
    rows += [
        (
            o.name,
            words.percent(float(o.target)),
            f"calendar {o.calendar.unit}" if o.calendar else f"{o.window_days} d",
            o.title,
            ", ".join(p.name for p in o.pairs),
            o.owner,
        )
        for o in objectives
    ]
    print("\n".join(table(rows)))


def newest(settings: Settings) -> list[Evaluation]:
    """The newest evaluations, worst first. Raises NotFound when there is none yet, Unreachable and StateDirectoryError for the database."""
    url = make_url(settings.database_url)
    if url.get_backend_name() == "sqlite" and url.database and not Path(url.database).exists():
        # Looking must not make a database.
        raise NotFound(f"there is no history at {url.database} yet. {_START}")
    with database(settings) as engine:
        found = list(History(engine).newest().values())
    if not found:
        raise NotFound(f"no objective of pipeline '{settings.pipeline.name}' has been evaluated yet. {_START}")
    return found


def sentence(evaluations: Sequence[Evaluation], age_s: float) -> str:
    """What to know, in one sentence."""
    if age_s > STALE_S:
        return (
            f"Blind: last evaluated {words.ago(age_s)}; nobody evaluates now. Is `fairlane serve controller` running?"
        )
    burning = [e for e in evaluations if e.severity is not Severity.NONE]
    if burning:
        worst = burning[0]
        until = ""
        if worst.exhaustion_s is not None:
            until = f", exhausts in {words.span(worst.exhaustion_s)}" if worst.exhaustion_s else ", its budget is spent"
        held = " (frozen: it was burning when the telemetry ended)" if worst.state is State.FROZEN else ""
        return f"Burning: {worst.slo} ({worst.severity}){until}{held}. Runbook: {worst.runbook}"
    frozen = sum(e.state is State.FROZEN for e in evaluations)
    if frozen:
        return f"Frozen: {words.many(frozen, 'objective has', 'objectives have')} too little telemetry to be judged; the rest is ok."
    return f"All {len(evaluations)} objectives are ok."


def row(e: Evaluation) -> tuple[str, ...]:
    """One line of the table, by the worst pair of windows."""
    worst = e.worst
    state = f"{_SHAPES[e.state]} {e.state}" + (f" {e.severity}" if e.severity is not Severity.NONE else "")
    known = worst.long_coverage
    covered = "no data" if not e.observed_s else words.percent(known) if known is not None else "not due yet"
    return (
        e.slo,
        state,
        "spent" if e.exhaustion_s == 0 else words.span(e.exhaustion_s),
        f"{_burn(worst.short_burn)} {worst.short_window}",
        f"{_burn(worst.long_burn)} {worst.long_window}",
        words.times(worst.threshold),
        words.budget(e.budget_left, e.budget_s) if e.observed_s else words.NONE,
        covered,
    )


def table(rows: Sequence[tuple[str, ...]]) -> list[str]:
    """Columns aligned."""
    widths = [max(len(line[n]) for line in rows) for n in range(len(rows[0]))]
    return ["  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip() for line in rows]


def described(o: Objective) -> dict[str, object]:
    """An objective for JSON; the target as text, exactly, and the address of its source without what is secret."""
    source = {"kind": type(o.source).__name__.lower(), **asdict(o.source)}
    if "url" in source:
        source["url"] = shown(str(source["url"]))
    slices = {"slice_s": o.timeslices.slice_s, "target": str(o.timeslices.target)} if o.timeslices else None
    return {
        "name": o.name,
        "pipeline": o.pipeline,
        "title": o.title,
        "sli": str(o.sli),
        "unit": o.unit,
        "population": str(o.population),
        "target": str(o.target),
        "threshold": o.threshold,
        "window_days": o.window_days,
        "calendar": asdict(o.calendar) if o.calendar else None,
        "timeslices": slices,
        "source": source,
        "owner": o.owner,
        "runbook": o.runbook,
        "windows": [{"pair": p.name, "factor": float(p.factor), "tier": str(p.tier)} for p in o.pairs],
    }


def _burn(value: float | None) -> str:
    return "no traffic" if value is None else words.times(value)


_START: Final = "Start `fairlane up` or `fairlane serve controller`, and ask again after 15 s."
