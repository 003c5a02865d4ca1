"""Who is acting at the command line: the key in FAIRLANE_API_KEY, with its roles, else the user of this machine, who holds the database and Kafka anyway."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

import typer

from fairlane.auth import keys
from fairlane.auth.gate import identity_of
from fairlane.auth.identity import OS, Identity, acting, os_user
from fairlane.auth.keystore import KeyStore
from fairlane.auth.matrix import COMMANDS
from fairlane.auth.role import Role
from fairlane.auth.spool import Spool
from fairlane.auth.trail import Trail
from fairlane.cli.context import settings_of
from fairlane.cli.database import database
from fairlane.settings import Settings
from slo.clock import Clock, SystemClock
from slo.errors import Unauthenticated

VARIABLE: Final = "FAIRLANE_API_KEY"


@contextmanager
def as_person(context: typer.Context, command: str) -> Iterator[Identity]:
    """Whoever gives `command` (its name in `fairlane.auth.matrix.COMMANDS`) is who acts within the block.

    Raises Forbidden when the key's roles do not suffice, Unauthenticated for a key that is not valid, Unreachable when it cannot be checked.
    """
    who = _who(context)
    needed = COMMANDS[command]
    if isinstance(needed, Role):
        who.demand(needed, f"`fairlane {command}`")
    with acting(who):
        yield who


def trail_of(settings: Settings, clock: Clock) -> Trail:
    """Where what is done at the command line is recorded."""
    return Trail(lambda: database(settings), Spool(settings.state_dir), clock)


def _who(context: typer.Context) -> Identity:
    shown = os.environ.get(VARIABLE, "")
    if not shown:
        return Identity(os_user(), frozenset(Role), OS)
    presented = keys.read(shown)
    if presented is None:
        raise Unauthenticated(f"{VARIABLE} holds no key of Fairlane's: `fairlane keys create` makes one")
    with database(settings_of(context)) as engine:
        kept = KeyStore(engine).find(presented.id)
    now_ms = int(SystemClock().now() * 1000)
    if kept is None or not keys.matches(presented, kept) or kept.state(now_ms) != "valid":
        state = kept.state(now_ms) if kept is not None and keys.matches(presented, kept) else "not known here"
        raise Unauthenticated(f"the key in {VARIABLE} is {state}: unset it, or let an admin make a new one")
    return identity_of(kept)
