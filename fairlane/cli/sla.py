"""`fairlane sla`: SLA months, looked at, signed and checked; announced maintenance."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from datetime import UTC, datetime
from typing import Annotated

import orjson
import typer
from sqlalchemy import Engine
from uuid_utils import uuid7

from fairlane.app import sla_view, sla_words
from fairlane.auth.audit import AuditLog, Deed, noted
from fairlane.auth.identity import OS, Identity
from fairlane.cli.acting import as_person
from fairlane.cli.context import settings_of
from fairlane.cli.database import database
from fairlane.objectives import objectives_of
from fairlane.settings import Settings
from fairlane.sla import files
from fairlane.sla.months import Months
from fairlane.sla.proof import Proof, prove
from fairlane.sla.signing import SignedMonths
from fairlane.sla.times import instant
from slo.adjust import Adjustment, Adjustments
from slo.calendar import Calendar, Unit
from slo.clock import SystemClock
from slo.errors import Conflict, NotFound

app = typer.Typer(no_args_is_help=True, add_completion=False, help="SLA months and announced maintenance.")

Json = Annotated[bool, typer.Option("--json", help="One JSON object instead of sentences.")]
Month = Annotated[str, typer.Argument(help="Such as 2026-10.", show_default=False)]
By = Annotated[str, typer.Option("--by", help="Who answers for it.", show_default=False)]


@app.command("list")
def list_(context: typer.Context, *, json: Json = False) -> None:
    """The months, newest first: running, draft or signed."""
    with _months(context) as months:
        found = months.list()
    if json:
        print(orjson.dumps([{"month": e.month, "stage": str(e.stage)} for e in found]).decode())
        return
    print("\n".join(f"{e.month}  {e.stage}" for e in found) or "Nothing has been measured yet.")


@app.command()
def show(
    context: typer.Context,
    month: Annotated[str, typer.Argument(help="Such as 2026-10; the newest that is over without it.")] = "",
    *,
    json: Json = False,
    csv: Annotated[bool, typer.Option("--csv", help="CSV instead of sentences.")] = False,
) -> None:
    """One month as the page shows it: the sentence, the promises, incidents, maintenance. Exit code 1: there is no such month."""
    with _months(context) as months:
        name = month or months.latest()
        if name is None:
            raise NotFound("nothing has been measured yet; start `fairlane up` or `fairlane serve controller`")
        sheet = months.get(name)
        entries = months.list()
    if json:
        print(files.json_of(sheet).decode())
    elif csv:
        print(files.csv_of(sheet), end="")
    else:
        print("\n".join(_said(sla_view.build(sheet, entries, SystemClock().now()))))


@app.command()
def sign(
    context: typer.Context,
    month: Month,
    by: By = "",
    note: Annotated[str, typer.Option(help="What readers should know.")] = "",
    *,
    json: Json = False,
) -> None:
    """Sign a month that is over. It never changes again: data that comes later is told beside it. Exit code 1: it is not over, or signed already."""
    with as_person(context, "sla sign") as who, _months(context) as months:
        sheet = months.sign(month, _name(who, by), note, by)
        digest = sheet.signed.sha256 if sheet.signed else ""
    if json:
        print(orjson.dumps({key: value for key, value in files.told(sheet).items() if key != "document"}).decode())
        return
    print(f"{month} is signed by {sheet.signed.by if sheet.signed else by}. SHA-256 {digest}")
    if SystemClock().now() < sheet.settled_s:
        print(f"Late data may come until {_utc(sheet.settled_s)}; it would be told beside the signed numbers.")


@app.command()
def verify(context: typer.Context, *, json: Json = False) -> None:
    """Check that every signed month is what was signed, by its digests and by the audit log, and tell what they cover. Exit code 1: one is not."""
    settings = settings_of(context)
    with database(settings) as engine:
        found = prove(SignedMonths(engine, settings.pipeline.name), AuditLog(engine), settings.pipeline.name)
    if json:
        print(orjson.dumps([_proven(one) for one in found]).decode())
        return
    for one in found:
        kept = one.signed
        print(f"{kept.month.month}  as signed by {kept.by} on {_utc(kept.at_ms / 1000)}  {kept.sha256}  {one.text}")
    if not found:
        print("No month is signed.")


@app.command()
def adjust(
    context: typer.Context,
    begin: Annotated[
        str, typer.Option("--from", help="2026-10-06T02:00 in slo.zone, or with an offset.", show_default=False)
    ],
    end: Annotated[str, typer.Option("--to", help="Its end; at most 7 days later.", show_default=False)],
    reason: Annotated[str, typer.Option("--reason", help="What is done.", show_default=False)],
    by: By = "",
    objective: Annotated[str, typer.Option("--slo", help="For one objective; for all without it.")] = "",
    *,
    json: Json = False,
) -> None:
    """Announce maintenance: reports tell both numbers, with and without it, and who approved it. It ends by itself."""
    settings = settings_of(context)
    if objective and objective not in {o.name for o in objectives_of(settings)}:
        raise NotFound(f"there is no objective {objective}; `fairlane slo list` names them")
    window = instant(begin, settings.slo.zone, "--from"), instant(end, settings.slo.zone, "--to")
    now_ms = int(SystemClock().now() * 1000)
    with as_person(context, "sla adjust") as who, database(settings) as engine:
        _unsigned(settings, engine, *window)
        new = Adjustment(str(uuid7()), objective, *window, _name(who, by), reason, now_ms)
        told_of = {"id": new.id, "from": _utc(new.begin), "to": _utc(new.end), "reason": reason}
        Adjustments(engine).announce(new, noted(Deed("sla.adjust", objective or "all", details=told_of, by=by), now_ms))
    print(orjson.dumps(asdict(new)).decode() if json else _line(new, settings.slo.zone))


@app.command()
def cancel(
    context: typer.Context,
    maintenance: Annotated[str, typer.Argument(help="Its id.", show_default=False)],
    reason: Annotated[str, typer.Option("--reason", help="Why.", show_default=False)],
    by: By = "",
    *,
    json: Json = False,
) -> None:
    """Call maintenance off: it leaves nothing out any more, and stays on record. A signed month stays as it is; it is told beside it."""
    settings = settings_of(context)
    now_ms = int(SystemClock().now() * 1000)
    with as_person(context, "sla cancel") as who, database(settings) as engine:
        deed = noted(Deed("sla.cancel", maintenance, details={"reason": reason}, by=by), now_ms)
        ended = Adjustments(engine).cancel(maintenance, now_ms, _name(who, by), reason, deed)
    print(orjson.dumps(asdict(ended)).decode() if json else _line(ended, settings.slo.zone))


@app.command()
def adjustments(context: typer.Context, *, json: Json = False) -> None:
    """All maintenance ever announced, by its beginning."""
    settings = settings_of(context)
    with database(settings) as engine:
        found = Adjustments(engine).all()
    if json:
        print(orjson.dumps([asdict(a) for a in found]).decode())
        return
    print("\n".join(_line(a, settings.slo.zone) for a in found) or "No maintenance was ever announced.")


@contextmanager
def _months(context: typer.Context) -> Iterator[Months]:
    settings = settings_of(context)
    objectives = objectives_of(settings)
    with database(settings) as engine:
        yield Months(engine, settings.pipeline.name, objectives, settings.slo.zone, SystemClock())


def _unsigned(settings: Settings, engine: Engine, begin: int, end: int) -> None:
    """Raises Conflict when the window lies in a signed month: what was signed counts."""
    calendar = Calendar(Unit.MONTH, settings.slo.zone)
    meant = {calendar.at(at).name for at in (begin, max(end - 1, begin))}
    if both := sorted(meant & set(SignedMonths(engine, settings.pipeline.name).names())):
        raise Conflict(f"{', '.join(both)} is signed: what was counted then stays counted")


def _proven(one: Proof) -> dict[str, object]:
    kept = one.signed
    return {
        "month": kept.month.month,
        "sha256": kept.sha256,
        "by": kept.by,
        "at_ms": kept.at_ms,
        "note": kept.note,
        "seal": kept.seal,
        "version": one.version,
        "covered": kept.covered,
        "logged": one.logged,
    }


def _name(who: Identity, by: str) -> str:
    """Who it was: the key's name; at the machine itself what --by says, else its user."""
    return (by or who.name) if who.via == OS else who.name


