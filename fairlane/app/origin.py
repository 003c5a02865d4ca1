"""Who may change things from a browser: only our own pages. A foreign page must not press the kill switch of whoever reads it.

* the host: where nobody has to say who they are, the name by which we were asked must be a loopback one, for reading too: a foreign name that resolves to this
  machine (DNS rebinding) would let a foreign page read ours. With auth it may be any: a foreign name brings no session
* the origin: Sec-Fetch-Site or Origin, which a browser sets and a page cannot forge, must be our own; programs send neither
* the body: the API takes application/json only, which a foreign form cannot send; our own forms carry the token that our cookie holds
"""

import hmac
import secrets
from collections.abc import Mapping
from typing import Final
from urllib.parse import urlsplit

from fastapi import Request, Response
from starlette.requests import HTTPConnection

from fairlane.hosts import is_loopback

SAFE: Final = frozenset({"GET", "HEAD", "OPTIONS"})
COOKIE: Final = "fairlane_form"
FIELD: Final = "form_token"


def host_of(request: Request) -> str:
    """The name by which we were asked, without the port."""
    try:
        return urlsplit(f"//{request.headers.get('host', '')}").hostname or ""
    except ValueError:  # such as a bracket that is never closed
        return ""


def path_of(request: HTTPConnection) -> str:
    """The path as the router sees it: `request.url` is put together with the header Host, which whoever asks may choose."""
    return str(request.scope["path"])


def foreign(host: str) -> str:
    """Why a request by this name (without port) is not answered while nobody has to say who they are; "" when it is."""
    if is_loopback(host):
        return ""
    return (
        f"this server was asked as {host or 'nobody'}: without auth it answers to a loopback name only. Open the page as http://127.0.0.1, or let people "
        "say who they are: auth.keys = true, or auth.trusted_peers behind a proxy"
    )


def refusal(headers: Mapping[str, str], *, proxied: bool) -> str:
    """Why a request that changes something is refused, "" when it is not. Header names in lower case; `proxied`: the peer is the trusted proxy."""
    site = headers.get("sec-fetch-site", "")
    if site in {"cross-site", "same-site"}:
        return "the request comes from another site's page: open Fairlane's own page and ask there"
    origin = headers.get("origin", "")
    if not origin or site == "same-origin":
        return ""
    ours = {headers.get("host", "").lower()}
    if proxied:
        ours.add(headers.get("x-forwarded-host", "").lower())
    try:
        theirs = urlsplit(origin).netloc.lower()
    except ValueError:
        theirs = ""
    if theirs not in ours - {""}:
        return f"the request comes from a page of {origin}, not from this server's own: open Fairlane's own page and ask there"
    return ""


def form_token(request: Request) -> str:
    """The token that forms of this reader carry: the cookie's, or a new one."""
    held = request.cookies.get(COOKIE, "")
    return held if 20 <= len(held) <= 100 and held.isascii() else secrets.token_urlsafe(32)


def keep(response: Response, request: Request, token: str) -> None:
    """Let the browser hold `token`: never sent along by a foreign page, never readable by a script."""
    if request.cookies.get(COOKIE) != token:
        response.set_cookie(COOKIE, token, httponly=True, samesite="strict", path="/", secure=is_https(request))


def is_https(request: Request) -> bool:
    """Does the browser speak HTTPS, to us or to a proxy? Whoever lies about it only hurts their own cookie."""
    return "https" in {request.url.scheme, request.headers.get("x-forwarded-proto", "").strip().lower()}


def form_is_ours(request: Request, given: str) -> bool:
    """Does the form carry what the cookie holds?"""
    held = request.cookies.get(COOKIE, "")
    return bool(held) and hmac.compare_digest(held.encode(), given.encode())
