"""`fairlane keys create | list | revoke`: who may use the pages and their API."""

from typing import Annotated

import orjson
import typer

from fairlane.auth.chain import utc
from fairlane.auth.keys import ApiKey
from fairlane.auth.keystore import KeyStore
from fairlane.auth.role import Role, said
from fairlane.cli.acting import as_person
from fairlane.cli.context import settings_of
from fairlane.cli.database import database
from fairlane.durations import duration_s
from slo.clock import SystemClock

app = typer.Typer(help="Keys of people and programs for the pages and their API.", no_args_is_help=True)
Json = Annotated[bool, typer.Option("--json", help="One JSON object instead of lines.")]


@app.command()
def create(
    context: typer.Context,
    name: Annotated[str, typer.Argument(help="Who will use it: a person or a program.")],
    roles: Annotated[list[Role], typer.Option("--role", help="What it may do; may be repeated.", show_default=False)],
    *,
    lasting: Annotated[
        str, typer.Option("--for", help="How long it is valid: 12h, 90d; without it until it is revoked.")
    ] = "",
    json: Json = False,
) -> None:
    """Make a key and show it this once: only its hash is kept."""
    settings = settings_of(context)
    now_ms = int(SystemClock().now() * 1000)
    length_s = duration_s(lasting)
    expires_ms = None if length_s is None else now_ms + int(length_s * 1000)
    with as_person(context, "keys create"), database(settings) as engine:
        made, text = KeyStore(engine).create(name, roles, now_ms, expires_ms)
    if json:
        print(orjson.dumps({**told(made, now_ms), "key": text}).decode())
        return
    until = f" until {utc(expires_ms)}" if expires_ms is not None else ""
    print(f"{text}\n")
    print(
        f"This is the key of {made.name} ({said(made.roles)}){until}. It is not shown again; `fairlane keys revoke {made.id}` ends it."
    )
    if not settings.auth.keys:
        print("Nobody is asked for a key yet: set auth.keys = true.")


@app.command("list")
def list_(context: typer.Context, *, json: Json = False) -> None:
    """Every key ever made, newest first, with who made it and when it was last used."""
    now_ms = int(SystemClock().now() * 1000)
    with as_person(context, "keys list"), database(settings_of(context)) as engine:
        found = KeyStore(engine).all()
    if json:
        print(orjson.dumps({"keys": [told(key, now_ms) for key in found]}).decode())
        return
    for key in found:
        used = f"last used {utc(key.used_ms)}" if key.used_ms is not None else "never used"
        until = f", until {utc(key.expires_ms)}" if key.expires_ms is not None else ""
        print(
            f"{key.id}  {key.state(now_ms)}  {key.name}  {said(key.roles)}  made {utc(key.created_ms)} by {key.created_by}{until}, {used}"
        )
    if not found:
        print("There is no key yet: `fairlane keys create NAME --role viewer` makes one.")


@app.command()
def revoke(
    context: typer.Context, key: Annotated[str, typer.Argument(help="Its id, as `fairlane keys list` shows it.")]
) -> None:
    """End a key, and the sessions that it began, now (within 2 s in a web process that runs)."""
    with as_person(context, "keys revoke"), database(settings_of(context)) as engine:
        ended = KeyStore(engine).revoke(key, int(SystemClock().now() * 1000))
    print(f"The key {ended.id} of {ended.name} is revoked.")


def told(key: ApiKey, now_ms: int) -> dict[str, object]:
    """For JSON; never the digest."""
    return {
        "id": key.id,
        "name": key.name,
        "roles": [role for role in Role if role in key.roles],
        "state": key.state(now_ms),
        "created": utc(key.created_ms),
        "created_by": key.created_by,
        "expires": None if key.expires_ms is None else utc(key.expires_ms),
        "revoked": None if key.revoked_ms is None else utc(key.revoked_ms),
        "used": None if key.used_ms is None else utc(key.used_ms),
    }
