"""All dashboards."""

from typing import Any, Final

from dashboards.assemble import build
from dashboards.boards import capacity, isolation, oncall, pipeline, sla
from dashboards.finish import finish
from dashboards.panels import Board

PAGES: Final = "http://127.0.0.1:8090"
"""Where our own pages are, unless told otherwise: the web process on this machine."""


def specs() -> tuple[Board, ...]:
    """The boards as we describe them."""
    return (oncall.board(), isolation.board(), pipeline.board(), sla.board(), capacity.board())


def boards(pages: str = PAGES) -> dict[str, dict[str, Any]]:
    """uid to the JSON that Grafana imports. `pages` is the base URL of our web process: panels and boards link to it."""
    return {spec.uid: finish(build(spec, pages.rstrip("/"))) for spec in specs()}
