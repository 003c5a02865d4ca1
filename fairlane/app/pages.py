"""The routes of the Live page. Later pages add a router each and a line in `PAGES`."""

import shlex
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Final

import orjson
from fastapi import APIRouter, Query, Request, Response
from fastapi.responses import HTMLResponse
from jinja2 import Environment, FileSystemLoader, StrictUndefined, select_autoescape

from fairlane.app import charts, curves
from fairlane.app.runbooks import ROOT, runbook_router
from fairlane.app.source import LiveSource, chosen
from fairlane.app.states import State
from fairlane.app.typeset import unbroken
from fairlane.app.view import LiveView, build
from fairlane.auth.identity import current
from fairlane.auth.matrix import denied
from fairlane.auth.role import said

TEMPLATES: Final = Path(__file__).with_name("templates")
STATIC: Final = Path(__file__).with_name("static")


@dataclass(frozen=True, slots=True)
class Page:
    """An entry of the navigation."""

    key: str
    name: str
    href: str


@dataclass(frozen=True, slots=True)
class Links:
    """Where numbers lead. `runbooks` is a prefix for a runbook's name; an empty one shows no link, as does an empty `grafana`."""

    runbooks: str = "/runbooks/" if ROOT.is_dir() else ""
    grafana: str = ""


PAGES: Final = (
    Page("live", "Live", "/"),
    Page("moves", "Moves", "/moves"),
    Page("slo", "SLOs", "/slo"),
    Page("sla", "SLA", "/sla"),
    Page("capacity", "Capacity", "/capacity"),
)

PipelineName = Annotated[str, Query(alias="pipeline", max_length=100)]

MEANINGS: Final = {
    State.OK: "within its promise",
    State.WATCH: "not broken yet: look before it is",
    State.BURNING: "the promise is being broken now",
    State.FROZEN: "no data: neither good nor bad is known",
    State.MOVED: "a token is handled in another lane so that the others stay fresh",
    State.RESTORING: "a token is on its way back to general",
}


def environment() -> Environment:
    """The templates, with escaping on and undefined names refused."""
    env = Environment(
        loader=FileSystemLoader(TEMPLATES),
        autoescape=select_autoescape(default=True),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    env.globals.update(
        timeline=charts.timeline,
        strip=charts.strip,
        fill=charts.fill,
        draw=curves.draw,
        pages=PAGES,
        meanings=MEANINGS,
        states=tuple(State),
        who=current,
        denied=denied,
        roles=said,
    )
    env.filters["unbroken"] = unbroken
    env.filters["shell"] = shell
    return env


def shell(token: str) -> str:
    """A token as an argument of a command to be copied: names come from outside, and a shell must not run what is in them."""
    return f"-- {shlex.quote(token)}" if token.startswith("-") else shlex.quote(token)


def live_router(source: LiveSource, links: Links, refresh_s: float) -> APIRouter:
    """`/`, `/fragment/live` and `/api/v1/live`, each for `?pipeline=NAME` (default: the first). 404 for a pipeline that is not there."""
    router = APIRouter()
    templates = environment()
    shared: dict[str, Any] = {"links": links, "here": "live", "every_ms": round(refresh_s * 1000)}

    def view_of(pipeline: str) -> LiveView:
        return build(source.observe(chosen(source, pipeline)))

    @router.get("/", response_class=HTMLResponse)
    def live(pipeline: PipelineName = "") -> Response:
        return HTMLResponse(templates.get_template("live.html").render(view=view_of(pipeline), **shared))

    @router.get("/fragment/live", response_class=HTMLResponse)
    def fragment(pipeline: PipelineName = "") -> Response:
        return HTMLResponse(templates.get_template("_live.html").render(view=view_of(pipeline), **shared))

    @router.get("/api/v1/live")
    def api(_: Request, pipeline: PipelineName = "") -> Response:
        return Response(orjson.dumps(view_of(pipeline)), media_type="application/json")

    router.include_router(runbook_router(templates, shared))
    return router
