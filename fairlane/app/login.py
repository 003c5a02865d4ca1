"""Signing in with a key, signing out, and `/api/v1/me`. Only the session's cookie stays in the browser, never the key."""

from typing import Any, Final
from urllib.parse import urlsplit

import orjson
from fastapi import APIRouter, Request, Response
from fastapi.responses import HTMLResponse, RedirectResponse
from starlette.concurrency import run_in_threadpool

from fairlane.app import bodies, origin
from fairlane.app.pages import environment
from fairlane.auth.audit import Deed
from fairlane.auth.gate import Gate, identity_of
from fairlane.auth.identity import acting, current
from fairlane.auth.session import COOKIE
from fairlane.auth.trail import Recorder
from slo.errors import FairlaneError, Unauthenticated

HOME: Final = "/"


def login_router(gate: Gate, trail: Recorder) -> APIRouter:
    """`/login` and `/logout` for keys; `/api/v1/me` tells a program who it is."""
    router = APIRouter()
    templates = environment()

    def page(request: Request, target: str, status: int = 200, problem: str = "") -> Response:
        token = origin.form_token(request)
        values: dict[str, Any] = {"here": "", "form_token": token, "target": target, "problem": problem}
        response = HTMLResponse(templates.get_template("login.html").render(**values), status)
        origin.keep(response, request, token)
        return response

    @router.get("/api/v1/me")
    def me() -> Response:
        who = current()
        told = {"name": who.name, "roles": sorted(who.roles), "via": who.via} if who else {}
        return Response(orjson.dumps(told), media_type="application/json")

    if not gate.config.keys:
        return router

    @router.get("/login", response_class=HTMLResponse)
    def login(request: Request, next: str = HOME) -> Response:  # noqa: A002 - the name in the address
        return page(request, safe(next))

    @router.post("/login", response_class=HTMLResponse)
    async def enter(request: Request) -> Response:
        fields = await bodies.form(request)
        target = safe(fields.get("next", HOME))
        if not origin.form_is_ours(request, fields.get(origin.FIELD, "")):
            return page(request, target, 403, "The form was not this page's, or its cookie is gone: try once more.")
        try:
            key = await run_in_threadpool(gate.check, fields.get("key", ""))
        except Unauthenticated:
            return page(
                request, target, 401, "That is no key that is valid here: it may be mistyped, expired or revoked."
            )
        except FairlaneError as error:
            return page(request, target, error.status, str(error))
        with acting(identity_of(key)):
            await run_in_threadpool(trail.record, Deed("session.begin", key.id))
        response = RedirectResponse(target, 303)
        response.set_cookie(
            COOKIE,
            gate.sessions.seal(key, gate.clock.now()),
            max_age=int(gate.sessions.lasts_s),
            httponly=True,
            samesite="strict",
            path="/",
            secure=origin.is_https(request),
        )
        return response

    @router.post("/logout")
    def leave() -> Response:
        response = RedirectResponse("/login", 303)
        response.delete_cookie(COOKIE, path="/", httponly=True, samesite="strict")
        return response

    return router


def safe(target: str) -> str:
    """Where to go after signing in: a path of ours, or the live page.

    >>> [safe(t) for t in ("/moves?pipeline=a", "//evil.example", "//[", "https://evil.example/", "")]
    ['/moves?pipeline=a', '/', '/', '/', '/']
    """
    try:
        parts = urlsplit(target)
    except ValueError:
        return HOME
    ours = target.startswith("/") and not target.startswith("//") and not parts.netloc and not parts.scheme
    return target if ours and "\\" not in target and target.isprintable() and len(target) <= 2000 else HOME
