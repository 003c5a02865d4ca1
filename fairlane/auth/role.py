"""What a person or a program may do. Everybody who is known may read; an admin may do everything. Pure."""

from collections.abc import Collection
from enum import StrEnum


class Role(StrEnum):
    """One of five. Nobody's role contains another's, but for reading and for the admin: who asks and who approves can be kept apart."""

    VIEWER = "viewer"
    OPERATOR = "operator"
    APPROVER = "approver"
    PUBLISHER = "publisher"
    ADMIN = "admin"


MEANINGS = {
    Role.VIEWER: "reads every page and the API",
    Role.OPERATOR: "moves, restores, protects and exempts tokens, tells of changes, sets the mode (the kill switch)",
    Role.APPROVER: "approves or declines proposed moves, exceptions from a freeze, adjustments of a report",
    Role.PUBLISHER: "signs a month of the SLA and publishes it",
    Role.ADMIN: "all of that, and keys and the audit log",
}
"""What a role is for, as the reference says it."""


def covers(held: Collection[Role], needed: Role) -> bool:
    """May somebody with the roles `held` do what needs `needed`? Without any role: nothing.

    >>> covers({Role.OPERATOR}, Role.VIEWER), covers({Role.OPERATOR}, Role.APPROVER), covers({Role.ADMIN}, Role.APPROVER), covers((), Role.VIEWER)
    (True, False, True, False)
    """
    return Role.ADMIN in held or needed in held or (needed is Role.VIEWER and bool(held))


def said(roles: Collection[Role]) -> str:
    """Roles in a sentence, in the order of the list above.

    >>> said({Role.APPROVER, Role.VIEWER}), said(())
    ('viewer, approver', 'no role')
    """
    return ", ".join(role for role in Role if role in roles) or "no role"
