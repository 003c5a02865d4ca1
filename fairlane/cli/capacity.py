"""`fairlane capacity`: which limit is reached first, and does that leave time to raise it; `record` tells a value, `gate` is for a deploy pipeline, `waive` its exception."""

import math
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Annotated

import orjson
import typer
from uuid_utils import uuid7

from fairlane.app import words
from fairlane.app.capacity_view import CapacityView, build
from fairlane.auth.audit import Deed, noted
from fairlane.auth.identity import OS
from fairlane.capacity.watch import Round, look
from fairlane.capacity.watched import Watched, watched
from fairlane.cli.acting import as_person, trail_of
from fairlane.cli.context import settings_of
from fairlane.cli.database import database
from fairlane.durations import duration_s
from slo.budget_policy import Waiver
from slo.capacity.standing import Stage
from slo.capacity.store import Samples
from slo.clock import SystemClock
from slo.errors import BudgetError, NotFound, Unreachable, UsageError
from slo.waivers import Waivers

app = typer.Typer(add_completion=False, help="Limits, when they are reached, and what things cost.")
WAIVER = "capacity/"
"""Before a limit's name: how its exceptions are kept among those of objectives."""

Json = Annotated[bool, typer.Option("--json", help="One JSON object instead of sentences.")]


@app.callback(invoke_without_command=True)
def capacity(context: typer.Context, *, json: Json = False) -> None:
    """Every limit, worst first: now, trigger, critical, lead time, forecast with its interval, slack, owner, project; then the cost budgets."""
    if context.invoked_subcommand is not None:
        return
    _, found = _look(context)
    view = build(found)
    print(orjson.dumps(view).decode() if json else "\n".join(lines(view)))


@app.command()
def record(
    context: typer.Context,
    name: Annotated[str, typer.Argument(help="A limit or a cost budget (its cost a day).")],
    value: Annotated[float, typer.Argument(help="In its own unit.")],
    at: Annotated[
        str, typer.Option("--at", help="When it was so: 2026-11-21 or 2026-11-21T12:00; now without it.")
    ] = "",
) -> None:
    """Tell a value that nothing measures."""
    now = SystemClock().now()
    known = watched(settings_of(context))
    if name not in known.names:
        raise NotFound(f"there is no limit or budget '{name}'; known are {', '.join(known.names)}")
    if not (math.isfinite(value) and value >= 0):
        raise UsageError(f"a value is a number from 0 up, not {value}")
    when = _moment(at) if at else now
    if when > now + 60:
        raise UsageError(f"--at {at}: that is yet to come; only what was can be told")
    with as_person(context, "capacity record"), database(settings_of(context)) as engine:
        Samples(engine).put({(name, int(when)): value})
        told = {"value": f"{value:g}", "at": words.utc(when)}
        trail_of(settings_of(context), SystemClock()).record(Deed("capacity.record", name, details=told))
    print(f"{name}: {value:g} at {words.utc(when)}")


