"""Every route and every command has a line in the permission matrix, and no line is for what is not there."""

import pytest
from prometheus_client import CollectorRegistry

from fairlane.app.main import build
from fairlane.auth import matrix
from fairlane.auth.role import MEANINGS, Role
from fairlane.cli import docs
from fairlane.settings import load
from ingestion.contracts.telemetry import Action
from slo.clock import SystemClock
from tests.support.routes import routes


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> set[str]:
    state = tmp_path_factory.mktemp("state")
    settings = load(None, {"kafka.bootstrap": "127.0.0.1:1", "state_dir": str(state), "auth.keys": "true"})
    return routes(build(settings, SystemClock(), CollectorRegistry()))


def test_every_route_has_a_role(served: set[str]) -> None:
    assert sorted(served - set(matrix.ROUTES)) == [], "enter it in fairlane/auth/matrix.py ROUTES"


def test_every_line_is_a_route(served: set[str]) -> None:
    assert sorted(set(matrix.ROUTES) - served) == []


def test_the_law_sees_routes_of_included_routers(served: set[str]) -> None:
    assert {"POST /moves/do/{action}", "GET /api/v1/moves", "GET /static/{path:path}"} <= served
    assert len(served) > 20


def test_every_command_has_a_role() -> None:
    # a group may do something by itself too, as `fairlane capacity` does
    leaves = {
        " ".join(path[1:])
        for path, command in docs.commands()
        if not hasattr(command, "list_commands") or (command.invoke_without_command and len(path) > 1)
    }
    assert sorted(leaves - set(matrix.COMMANDS)) == [], "enter it in fairlane/auth/matrix.py COMMANDS"
    assert sorted(set(matrix.COMMANDS) - leaves) == []


def test_every_action_has_a_role() -> None:
    assert set(matrix.ACTIONS) == set(Action)


def test_what_changes_something_is_nothing_for_viewers() -> None:
    wrong = [
        name
        for name, rule in matrix.ROUTES.items()
        if not name.startswith("GET ")
        and rule in {Role.VIEWER, matrix.OPEN}
        and name not in {"POST /login", "POST /logout"}
    ]
    assert wrong == []
    assert Role.VIEWER not in matrix.ACTIONS.values()


def test_reading_needs_no_more_than_a_viewer() -> None:
    assert [
        n for n, rule in matrix.ROUTES.items() if n.startswith("GET ") and rule not in {Role.VIEWER, matrix.OPEN}
    ] == []


def test_every_role_is_explained() -> None:
    assert set(MEANINGS) == set(Role)


@pytest.mark.parametrize(
    ("method", "path", "role"),
    [
        ("GET", "/moves/abc", Role.VIEWER),
        ("POST", "/moves/do/approve", Role.APPROVER),
        ("POST", "/api/v1/actions/restore-all", Role.OPERATOR),
        ("POST", "/api/v1/actions/nonsense", Role.VIEWER),
        ("GET", "/static/app.css", None),
        ("GET", "/staticx", Role.VIEWER),
        ("GET", "/nowhere", Role.VIEWER),
        ("POST", "/nowhere", Role.ADMIN),
        ("DELETE", "/moves", Role.ADMIN),
        ("POST", "/moves/do/approve/", Role.ADMIN),
        ("POST", "/login/x", Role.ADMIN),
    ],
)
def test_what_a_request_needs(method: str, path: str, role: Role | None) -> None:
    assert matrix.need(method, path).role == role
