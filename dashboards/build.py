"""All dashboards."""

from typing import Any

from dashboards.boards import isolation, pipeline
from dashboards.finish import finish
from dashboards.panels import Board, build


def specs() -> tuple[Board, ...]:
    """The boards as we describe them."""
    return (pipeline.board(), isolation.board())


def boards() -> dict[str, dict[str, Any]]:
    """uid to the JSON that Grafana imports."""
    return {spec.uid: finish(build(spec)) for spec in specs()}