def _line(a: Adjustment, zone: str) -> str:
    off = f"  called off by {a.cancelled_by}: {a.cancelled_why}" if not a.holds else ""
    return (
        f"{a.id}  {sla_words.span(a.begin, a.end, zone)} {zone}  {a.slo or 'all'}  {a.reason}, approved by {a.by}{off}"
    )


def _said(view: sla_view.SlaView) -> Iterator[str]:
    yield view.sentence
    yield f"{view.title}, {view.stage_text}; data complete {view.complete}; days of {view.zone}."
    yield from (f"Revised since: {text}" for text in view.revised)
    rows = [("PROMISE", "STATE", "PROMISED", "ACHIEVED", "BUDGET SPENT")]
    rows += [(r.title, r.word, r.promised, r.achieved, r.spent) for r in view.rows]
    widths = [max(len(line[n]) for line in rows) for n in range(len(rows[0]))]
    yield from ("  ".join(c.ljust(w) for c, w in zip(line, widths, strict=True)).rstrip() for line in rows)
    if view.moved:
        yield view.moved
    yield from (f"Incident {i.when} ({i.lasted}): {i.cause} {i.effect}" for i in (*view.incidents, *view.folded))
    for x in view.excluded:
        yield f"Maintenance {x.when}: {x.reason}, approved by {x.by}, {x.notice}. {x.cancelled or x.effect}"
    yield from (f"Not observed: {gap}" for gap in view.gaps)


def _utc(at_s: float) -> str:
    return datetime.fromtimestamp(at_s, UTC).strftime("%Y-%m-%d %H:%M UTC")
