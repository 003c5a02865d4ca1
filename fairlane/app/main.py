"""The web app: FastAPI over a `Source` and a `Desk`. `create_app` takes everything from outside; `build` wires it from the settings for `fairlane serve web`."""

import time
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from http import HTTPStatus
from typing import Final

from fastapi import APIRouter, FastAPI, Request, Response
from fastapi.exceptions import HTTPException, RequestValidationError
from fastapi.responses import PlainTextResponse
from fastapi.staticfiles import StaticFiles
from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, generate_latest
from starlette.exceptions import HTTPException as StarletteHTTPException
from starlette.types import ASGIApp, Receive, Scope, Send

from fairlane.app import metrics, origin
from fairlane.app.api import moves_api
from fairlane.app.desk import Desk, KafkaDesk
from fairlane.app.door import Door, gate_of
from fairlane.app.live import KafkaSource
from fairlane.app.login import login_router
from fairlane.app.moves_pages import moves_router
from fairlane.app.pages import STATIC, Links, environment, live_router
from fairlane.app.rooms import rooms
from fairlane.app.shelf import Shelf
from fairlane.app.source import Source
from fairlane.auth.gate import Gate
from fairlane.auth.identity import acting
from fairlane.auth.spool import Spool
from fairlane.auth.trail import AuditedDesk, NoTrail, Recorder, Trail
from fairlane.database import open_database
from fairlane.settings import Settings
from ingestion.capture import results
from ingestion.capture.results import Reply
from slo.clock import Clock, SystemClock
from slo.errors import FairlaneError, UsageError

POLICY: Final = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
"""Nothing inline, nothing from elsewhere: what a token's name may contain is text and stays text."""

NO_ROUTE: Final = {404: "there is nothing here; the page is at /", 405: "not allowed; see the header Allow"}


def build(settings: Settings, clock: Clock, registry: CollectorRegistry) -> FastAPI:
    """The app that `fairlane serve web` runs. Connects to nothing yet: what is away is said on the page, not raised."""
    source = KafkaSource(
        settings.kafka.client(),
        {settings.pipeline.name: settings.pipeline.slo_s},
        lambda: open_database(settings.database_url),
        clock,
    )
    desk, links = KafkaDesk(settings.kafka.client()), Links()
    shelf = Shelf(lambda: open_database(settings.database_url), clock)
    return create_app(
        source,
        registry,
        desk=desk,
        clock=clock,
        links=links,
        gate=gate_of(settings, clock, shelf.use),
        trail=Trail(shelf.use, Spool(settings.state_dir), clock),
        routers=(_left(shelf), *rooms(settings, clock, links, lambda pipeline: source.observe(pipeline).sentence)),
    )


def _left(shelf: Shelf) -> APIRouter:
    """The database is left when the app stops."""

    @asynccontextmanager
    async def life(_: object) -> AsyncIterator[None]:
        try:
            yield
        finally:
            shelf.close()

    return APIRouter(lifespan=life)


def create_app(
    view: Source,
    registry: CollectorRegistry,
    *,
    desk: Desk,
    clock: Clock | None = None,
    links: Links | None = None,
    refresh_s: float = 1.5,
    gate: Gate | None = None,
    trail: Recorder | None = None,
    routers: Sequence[APIRouter] = (),
) -> FastAPI:
    """The app over `view`, which it starts and stops; `desk` takes what people want done. `refresh_s` is how often a page asks for news (seconds).

    `gate` finds out who asks (None: nobody has to say), `trail` keeps what they did. `routers` are the rooms that need no Kafka: objectives, reports, capacity.
    """
    requests = metrics.REQUESTS.counter(registry)
    took = metrics.SECONDS.histogram(registry)
    source_age = metrics.STALE.gauge(registry)
    door = Door(gate, metrics.REFUSED.counter(registry), environment())
    trail = trail or NoTrail()

    @asynccontextmanager
    async def life(_: FastAPI) -> AsyncIterator[None]:
        view.start()
        try:
            yield
        finally:
            view.stop()

    app = FastAPI(title="Fairlane", docs_url=None, redoc_url=None, openapi_url=None, lifespan=life)

    @app.middleware("http")
    async def guard(request: Request, forward: Callable[[Request], Awaitable[Response]]) -> Response:
        began = time.perf_counter()
        try:
            who = await door.admit(request)
        except FairlaneError as error:
            response = door.answer(request, error)
        else:
            with acting(who):
                response = await forward(request)
        response.headers["content-security-policy"] = POLICY
        response.headers["x-content-type-options"] = "nosniff"
        response.headers["referrer-policy"] = "same-origin"
        if not origin.path_of(request).startswith("/static/"):
            response.headers["cache-control"] = "no-store"
        # the route's pattern, not the path: a scanner must not make series
        route = getattr(request.scope.get("route"), "path", "") or "other"
        requests.labels(route, str(response.status_code)).inc()
        took.labels(route).observe(time.perf_counter() - began)
        return response

    @app.exception_handler(StarletteHTTPException)
    async def refused(request: Request, error: HTTPException) -> Response:
        told = error.detail != HTTPStatus(error.status_code).phrase
        detail = (
            error.detail
            if told
            else f"{request.method} {origin.path_of(request)}: {NO_ROUTE.get(error.status_code, error.detail)}"
        )
        return _response(results.from_status(error.status_code, detail, error.headers))

    @app.exception_handler(RequestValidationError)
    async def misread(_: Request, error: RequestValidationError) -> Response:
        problems = (f"{' '.join(str(part) for part in one['loc'])}: {one['msg']}" for one in error.errors())
        return _response(results.from_error(UsageError("; ".join(problems))))

    @app.exception_handler(FairlaneError)
    async def told(_: Request, error: FairlaneError) -> Response:
        return _response(results.from_error(error))

    @app.exception_handler(Exception)
    async def broken(_: Request, error: Exception) -> Response:
        return _response(
            results.from_error(FairlaneError(f"{type(error).__name__}: {error}; the server's log has the details"))
        )

    @app.get("/metrics")
    def scrape() -> Response:
        for name in view.pipelines():
            seen = view.observe(name)
            source_age.labels(name).set(float("nan") if seen.seen_s is None else max(seen.at_s - seen.seen_s, 0.0))
        return Response(generate_latest(registry), media_type=CONTENT_TYPE_LATEST)

    @app.get("/livez")
    def livez() -> Response:
        return PlainTextResponse("ok\n")

    @app.get("/readyz")
    def readyz() -> Response:
        if view.ready():
            return PlainTextResponse("ok\n")
        return PlainTextResponse("not ready: the first look at the broker has not ended yet\n", 503)

    app.mount("/static", StaticFiles(directory=STATIC), name="static")
    links, clock = links or Links(), clock or SystemClock()
    app.include_router(live_router(view, links, refresh_s))
    audited = AuditedDesk(desk, trail)
    app.include_router(moves_api(view, audited, clock))
    app.include_router(moves_router(view, audited, clock, links, refresh_s))
    if gate is not None:
        app.include_router(login_router(gate, trail))
    for router in routers:
        app.include_router(router)
    # outermost: whatever answers GET answers HEAD, without a body
    app.add_middleware(HeadAsGet)
    return app


class HeadAsGet:
    """HEAD is answered like GET; the server leaves the body out."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on, as GET when it is HEAD."""
        if scope["type"] == "http" and scope["method"] == "HEAD":
            scope = {**scope, "method": "GET"}
        await self._app(scope, receive, send)


def _response(reply: Reply) -> Response:
    headers = {name.decode(): value.decode() for name, value in reply.headers}
    return Response(reply.body, reply.status, headers, reply.content_type.decode())
