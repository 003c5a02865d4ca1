"""The routes of the moves pages: the list, one move, and the forms on them. Without JavaScript everything works; with it the parts refresh in place."""

import time
from contextlib import suppress
from typing import Any, Final
from urllib.parse import quote, urlencode

from fastapi import APIRouter, Request, Response
from fastapi.responses import HTMLResponse, RedirectResponse
from starlette.concurrency import run_in_threadpool

from fairlane.app import bodies, moves_view, origin
from fairlane.app.api import ACTIONS, detail, known
from fairlane.app.desk import ORDERS, Desk, command_of
from fairlane.app.docket import DocketSource
from fairlane.app.pages import Links, PipelineName, environment
from fairlane.app.source import chosen
from ingestion.contracts.telemetry import Action
from slo.clock import Clock
from slo.errors import Conflict, FairlaneError, NotFound, UsageError

SEEN_S: Final = 2.0
HOLDS: Final = (
    ("", "until it is taken back"),
    ("30m", "30 minutes"),
    ("2h", "2 hours"),
    ("12h", "12 hours"),
    ("1d", "1 day"),
    ("7d", "7 days"),
)
"""How long an order may hold, as the forms offer it."""


def moves_router(source: DocketSource, desk: Desk, clock: Clock, links: Links, refresh_s: float) -> APIRouter:
    """`/moves`, `/moves/ID`, their fragments, and `POST /moves/do/ACTION` for the forms. 404 for what is not there."""
    router = APIRouter()
    templates = environment()
    shared: dict[str, Any] = {"links": links, "here": "moves", "every_ms": round(refresh_s * 1000), "holds": HOLDS}

    def page(request: Request, template: str, status: int = 200, **values: Any) -> Response:
        token = origin.form_token(request)
        text = templates.get_template(template).render(form_token=token, **values, **shared)
        response = HTMLResponse(text, status)
        origin.keep(response, request, token)
        return response

    @router.get("/moves", response_class=HTMLResponse)
    def moves(request: Request, pipeline: PipelineName = "", answer: str = "") -> Response:
        return page(
            request, "moves.html", view=moves_view.build(source.docket(chosen(source, pipeline)), answer), answer=answer
        )

    @router.get("/fragment/moves", response_class=HTMLResponse)
    def fragment(request: Request, pipeline: PipelineName = "", answer: str = "") -> Response:
        return page(request, "_moves.html", view=moves_view.build(source.docket(chosen(source, pipeline)), answer))

    @router.get("/moves/{move}", response_class=HTMLResponse)
    def one(request: Request, move: str, pipeline: PipelineName = "", answer: str = "") -> Response:
        try:
            view = detail(source, chosen(source, pipeline), move, answer)
        except NotFound as missing:
            return page(
                request, "trouble.html", 404, title="There is no such move", text=str(missing), pipeline=pipeline
            )
        return page(request, "move.html", view=view, answer=answer)

    @router.get("/fragment/moves/{move}", response_class=HTMLResponse)
    def part(request: Request, move: str, pipeline: PipelineName = "", answer: str = "") -> Response:
        return page(request, "_move_page.html", view=detail(source, chosen(source, pipeline), move, answer))

    @router.post("/moves/do/{action}", response_class=HTMLResponse)
    async def act(request: Request, action: str) -> Response:
        fields = await bodies.form(request)
        if not origin.form_is_ours(request, fields.pop(origin.FIELD, "")):
            text = "The form is not one that this page gave to this browser, or its cookie is gone. Open the page again and repeat it; nothing was done."
            return page(request, "trouble.html", 403, title="Nothing was done", text=text, pipeline="")
        back = fields.pop("back", "")
        try:
            where = await run_in_threadpool(carry, action, fields, back)
        except FairlaneError as error:
            return page(
                request,
                "trouble.html",
                error.status,
                title=f"Nothing was done: {error.title[:1].lower()}{error.title[1:].rstrip('.')}",
                text=str(error),
                pipeline=fields.get("pipeline", ""),
            )
        return RedirectResponse(where, 303)

    def carry(action: str, fields: dict[str, str], back: str) -> str:
        """Send the order; the page to go to, with the answer's id on it. Raises FairlaneError when nobody answered or it makes no sense."""
        wanted = ACTIONS.get(action)
        if wanted is None:
            raise NotFound(f"there is no action {action!r}")
        order = bodies.checked(fields, ORDERS[wanted])
        name = chosen(source, order.pipeline)
        known(source.docket(name), wanted, getattr(order, "token", ""))
        command = command_of(name, wanted, order, clock)
        verdict_id = ""
        # a refusal is in the state topic like any answer: the page shows it
        with suppress(Conflict, UsageError):
            verdict_id = desk.send(command).verdict_id
        seen(source, name, command.id)
        move = verdict_id if wanted in {Action.MOVE, Action.APPROVE} else back
        place = f"/moves/{quote(move, safe='')}" if move else "/moves"
        return f"{place}?{urlencode({'pipeline': name, 'answer': command.id})}"

    return router


def seen(source: DocketSource, pipeline: str, command_id: str) -> None:
    """Wait (SEEN_S at most) until the page knows the answer: who is led there must not find the world of before."""
    deadline = time.monotonic() + SEEN_S
    while command_id not in source.docket(pipeline).answers and time.monotonic() < deadline:
        time.sleep(0.05)
