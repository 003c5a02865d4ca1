"""Who may do what, as data: every route of the web app and every command has one line here. A law test holds both to it; docs/reference/roles.md is printed from it.

A role is enough, or more of it (`fairlane.auth.role.covers`). OPEN needs no identity. What has no line needs `viewer` to read and `admin` for anything else.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from typing import Final

from starlette.routing import compile_path

from fairlane.auth.identity import current
from fairlane.auth.role import Role, covers, said
from ingestion.contracts.telemetry import Action

OPEN: Final = None
BY_ACTION: Final = "by action"
Rule = Role | None | str

ACTIONS: Final[Mapping[Action, Role]] = {
    Action.MOVE: Role.OPERATOR,
    Action.RESTORE: Role.OPERATOR,
    Action.RESTORE_ALL: Role.OPERATOR,
    Action.PROTECT: Role.OPERATOR,
    Action.EXEMPT: Role.OPERATOR,
    Action.CLEAR: Role.OPERATOR,
    Action.MODE: Role.OPERATOR,
    Action.CHANGE: Role.OPERATOR,
    Action.APPROVE: Role.APPROVER,
    Action.DECLINE: Role.APPROVER,
}
"""What people tell the controller."""

ROUTES: Final[Mapping[str, Rule]] = {
    # probes and Prometheus bring no identity; what they read tells nothing about tenants
    "GET /livez": OPEN,
    "GET /readyz": OPEN,
    "GET /metrics": OPEN,
    # the login page needs its looks
    "GET /static/{path:path}": OPEN,
    "GET /login": OPEN,
    "POST /login": OPEN,
    "POST /logout": OPEN,
    "GET /": Role.VIEWER,
    "GET /fragment/live": Role.VIEWER,
    "GET /api/v1/live": Role.VIEWER,
    "GET /api/v1/me": Role.VIEWER,
    "GET /runbooks/{name}": Role.VIEWER,
    "GET /moves": Role.VIEWER,
    "GET /fragment/moves": Role.VIEWER,
    "GET /moves/{move}": Role.VIEWER,
    "GET /fragment/moves/{move}": Role.VIEWER,
    "GET /api/v1/moves": Role.VIEWER,
    "GET /api/v1/moves/{move}": Role.VIEWER,
    "GET /api/v1/tokens/{token:path}/explain": Role.VIEWER,
    "GET /api/v1/changes": Role.VIEWER,
    "POST /api/v1/actions/{action}": BY_ACTION,
    "POST /moves/do/{action}": BY_ACTION,
    "POST /v1/changes": Role.OPERATOR,
    "GET /capacity": Role.VIEWER,
    "GET /fragment/capacity": Role.VIEWER,
    "GET /api/v1/capacity": Role.VIEWER,
    "GET /slo": Role.VIEWER,
    "GET /slo/{name}": Role.VIEWER,
    "GET /fragment/slo": Role.VIEWER,
    "GET /fragment/slo/{name}": Role.VIEWER,
    "GET /api/v1/slos": Role.VIEWER,
    "GET /api/v1/slos/{name}": Role.VIEWER,
    "POST /v1/slis/{name}": Role.OPERATOR,
    "GET /sla": Role.VIEWER,
    "GET /sla/{month}": Role.VIEWER,
    "GET /sla/{month}.csv": Role.VIEWER,
    "GET /sla/{month}.json": Role.VIEWER,
}
"""`METHOD PATTERN` to who may."""

COMMANDS: Final[Mapping[str, Rule]] = {
    # local work, or what whoever owns the machine may do anyway
    "demo": OPEN,
    "up": OPEN,
    "serve": OPEN,
    "doctor": OPEN,
    "config show": OPEN,
    "config keys": OPEN,
    "generate": OPEN,
    "bench": OPEN,
    "simulate": OPEN,
    "slo validate": OPEN,
    "slo templates": OPEN,
    "slo new": OPEN,
    "status": Role.VIEWER,
    "explain": Role.VIEWER,
    "slo list": Role.VIEWER,
    "quality": Role.VIEWER,
    "slo status": Role.VIEWER,
    "slo show": Role.VIEWER,
    "slo gate": Role.VIEWER,
    "capacity": Role.VIEWER,
    "capacity gate": Role.VIEWER,
    "capacity record": Role.OPERATOR,
    "capacity waive": Role.APPROVER,
    "slo waivers": Role.VIEWER,
    "slo report": Role.VIEWER,
    "sla list": Role.VIEWER,
    "sla show": Role.VIEWER,
    "sla verify": Role.VIEWER,
    "sla adjustments": Role.VIEWER,
    "pager show": Role.VIEWER,
    "pager test": Role.OPERATOR,
    "move": Role.OPERATOR,
    "restore": Role.OPERATOR,
    "mode": Role.OPERATOR,
    "protect": Role.OPERATOR,
    "exempt": Role.OPERATOR,
    "change": Role.OPERATOR,
    "approve": Role.APPROVER,
    "decline": Role.APPROVER,
    "slo waive": Role.APPROVER,
    "slo unwaive": Role.APPROVER,
    "sla adjust": Role.APPROVER,
    "sla cancel": Role.APPROVER,
    "sla sign": Role.PUBLISHER,
    "publish": Role.PUBLISHER,
    "keys create": Role.ADMIN,
    "keys list": Role.ADMIN,
    "keys revoke": Role.ADMIN,
    "audit list": Role.ADMIN,
    "audit export": Role.ADMIN,
    "audit verify": Role.VIEWER,
}
"""Command to who may, where FAIRLANE_API_KEY says who it is (`fairlane.cli.acting`)."""


@dataclass(frozen=True, slots=True)
class Need:
    """What a request needs: `role` None is nothing. `what` names it in a sentence."""

    role: Role | None
    what: str


@cache
def _compiled() -> tuple[tuple[str, re.Pattern[str], Rule], ...]:
    split = ((name.partition(" "), rule) for name, rule in ROUTES.items())
    return tuple((method, compile_path(pattern)[0], rule) for (method, _, pattern), rule in split)


def need(method: str, path: str) -> Need:
    """What a request needs."""
    what = f"{method} {path}"
    for one, pattern, rule in _compiled():
        found = pattern.match(path) if one == method else None
        if found is None:
            continue
        if rule is None or isinstance(rule, Role):
            return Need(rule, what)
        return _of_action(found["action"])
    return Need(Role.VIEWER if method == "GET" else Role.ADMIN, what)


def _of_action(slug: str) -> Need:
    name = slug.replace("-", "_")
    if name not in set(Action):
        # it is answered that there is no such action, and which there are
        return Need(Role.VIEWER, slug)
    return Need(ACTIONS[Action(name)], f"“{slug}”")


def denied(action: str) -> str:
    """Why whoever is acting may not tell the controller to do `action` (its name or slug); "" when they may, or nobody has to say who they are."""
    who = current()
    wanted = _of_action(action).role
    if who is None or wanted is None or covers(who.roles, wanted):
        return ""
    return f"It needs the role {wanted}; you have {said(who.roles)}."
