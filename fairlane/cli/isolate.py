"""`fairlane move | restore | mode | status | explain | protect | exempt | approve | decline | change`: ask the isolator, or tell it what to do.

Everything goes through Kafka: a command is answered by the pipeline's controller (exit 4 when none does within 10 s), status and explain read the state topic.
"""

from dataclasses import replace
from enum import StrEnum
from typing import Annotated, Any

import orjson
import typer

from fairlane.app.desk import KafkaDesk
from fairlane.app.nearest import unknown
from fairlane.auth.identity import OS
from fairlane.auth.trail import AuditedDesk
from fairlane.cli.acting import as_person, trail_of
from fairlane.cli.context import quiet_client, reachable, settings_of
from fairlane.durations import duration_s
from fairlane.settings import Settings
from ingestion.contracts.names import Lane
from ingestion.contracts.routes import Mode
from ingestion.contracts.telemetry import Action, Command
from isolator import commands, snapshot, words
from isolator.answers import Answer
from isolator.explain import explain as explanation
from isolator.state import StateReader, StateView
from slo.clock import SystemClock
from slo.errors import NoController, NotFound, UsageError

app = typer.Typer(no_args_is_help=True, add_completion=False)


class SideLane(StrEnum):
    """Where a token can be moved to; back to general is `restore`."""

    OVERFLOW = "overflow"
    QUARANTINE = "quarantine"


BLIND_S = 60.0

Token = Annotated[str, typer.Argument(help="The tenant's token.")]
Json = Annotated[bool, typer.Option("--json", help="One JSON object instead of lines.")]
Why = Annotated[str, typer.Option("--reason", help="Why; kept with the decision.")]
By = Annotated[
    str, typer.Option("--by", help="Who asks; default: the OS user. A key in FAIRLANE_API_KEY says it itself.")
]
For = Annotated[
    str, typer.Option("--for", help="How long it holds: 90s, 30m, 2h, 1d; default: until it is taken back.")
]


_COMMANDS = {Action.RESTORE_ALL: "restore", Action.CLEAR: "protect"}
"""Actions whose command is called otherwise."""


def _send(context: typer.Context, action: Action, *, json: bool, **details: Any) -> None:
    settings = reachable(settings_of(context))
    _tell(context, settings, commands.command(settings.pipeline.name, action, SystemClock(), **details), json=json)


def _tell(context: typer.Context, settings: Settings, wanted: Command, *, json: bool) -> None:
    """Send it as who is acting, record it, say what came of it."""
    with as_person(context, _COMMANDS.get(wanted.action, str(wanted.action))) as who:
        if who.via != OS:
            wanted = replace(wanted, by=who.name)
        desk = AuditedDesk(KafkaDesk(quiet_client(settings)), trail_of(settings, SystemClock()))
        answer = desk.send(wanted)
    print(_answered(answer) if json else answer.message)


def _answered(answer: Answer) -> str:
    return orjson.dumps(
        {"ok": answer.ok, "message": answer.message, "verdict_id": answer.verdict_id, "at_ms": answer.at_ms}
    ).decode()


def _view(settings: Settings) -> StateView:
    name = settings.pipeline.name
    reader = StateReader(quiet_client(settings), [name])
    try:
        reader.catch_up()
        return reader.view(name)
    finally:
        reader.close()


@app.command()
def move(
    context: typer.Context,
    token: Token,
    *,
    lane: Annotated[SideLane, typer.Option("--to", help="Which lane.")] = SideLane.OVERFLOW,
    reason: Why = "",
    by: By = "",
    hold: For = "",
    json: Json = False,
) -> None:
    """Move a token out of the general lane, with its backlog. It comes back when its time is up, or when it is calm."""
    where = Lane(lane)
    _send(context, Action.MOVE, json=json, token=token, lane=where, reason=reason, by=by, for_s=duration_s(hold))


@app.command()
def restore(
    context: typer.Context,
    token: Annotated[str, typer.Argument(help="The tenant's token.")] = "",
    *,
    everyone: Annotated[bool, typer.Option("--all", help="Everybody who is moved.")] = False,
    reason: Why = "",
    by: By = "",
    json: Json = False,
) -> None:
    """Bring a token back to the general lane as soon as its lane has caught up."""
    if everyone == bool(token):
        raise UsageError("restore: name one token, or say --all")
    action = Action.RESTORE_ALL if everyone else Action.RESTORE
    _send(context, action, json=json, token=token, reason=reason, by=by)


@app.command()
def mode(
    context: typer.Context,
    mode: Annotated[Mode, typer.Argument(help="off stops at once, observe only records, suggest asks, auto acts.")],
    *,
    reason: Why = "",
    by: By = "",
    json: Json = False,
) -> None:
    """Set what the isolator may do. `off` is the kill switch: moved tokens stay where they are, `restore --all` brings them back."""
    _send(context, Action.MODE, json=json, mode=str(mode), reason=reason, by=by)


