"""`fairlane slo gate`: the exit code that a deploy pipeline asks for; `slo waive`, `waivers` and `unwaive` are its exceptions."""

from collections.abc import Iterator
from dataclasses import asdict
from datetime import UTC, datetime
from typing import Annotated, Final

import orjson
import typer
from uuid_utils import uuid7

from fairlane.app import words
from fairlane.auth.audit import Deed, noted
from fairlane.auth.identity import OS
from fairlane.cli.acting import as_person
from fairlane.cli.context import settings_of
from fairlane.cli.database import database
from fairlane.durations import duration_s
from fairlane.objectives import objectives_of
from slo.budget_policy import Gate, Judgement, Stage, Waiver
from slo.budget_policy import gate as judge
from slo.clock import SystemClock
from slo.errors import BudgetError, NotFound, Unreachable
from slo.history import History
from slo.waivers import Waivers

STALE_S: Final = 600.0
"""An evaluation older than this does not say whether a deploy may go on."""

Json = Annotated[bool, typer.Option("--json", help="One JSON object instead of sentences.")]
By = Annotated[str, typer.Option("--by", help="Who approves it.", show_default=False)]


def gate(
    context: typer.Context,
    objective: Annotated[
        list[str] | None, typer.Option("--slo", help="Only these objectives (several times); all without it.")
    ] = None,
    *,
    json: Json = False,
) -> None:
    """May a change go out? Exit code 0: yes; 3: an error budget is nearly spent and nobody has approved an exception; 4: nobody knows."""
    now = SystemClock().now()
    with database(settings_of(context)) as engine:
        found = History(engine).newest()
        waivers = Waivers(engine).all()
    names = [o.name for o in objectives_of(settings_of(context))]
    wanted = objective or names
    if unknown := [name for name in wanted if name not in names]:
        raise NotFound(f"there is no objective {', '.join(unknown)}; `fairlane slo list` names them")
    evaluations = [found[name] for name in wanted if name in found]
    unheard = [name for name in wanted if name not in found or now - found[name].at_ms / 1000 > STALE_S]
    if unheard:
        newest = now - max((e.at_ms for e in evaluations), default=0) / 1000
        when = f"the last evaluation was {words.ago(newest)}" if evaluations else "nothing has been evaluated yet"
        if len(unheard) < len(wanted):
            when = f"{', '.join(unheard)} {'was' if len(unheard) == 1 else 'were'} not evaluated lately"
        raise Unreachable(f"nobody knows whether it may go on: {when}. Is `fairlane serve controller` running?")
    answer = judge(evaluations, waivers, int(now * 1000))
    if json:
        print(orjson.dumps(told(answer)).decode())
    else:
        print("\n".join(sentences(answer)))
    if not answer.open:
        raise typer.Exit(BudgetError.exit_code)


def waive(
    context: typer.Context,
    by: By,
    reason: Annotated[str, typer.Option("--reason", help="Why it must go out nevertheless.", show_default=False)],
    lasting: Annotated[str, typer.Option("--for", help="How long: 30m, 4h, 2d; at most 14d.")] = "4h",
    objective: Annotated[str, typer.Option("--slo", help="For one objective; for all without it.")] = "",
) -> None:
    """Allow changes during a freeze, for a while. It is kept for ever who did, and why."""
    if objective and objective not in {o.name for o in objectives_of(settings_of(context))}:
        raise NotFound(f"there is no objective {objective}; `fairlane slo list` names them")
    now_ms = int(SystemClock().now() * 1000)
    length_ms = int((duration_s(lasting) or 0) * 1000)
    with as_person(context, "slo waive") as who, database(settings_of(context)) as engine:
        approver = by if who.via == OS else who.name
        waiver = Waiver(str(uuid7()), objective, approver, reason, now_ms, now_ms + length_ms)
        until = _utc(waiver.expires_ms)
        told_of = {"id": waiver.id, "until": until, "reason": reason}
        Waivers(engine).grant(waiver, noted(Deed("waiver.grant", objective or "all", details=told_of, by=by), now_ms))
    print(f"{waiver.id}: {objective or 'all objectives'} until {until}, approved by {approver}: {reason}")


def unwaive(context: typer.Context, waiver: Annotated[str, typer.Argument(help="Its id.")]) -> None:
    """End an exception now."""
    with as_person(context, "slo unwaive"), database(settings_of(context)) as engine:
        now_ms = int(SystemClock().now() * 1000)
        Waivers(engine).revoke(waiver, now_ms, noted(Deed("waiver.revoke", waiver), now_ms))
    print(f"{waiver} has ended")


def waivers(context: typer.Context, *, json: Json = False) -> None:
    """Every exception ever, newest first."""
    now_ms = int(SystemClock().now() * 1000)
    with database(settings_of(context)) as engine:
        found = Waivers(engine).all()
    if json:
        print(orjson.dumps([{**asdict(w), "holds": w.holds(w.slo, now_ms)} for w in found]).decode())
        return
    for w in found:
        state = "holds" if w.holds(w.slo, now_ms) else "revoked" if w.revoked_ms is not None else "over"
        print(f"{w.id}  {state}  {w.slo or 'all'}  {_utc(w.since_ms)} to {_utc(w.expires_ms)}  {w.by}: {w.reason}")
    if not found:
        print("There has been no exception.")


def told(answer: Gate) -> dict[str, object]:
    """For JSON."""
    return {
        "open": answer.open,
        "stage": str(answer.stage),
        "objectives": [{**asdict(j), "stage": str(j.stage), "blocks": j.blocks} for j in answer.judgements],
    }


def sentences(answer: Gate) -> Iterator[str]:
    """The answer first, then what needs care."""
    blocked = [j for j in answer.judgements if j.blocks]
    if blocked:
        yield f"Closed: {words.many(len(blocked), 'error budget is', 'error budgets are')} frozen. Mend what burns, or `fairlane slo waive` with an approver."
    else:
        yield f"Open ({answer.stage})."
    for j in answer.judgements:
        if j.stage is not Stage.HEALTHY:
            yield f"  {_line(j)}"


def _line(j: Judgement) -> str:
    if j.stage is Stage.UNKNOWN:
        return f"{j.slo}: nothing was observed yet"
    more = "; burning now" if j.burning else ""
    more += "; telemetry is missing, this is the last that was known" if j.frozen else ""
    allowed = f"; exception by {j.waiver.by}: {j.waiver.reason}" if j.waiver else ""
    return f"{j.slo}: {j.stage}, {j.budget_left:.1%} of its budget left{more}{allowed}"


def _utc(at_ms: int) -> str:
    return datetime.fromtimestamp(at_ms / 1000, UTC).strftime("%Y-%m-%d %H:%M UTC")
