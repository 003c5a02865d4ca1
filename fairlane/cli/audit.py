"""`fairlane audit list | export | verify`: who changed what, and whether the log is what was written."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Annotated, Final

import orjson
import typer
from sqlalchemy import Engine
from sqlalchemy.exc import SQLAlchemyError

from fairlane.app.words import many
from fairlane.auth import chain
from fairlane.auth.audit import AuditLog
from fairlane.auth.chain import Head, Link
from fairlane.cli.acting import as_person, trail_of
from fairlane.cli.context import settings_of
from fairlane.cli.database import database
from fairlane.durations import duration_s
from fairlane.stack.lock import Held
from slo.clock import SystemClock
from slo.errors import AuditBroken, UsageError

app = typer.Typer(help="The audit log: who changed what.", no_args_is_help=True)
Json = Annotated[bool, typer.Option("--json", help="One JSON object instead of lines.")]
_HASH: Final = 64


@app.command("list")
def list_(
    context: typer.Context,
    *,
    action: Annotated[
        str, typer.Option("--action", help="Only this one, or those below it: move, key, sla.sign.")
    ] = "",
    actor: Annotated[str, typer.Option("--actor", help="Only what this person or program did.")] = "",
    ago: Annotated[str, typer.Option("--since", help="Only of the last 24h, 7d, ...")] = "",
    limit: Annotated[int, typer.Option("--limit", min=1, max=100_000, help="So many at most.")] = 50,
    json: Json = False,
) -> None:
    """The newest entries first."""
    lapse_s = duration_s(ago, "--since")
    since_ms = 0 if lapse_s is None else int((SystemClock().now() - lapse_s) * 1000)
    with as_person(context, "audit list"), _caught_up(context) as engine:
        found = AuditLog(engine).newest(limit, action=action, actor=actor, since_ms=since_ms)
    if json:
        print(orjson.dumps({"entries": [orjson.Fragment(one.line()) for one in found]}).decode())
        return
    for one in found:
        print(_said(one))
    if not found:
        print("There is no such entry.")


@app.command()
def export(
    context: typer.Context,
    *,
    out: Annotated[Path | None, typer.Option("--out", "-o", help="File; standard output without it.")] = None,
) -> None:
    """Every entry as a line of JSON, oldest first, with its hash: `fairlane audit verify --file` checks it anywhere."""
    with as_person(context, "audit export"), _caught_up(context) as engine:
        log, count, head = AuditLog(engine), 0, Head()
        try:
            file = out.open("wb") if out else sys.stdout.buffer
        except OSError as error:
            raise UsageError(f"cannot write {out}: {error.strerror or error}") from error
        try:
            for one in log.links():
                file.write(one.line() + b"\n")
                count, head = count + 1, Head(one.entry.seq, one.hash)
        finally:
            file.flush()
            if out:
                file.close()
    print(f"{many(count, 'entry', 'entries')}; the head is {head}: keep it elsewhere", file=sys.stderr)


@app.command()
def verify(
    context: typer.Context,
    *,
    file: Annotated[Path | None, typer.Option("--file", help="An export, instead of the database.")] = None,
    expect: Annotated[
        list[str] | None,
        typer.Option("--expect", metavar="NUMBER:HASH", help="A head that was written down; may be repeated."),
    ] = None,
    json: Json = False,
) -> None:
    """Is every entry what was written, in its place, and the newest still there? Exit 1 names the first place where not."""
    anchors = dict(_anchor(text) for text in expect or ())
    with as_person(context, "audit verify"):
        if file is not None:
            head = Head()

            def passing() -> Iterator[Link]:
                nonlocal head
                for one in read(file):
                    yield one
                    head = Head(one.entry.seq, one.hash)

            wrong, kept = chain.fault(passing(), None, anchors), None
        else:
            with _caught_up(context) as engine:
                wrong, kept = AuditLog(engine).fault(anchors)
            head = kept or Head()
    if json:
        told = {"ok": not wrong, "fault": wrong, "entries": head.seq, "head": str(head)}
        print(orjson.dumps(told).decode())
    if wrong:
        raise AuditBroken(f"the audit log was changed. {wrong[:1].upper()}{wrong[1:]}.")
    if not json:
        end = "" if kept else " An export cannot show whether its end was cut off: compare the head, or give --expect."
        print(
            f"{many(head.seq, 'entry', 'entries')}, each in its place and as it was written; the head is {head}.{end}"
        )


@contextmanager
def _caught_up(context: typer.Context) -> Iterator[Engine]:
    """The database, with what was kept aside while it was away."""
    settings = settings_of(context)
    with database(settings) as engine:
        # a log that has lost its head takes nothing more; it is shown and verified all the same
        with suppress(AuditBroken, SQLAlchemyError, OSError, Held):
            trail_of(settings, SystemClock()).catch_up(engine)
        yield engine


def read(file: Path) -> Iterator[Link]:
    """The entries of an export. Raises UsageError for a file that cannot be read, AuditBroken for a line that is no entry."""
    try:
        with file.open("rb") as lines:
            for number, line in enumerate(lines, 1):
                try:
                    yield chain.read(line)
                except ValueError as error:
                    raise AuditBroken(f"{file}, line {number}: {error}") from error
    except OSError as error:
        raise UsageError(f"cannot read {file}: {error.strerror or error}") from error


def _anchor(text: str) -> tuple[int, str]:
    number, _, wanted = text.partition(":")
    if not number.isdecimal() or len(wanted) != _HASH:
        raise UsageError(f"--expect {text}: write it as `fairlane audit verify` prints the head, NUMBER:HASH")
    return int(number), wanted.lower()


def _said(one: Link) -> str:
    entry = one.entry
    details = ", ".join(f"{name} {value}" for name, value in sorted(entry.details.items()))
    about = f" {entry.target}" if entry.target else ""
    return f"{entry.seq}  {chain.utc(entry.at_ms)}  {entry.actor} ({entry.via})  {entry.action}{about}  {entry.outcome}{f'  {details}' if details else ''}"