@app.command()
def protect(
    context: typer.Context,
    token: Token,
    *,
    clear: Annotated[bool, typer.Option("--clear", help="Take back what was said of it.")] = False,
    reason: Why = "",
    by: By = "",
    hold: For = "",
    json: Json = False,
) -> None:
    """Never move a token, neither by the policy nor by hand."""
    action = Action.CLEAR if clear else Action.PROTECT
    _send(context, action, json=json, token=token, reason=reason, by=by, for_s=duration_s(hold))


@app.command()
def exempt(
    context: typer.Context,
    token: Token,
    *,
    clear: Annotated[bool, typer.Option("--clear", help="Take back what was said of it.")] = False,
    reason: Why = "",
    by: By = "",
    hold: For = "",
    json: Json = False,
) -> None:
    """Keep the policy from picking a token (a known backfill, say); a person may still move it."""
    action = Action.CLEAR if clear else Action.EXEMPT
    _send(context, action, json=json, token=token, reason=reason, by=by, for_s=duration_s(hold))


@app.command()
def approve(
    context: typer.Context,
    token: Annotated[str, typer.Argument(help="The proposal's token or id.")],
    *,
    reason: Why = "",
    by: By = "",
    hold: For = "",
    json: Json = False,
) -> None:
    """Carry a proposed move out."""
    _send(context, Action.APPROVE, json=json, token=token, reason=reason, by=by, for_s=duration_s(hold))


@app.command()
def decline(
    context: typer.Context,
    token: Annotated[str, typer.Argument(help="The proposal's token or id.")],
    *,
    reason: Why = "",
    by: By = "",
    hold: For = "",
    json: Json = False,
) -> None:
    """Refuse a proposed move: it is not proposed again for a while."""
    _send(context, Action.DECLINE, json=json, token=token, reason=reason, by=by, for_s=duration_s(hold))


@app.command()
def change(
    context: typer.Context,
    service: Annotated[str, typer.Argument(help="What was changed, such as worker or geoip.")],
    version: Annotated[str, typer.Argument(help="What it was changed to.")] = "",
    *,
    note: Annotated[str, typer.Option("--note", help="What else to know.")] = "",
    ago: Annotated[str, typer.Option("--ago", help="How long ago: 90s, 30m; default: just now.")] = "",
    by: By = "",
    json: Json = False,
) -> None:
    """Tell of a deploy or another change: it moves nobody, it stands in the pictures and beside a diagnosis that it may explain."""
    settings = reachable(settings_of(context))
    clock = SystemClock()
    lapse_s = duration_s(ago, "--ago")
    told = commands.command(settings.pipeline.name, Action.CHANGE, clock, by=by, reason=note)
    happened_ms = None if lapse_s is None else told.at_ms - int(lapse_s * 1000)
    told = replace(told, service=service, version=version, happened_ms=happened_ms)
    _tell(context, settings, told, json=json)


@app.command()
def status(context: typer.Context, *, json: Json = False) -> None:
    """What the isolator last saw and did. Exit 4 when it has never looked at the pipeline, or not for a minute."""
    settings = reachable(settings_of(context))
    view = _view(settings)
    seen = view.status
    if seen is None:
        raise NoController(
            f"no controller has looked at pipeline {settings.pipeline.name} yet: start `fairlane up` or `fairlane serve controller`"
        )
    age_s = max(SystemClock().now() - seen.at_ms / 1000, 0.0)
    if json:
        print(orjson.dumps({**seen.as_dict(), "age_s": age_s}).decode())
    else:
        print(seen.sentence)
        print(
            f"mode {seen.mode}, diagnosis {seen.diagnosis}, rho {words.number(seen.rho)}, {words.duration(age_s)} ago"
        )
        for route in sorted(view.table.moved(), key=lambda r: r.since_ms):
            print(f"  {route.token} -> {route.lane} ({route.reason}, by {route.by})")
    if age_s > BLIND_S:
        raise NoController(
            f"the controller of pipeline {settings.pipeline.name} last decided {words.duration(age_s)} ago: is it running?"
        )


@app.command()
def explain(context: typer.Context, token: Token, *, json: Json = False) -> None:
    """Why a token is where it is: every verdict of the last 24 h with what was observed, the threshold, and what else was considered."""
    settings = reachable(settings_of(context))
    view = _view(settings)
    found = explanation(view, token, int(SystemClock().now() * 1000))
    if found.empty:
        learned = snapshot.decode(view.snapshot[n] for n in sorted(view.snapshot))
        names = learned[0] if learned else ()
        if token not in names:
            told = {*view.table.routes, *view.marks, *(v.token for v in view.verdicts.values() if v.token)}
            raise NotFound(unknown(token, names, told))
    print(orjson.dumps(found.as_dict()).decode() if json else "\n".join(found.lines()))
