"""The web app: FastAPI over a `LiveSource`. `create_app` takes everything from outside; `build` wires it from the settings for `fairlane serve web`."""

import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from http import HTTPStatus
from pathlib import Path
from typing import Final

from fastapi import FastAPI, Request, Response
from fastapi.exceptions import HTTPException, RequestValidationError
from fastapi.responses import PlainTextResponse
from fastapi.staticfiles import StaticFiles
from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, generate_latest
from starlette.exceptions import HTTPException as StarletteHTTPException

from fairlane.app import metrics
from fairlane.app.live import KafkaSource
from fairlane.app.pages import Links, live_router
from fairlane.app.source import LiveSource
from fairlane.database import open_database
from fairlane.settings import Settings
from ingestion.capture import results
from ingestion.capture.results import Reply
from slo.clock import Clock
from slo.errors import FairlaneError, UsageError

STATIC: Final = Path(__file__).with_name("static")
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
    return create_app(source, registry)


def create_app(
    view: LiveSource, registry: CollectorRegistry, *, links: Links | None = None, refresh_s: float = 1.5
) -> FastAPI:
    """The app over `view`, which it starts and stops. `refresh_s` is how often the page asks for news (seconds)."""
    requests = metrics.REQUESTS.counter(registry)
    took = metrics.SECONDS.histogram(registry)
    source_age = metrics.STALE.gauge(registry)

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
        response = await forward(request)
        response.headers["content-security-policy"] = POLICY
        response.headers["x-content-type-options"] = "nosniff"
        response.headers["referrer-policy"] = "same-origin"
        if not request.url.path.startswith("/static/"):
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
            else f"{request.method} {request.url.path}: {NO_ROUTE.get(error.status_code, error.detail)}"
        )
        return _response(results.from_status(error.status_code, detail, error.headers))

    @app.exception_handler(RequestValidationError)
    async def misread(_: Request, error: RequestValidationError) -> Response:
        problems = (f"{' '.join(str(part) for part in one['loc'])}: {one['msg']}" for one in error.errors())
        return _response(results.from_error(UsageError("; ".join(problems))))

    @app.exception_handler(Exception)
    async def broken(_: Request, error: Exception) -> Response:
        known = error if isinstance(error, FairlaneError) else None
        return _response(
            results.from_error(
                known or FairlaneError(f"{type(error).__name__}: {error}; the server's log has the details")
            )
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
    app.include_router(live_router(view, links or Links(), refresh_s))
    return app


def _response(reply: Reply) -> Response:
    headers = {name.decode(): value.decode() for name, value in reply.headers}
    return Response(reply.body, reply.status, headers, reply.content_type.decode())
