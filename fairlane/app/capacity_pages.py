"""`/capacity`: every limit, worst first, with its fan of futures; the cost budgets. The same as JSON under `/api/v1/capacity`."""

from typing import Any, Final

import orjson
from fastapi import APIRouter, Response
from fastapi.responses import HTMLResponse

from fairlane.app.capacity_view import CapacityView, build
from fairlane.app.fan import draw_fan
from fairlane.app.pages import Links, environment
from fairlane.app.shelf import Shelf
from fairlane.app.states import State
from fairlane.capacity.watch import look
from fairlane.capacity.watched import Watched
from slo.capacity.store import Samples
from slo.clock import Clock
from slo.errors import Unreachable

REFRESH_MS: Final = 60_000


def capacity_router(shelf: Shelf, watched: Watched, clock: Clock, links: Links) -> APIRouter:
    """The page. 503 when the database is away."""
    router = APIRouter()
    templates = environment()
    templates.globals["draw_fan"] = draw_fan
    shared: dict[str, Any] = {"links": links, "here": "capacity", "every_ms": REFRESH_MS}

    def view() -> CapacityView:
        with shelf.use() as engine:
            return build(look(Samples(engine), watched, clock.now()))

    @router.get("/capacity", response_class=HTMLResponse)
    def page() -> Response:
        try:
            return HTMLResponse(templates.get_template("capacity.html").render(view=view(), **shared))
        except Unreachable as error:
            text = templates.get_template("capacity_trouble.html").render(
                state=State.FROZEN, title=error.title.rstrip("."), text=str(error), **shared
            )
            return HTMLResponse(text, error.status)

    @router.get("/fragment/capacity", response_class=HTMLResponse)
    def part() -> Response:
        return HTMLResponse(templates.get_template("_capacity.html").render(view=view(), **shared))

    @router.get("/api/v1/capacity")
    def api() -> Response:
        return Response(orjson.dumps(view()), media_type="application/json")

    return router