@app.command()
def gate(
    context: typer.Context,
    limit: Annotated[
        list[str] | None, typer.Option("--limit", help="Only these (several times); all without it.")
    ] = None,
    *,
    json: Json = False,
) -> None:
    """May a change that uses more go out? Exit code 0: yes; 3: a limit or a cost budget is red and nobody has approved an exception; 4: nothing is known."""
    known, found = _look(context)
    if unknown := [name for name in limit or () if name not in known.names]:
        raise NotFound(f"there is no limit or budget {', '.join(unknown)}; known are {', '.join(known.names)}")
    stages = {s.limit.name: s.stage for s in found.standings} | {c.budget.name: c.stage for c in found.costs}
    asked = {name: stage for name, stage in stages.items() if not limit or name in limit}
    if all(stage is Stage.UNKNOWN for stage in asked.values()):
        raise Unreachable("nobody knows how full anything is. Is `fairlane serve controller` running?")
    with database(settings_of(context)) as engine:
        waivers = Waivers(engine).all()
    now_ms = int(found.at_s * 1000)
    excused = {
        name: waiver
        for name in asked
        if (waiver := next((w for w in waivers if w.slo == WAIVER + name and w.holds(w.slo, now_ms)), None))
    }
    closed = [name for name, stage in asked.items() if stage is Stage.RED and name not in excused]
    unknown = [name for name, stage in asked.items() if stage is Stage.UNKNOWN]
    if json:
        told = {name: {"stage": str(stage), "blocks": name in closed} for name, stage in asked.items()}
        print(orjson.dumps({"open": not closed, "unknown": unknown, "limits": told}).decode())
    elif closed:
        print(
            f"Closed: {', '.join(closed)} {'is' if len(closed) == 1 else 'are'} red. Raise it, or `fairlane capacity waive` with an approver."
        )
    else:
        print(
            f"Open, but nobody knows how full {', '.join(unknown)} {'is' if len(unknown) == 1 else 'are'}."
            if unknown
            else "Open."
        )
    if not json:
        for name, waiver in excused.items():
            print(
                f"  {name}: {asked[name]}; exception by {waiver.by} until {words.utc(waiver.expires_ms / 1000)}: {waiver.reason}"
            )
    if closed:
        raise typer.Exit(BudgetError.exit_code)


@app.command()
def waive(
    context: typer.Context,
    limit: Annotated[str, typer.Argument(help="A limit or a cost budget.")],
    by: Annotated[str, typer.Option("--by", help="Who approves it.", show_default=False)],
    reason: Annotated[str, typer.Option("--reason", help="Why it must go out nevertheless.", show_default=False)],
    lasting: Annotated[str, typer.Option("--for", help="How long: 30m, 4h, 2d; at most 14d.")] = "4h",
) -> None:
    """Let changes pass a red limit for a while. It stands in `fairlane slo waivers` for ever; `fairlane slo unwaive` ends it."""
    known = watched(settings_of(context))
    if limit not in known.names:
        raise NotFound(f"there is no limit or budget '{limit}'; known are {', '.join(known.names)}")
    now_ms = int(SystemClock().now() * 1000)
    until_ms = now_ms + int((duration_s(lasting) or 0) * 1000)
    with as_person(context, "capacity waive") as who, database(settings_of(context)) as engine:
        approver = by if who.via == OS else who.name
        waiver = Waiver(str(uuid7()), WAIVER + limit, approver, reason, now_ms, until_ms)
        told = {"id": waiver.id, "until": words.utc(until_ms / 1000), "reason": reason}
        Waivers(engine).grant(waiver, noted(Deed("waiver.grant", waiver.slo, details=told, by=by), now_ms))
    print(f"{waiver.id}: {limit} until {words.utc(until_ms / 1000)}, approved by {waiver.by}: {reason}")


def lines(view: CapacityView) -> Iterator[str]:
    """The answer first, then a block for each limit."""
    yield view.sentence
    for row in view.limits:
        yield f"{row.state.shape} {row.word:<7} {row.name}: {row.title}"
        yield f"    now {row.now}, trigger {row.trigger}, critical {row.critical}; lead time {row.lead}"
        yield f"    reached {row.breach}{f' ({row.interval})' if row.interval else ''}; slack {row.slack}"
        yield f"    {row.owner}: {row.project}{f' {row.link}' if row.link else ''}"
    for cost in view.costs:
        yield f"{cost.state.shape} {cost.word:<7} {cost.name}: {cost.title}"
        yield f"    spent {cost.spent} of {cost.monthly}; the month ends at {cost.ends}; week on week {cost.week}; {cost.owner}"


def _look(context: typer.Context) -> tuple[Watched, Round]:
    known = watched(settings_of(context))
    with database(settings_of(context)) as engine:
        return known, look(Samples(engine), known, SystemClock().now())


def _moment(text: str) -> float:
    try:
        when = datetime.fromisoformat(text)
    except ValueError as error:
        raise UsageError(f"--at {text}: {error}; write it as 2026-11-21 or 2026-11-21T12:00") from error
    return (when if when.tzinfo else when.replace(tzinfo=UTC)).timestamp()
