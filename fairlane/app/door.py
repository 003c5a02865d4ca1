"""The door of the web app: nobody comes in whose host, origin, identity or role does not fit. What the matrix calls open stays open."""

from dataclasses import dataclass
from typing import Final
from urllib.parse import quote

from fastapi.responses import HTMLResponse, RedirectResponse, Response
from jinja2 import Environment
from prometheus_client import Counter
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request

from fairlane.app import origin
from fairlane.auth import matrix
from fairlane.auth.gate import CHALLENGE, Gate
from fairlane.auth.identity import Identity, acting
from fairlane.auth.ring import KeyRing
from fairlane.auth.session import Sessions, secret_of
from fairlane.auth.trail import Database
from fairlane.settings import Settings
from ingestion.capture import results
from slo.clock import Clock
from slo.errors import FairlaneError, Forbidden, Unauthenticated

PROBES: Final = frozenset({"/livez", "/readyz"})
"""Answered under any name: an orchestrator asks by address."""


@dataclass(frozen=True, slots=True)
class Door:
    """`gate` None: nobody has to say who they are, and so only this machine may ask."""

    gate: Gate | None
    refused: Counter
    templates: Environment

    async def admit(self, request: Request) -> Identity | None:
        """Who comes in; None where nobody has to say. Raises Forbidden, Unauthenticated, Unreachable."""
        path = origin.path_of(request)
        wanted = matrix.need(request.method, path)
        if self.gate is None and path not in PROBES and (why := origin.foreign(origin.host_of(request))):
            raise self._turned_away("host", Forbidden(why))
        if request.method not in origin.SAFE:
            proxied = self.gate is not None and self.gate.trusts(request)
            if why := origin.refusal(request.headers, proxied=proxied):
                raise self._turned_away("origin", Forbidden(why))
        if self.gate is None or wanted.role is None:
            return None
        try:
            # a key's first look may read the database
            who = await run_in_threadpool(self.gate.identify, request)
        except Unauthenticated as error:
            told = Unauthenticated(f"{error} ({wanted.what} needs the role {wanted.role})")
            raise self._turned_away("identity", told) from error
        # the page that tells them no shows who they are all the same
        request.state.who = who
        try:
            who.demand(wanted.role, wanted.what)
        except Forbidden as error:
            raise self._turned_away("role", error) from error
        return who

    def _turned_away(self, why: str, error: FairlaneError) -> FairlaneError:
        self.refused.labels(why).inc()
        return error

    def answer(self, request: Request, error: FairlaneError) -> Response:
        """What whoever was turned away is told: a program a problem, a person a page, and who has not signed in is led there."""
        if not wants_page(request):
            reply = results.from_error(error, CHALLENGE if isinstance(error, Unauthenticated) else None)
            headers = {name.decode(): value.decode() for name, value in reply.headers}
            return Response(reply.body, reply.status, headers, reply.content_type.decode())
        if isinstance(error, Unauthenticated) and request.method == "GET" and self.gate and self.gate.config.keys:
            if request.headers.get("sec-fetch-site") in {"cross-site", "same-site"}:
                # who follows a link from a chat brings no SameSite=Strict cookie; the page itself does, when it asks again
                return HTMLResponse(self.templates.get_template("bounce.html").render())
            target = origin.path_of(request) + (f"?{request.url.query}" if request.url.query else "")
            return RedirectResponse(f"/login?next={quote(target, safe='')}", 303)
        title = f"Nothing was done: {error.title[:1].lower()}{error.title[1:].rstrip('.')}"
        with acting(getattr(request.state, "who", None)):
            page = self.templates.get_template("trouble.html").render(
                title=title, text=str(error), pipeline="", here=""
            )
        return HTMLResponse(page, error.status, CHALLENGE if isinstance(error, Unauthenticated) else None)


def wants_page(request: Request) -> bool:
    """Does a person look at what is answered?"""
    machine = origin.path_of(request).startswith(("/api/", "/v1/", "/fragment/", "/metrics"))
    return not machine and "text/html" in request.headers.get("accept", "")


def gate_of(settings: Settings, clock: Clock, use: Database) -> Gate | None:
    """The gate as configured; None when nobody has to say who they are. Raises StateDirectoryError when the sessions' secret cannot be kept."""
    auth = settings.auth
    if not auth.on:
        return None
    secret = secret_of(auth.session_secret, settings.state_dir) if auth.keys else b""
    return Gate(auth, KeyRing(use, clock), Sessions(secret, auth.session_hours * 3600), clock)
