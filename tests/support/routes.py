"""Every route of a web app as `METHOD PATTERN`, those of included routers too."""

from collections.abc import Iterable, Iterator

from fastapi import FastAPI
from starlette.routing import BaseRoute, Mount, Route


def routes(app: FastAPI) -> set[str]:
    """All of them; a mounted folder is `GET PATH/{path:path}`."""
    return set(_all(app.router.routes))


def _all(several: Iterable[BaseRoute]) -> Iterator[str]:
    for route in several:
        inner = getattr(route, "original_router", None)
        if inner is not None:
            yield from _all(inner.routes)
        elif isinstance(route, Mount):
            yield f"GET {route.path}/{{path:path}}"
        elif isinstance(route, Route):
            yield from (f"{method} {route.path}" for method in route.methods or () if method != "HEAD")
        else:
            raise TypeError(f"a route of an unknown kind: {route!r}")
