"""The SLA pages: the newest month that is over at `/sla`, any other at `/sla/2026-10`, each as JSON and CSV too. They change nothing; months are signed at the command line."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from fastapi import APIRouter, Response
from fastapi.responses import HTMLResponse

from fairlane.app import sla_view
from fairlane.app.pages import environment
from fairlane.app.shelf import Shelf
from fairlane.app.states import State
from fairlane.sla import files
from fairlane.sla.months import Entry, Months, Sheet
from fairlane.sla.signing import TamperedMonth
from slo.clock import Clock
from slo.errors import FairlaneError, NotFound, Unreachable, UsageError
from slo.objective import Objective


@dataclass(frozen=True, slots=True)
class To:
    """Where a month's links lead; an empty prefix shows no link."""

    json: str
    csv: str
    moves: str = ""
    slo: str = ""


def sla_router(shelf: Shelf, pipeline: str, objectives: Sequence[Objective], zone: str, clock: Clock) -> APIRouter:
    """`/sla`, `/sla/MONTH`, `/sla/MONTH.json`, `/sla/MONTH.csv`. A database that is away, a month that is not there and one that was tampered with are said."""
    router = APIRouter()
    templates = environment()
    shared: dict[str, Any] = {"here": "sla"}

    def look(month: str) -> tuple[Sheet, list[Entry]]:
        with shelf.use() as engine:
            months = Months(engine, pipeline, objectives, zone, clock)
            name = month or months.latest()
            if name is None:
                raise NotFound("")
            return months.get(name), months.list()

    def listed() -> list[Entry]:
        try:
            with shelf.use() as engine:
                return Months(engine, pipeline, objectives, zone, clock).list()
        except Unreachable:
            return []

    def page(month: str) -> Response:
        try:
            sheet, entries = look(month)
        except FairlaneError as error:
            return trouble(month, error)
        view = sla_view.build(sheet, entries, clock.now())
        to = To(f"/sla/{view.month}.json", f"/sla/{view.month}.csv", "/moves/", "/slo/")
        return HTMLResponse(templates.get_template("sla.html").render(view=view, to=to, **shared))

    def trouble(month: str, error: FairlaneError) -> Response:
        state, title, text, status = State.WATCH, "There is no such month.", str(error), error.status
        if not month and isinstance(error, NotFound):
            state, title, status = State.FROZEN, "Nothing has been measured yet.", 200
            text = "The first month appears here when the first minute has been booked. Start “fairlane up”, or “fairlane serve controller”."
        elif isinstance(error, Unreachable):
            state, title = State.FROZEN, "The history cannot be read."
        elif isinstance(error, TamperedMonth):
            # whose it is stands in the text: its number is in the trend of others too
            state, title = State.BURNING, "A month is not what was signed."
        elif not isinstance(error, NotFound | UsageError):
            state, title = State.BURNING, error.title
        months = listed() if status == NotFound.status else []
        body = templates.get_template("sla_trouble.html").render(
            state=state, title=title, text=text, months=months, **shared
        )
        return HTMLResponse(body, status)

    @router.get("/sla", response_class=HTMLResponse)
    def newest() -> Response:
        return page("")

    @router.get("/sla/{month}.json")
    def as_json(month: str) -> Response:
        return Response(files.json_of(look(month)[0]), media_type="application/json")

    @router.get("/sla/{month}.csv")
    def as_csv(month: str) -> Response:
        sheet = look(month)[0]
        name = f'attachment; filename="sla-{sheet.month.month}.csv"'
        return Response(
            files.csv_of(sheet), media_type="text/csv; charset=utf-8", headers={"content-disposition": name}
        )

    @router.get("/sla/{month}", response_class=HTMLResponse)
    def one(month: str) -> Response:
        return page(month)

    return router
