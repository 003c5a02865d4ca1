"""Who is acting: found once at the door (the web's middleware, the command line), read wherever it matters."""

import getpass
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Final

from fairlane.auth.role import Role, covers, said
from slo.errors import Forbidden

OS: Final = "os"
"""`via` of the user at the command line."""
MOST_NAME: Final = 100
"""Characters of a name at most."""


@dataclass(frozen=True, slots=True)
class Identity:
    """A person or a program. `via` says how it was known: `key:PREFIX`, `proxy` or `os` (the user at the command line)."""

    name: str
    roles: frozenset[Role]
    via: str

    def may(self, needed: Role) -> bool:
        """Does one of its roles allow what needs `needed`?"""
        return covers(self.roles, needed)

    def demand(self, needed: Role, what: str) -> None:
        """Raises Forbidden, naming the role that `what` needs, when this identity may not."""
        if not self.may(needed):
            raise Forbidden(
                f"{what} needs the role {needed}; {self.name} has {said(self.roles)}. An admin gives roles: `fairlane keys create`, or auth.groups behind a proxy"
            )


_CURRENT: ContextVar[Identity | None] = ContextVar("identity", default=None)


def current() -> Identity | None:
    """Who is acting now; None where nobody has to say who they are (loopback without auth)."""
    return _CURRENT.get()


@contextmanager
def acting(identity: Identity | None) -> Iterator[None]:
    """`identity` is who acts within the block, in this thread or task and those that it starts with its context."""
    token = _CURRENT.set(identity)
    try:
        yield
    finally:
        _CURRENT.reset(token)


def os_user() -> str:
    """The name of the user who runs this process."""
    try:
        return getpass.getuser()
    except (OSError, KeyError):  # a container's uid without a name
        return "unknown"
