"""Our panel helpers: a panel is a title, a question it answers, a unit and queries. Layout and ids are worked out, never written down.

grafanalib builds the JSON; its defaults are old and are mended by `dashboards.finish`.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from grafanalib import core

WIDTH: Final = 24
"""Columns of Grafana's grid."""
GREEN, YELLOW, RED, BLUE = "green", "yellow", "red", "blue"


@dataclass(frozen=True, slots=True)
class Query:
    """A PromQL expression and its legend (Grafana's `{{label}}`). `instant` asks for the newest value only."""

    expr: str
    legend: str
    instant: bool = False


@dataclass(frozen=True, slots=True)
class Step:
    """From `value` upwards (None: from the bottom) the colour is `colour`."""

    colour: str
    value: float | None = None


CALM: Final = (Step(GREEN),)


def steps(*, warn: float, bad: float) -> tuple[Step, ...]:
    """Green, yellow from `warn`, red from `bad`."""
    return (Step(GREEN), Step(YELLOW, warn), Step(RED, bad))


@dataclass(frozen=True, slots=True)
class Panel:
    """One panel; `kind` is Grafana's panel type. `question` is its description."""

    kind: str
    title: str
    question: str
    unit: str
    queries: tuple[Query, ...]
    thresholds: tuple[Step, ...] = CALM
    width: int = 12
    height: int = 8
    words: tuple[tuple[str, str, str], ...] = ()
    """(value, word, colour): how numbers that are states are shown."""
    options: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Row:
    """A headline and its panels, laid out left to right, wrapping at the grid's width."""

    title: str
    panels: tuple[Panel, ...]


@dataclass(frozen=True, slots=True)
class Variable:
    """A dashboard variable filled from the values of a metric's label."""

    name: str
    label: str
    query: str
    multi: bool = False


@dataclass(frozen=True, slots=True)
class Note:
    """An annotation: each time `expr` is not empty, `title` stands on the time axis."""

    name: str
    expr: str
    title: str
    colour: str = BLUE


@dataclass(frozen=True, slots=True)
class Board:
    """A dashboard. The uid never changes: alerts and pages link to it."""

    uid: str
    title: str
    description: str
    rows: tuple[Row, ...]
    variables: tuple[Variable, ...] = ()
    notes: tuple[Note, ...] = ()


def timeseries(title: str, question: str, unit: str, *queries: Query, **more: Any) -> Panel:
    """Lines over time."""
    return Panel("timeseries", title, question, unit, queries, **more)


def stat(title: str, question: str, unit: str, *queries: Query, **more: Any) -> Panel:
    """One number, newest first, with its colour."""
    return Panel("stat", title, question, unit, queries, **{"width": 6, "height": 4, **more})


def bars(title: str, question: str, unit: str, *queries: Query, **more: Any) -> Panel:
    """One bar a series, newest value."""
    return Panel("bargauge", title, question, unit, queries, **more)


def table(title: str, question: str, unit: str, *queries: Query, **more: Any) -> Panel:
    """One row a series, newest value."""
    return Panel("table", title, question, unit, queries, **more)


def heatmap(title: str, question: str, unit: str, *queries: Query, **more: Any) -> Panel:
    """A histogram's buckets over time."""
    return Panel("heatmap", title, question, unit, queries, **more)


def states(title: str, question: str, *queries: Query, words: tuple[tuple[str, str, str], ...], **more: Any) -> Panel:
    """States over time, as words."""
    return Panel("state-timeline", title, question, "none", queries, words=words, **more)


def build(board: Board) -> core.Dashboard:
    """The board in grafanalib's terms, laid out and numbered."""
    return core.Dashboard(
        title=board.title,
        uid=board.uid,
        description=board.description,
        tags=["fairlane"],
        timezone="utc",
        refresh="15s",
        time=core.Time("now-1h", "now"),
        graphTooltip=core.GRAPH_TOOLTIP_MODE_SHARED_CROSSHAIR,
        templating=core.Templating(list=[_datasource(), *(_variable(v) for v in board.variables)]),
        annotations=core.Annotations(list=[_annotation(note) for note in board.notes]),
        links=[core.DashboardLink(asDropdown=False, includeVars=True, tags=["fairlane"], title="Fairlane boards")],
        panels=_lay_out(board.rows),
    ).auto_panel_ids()


def _lay_out(rows: Sequence[Row]) -> list[core.Panel]:
    out: list[core.Panel] = []
    y = 0
    for row in rows:
        out.append(core.RowPanel(title=row.title, gridPos=core.GridPos(h=1, w=WIDTH, x=0, y=y)))
        y += 1
        x = tallest = 0
        for panel in row.panels:
            if x + panel.width > WIDTH:
                x, y, tallest = 0, y + tallest, 0
            out.append(_panel(panel, core.GridPos(h=panel.height, w=panel.width, x=x, y=y)))
            x, tallest = x + panel.width, max(tallest, panel.height)
        y += tallest
    return out


_MAKERS: Final = {
    "timeseries": core.TimeSeries,
    "stat": core.Stat,
    "bargauge": core.BarGauge,
    "table": core.Table,
    "heatmap": core.Heatmap,
    "state-timeline": core.StateTimeline,
}


def _panel(panel: Panel, at: core.GridPos) -> core.Panel:
    defaults = {
        "unit": panel.unit,
        "thresholds": {
            "mode": "absolute",
            "steps": [{"color": step.colour, "value": step.value} for step in panel.thresholds],
        },
        "mappings": [
            {"type": "value", "options": {value: {"text": word, "color": colour, "index": i}}}
            for i, (value, word, colour) in enumerate(panel.words)
        ],
    }
    return _MAKERS[panel.kind](
        title=panel.title,
        description=panel.question,
        gridPos=at,
        targets=[_target(i, query, panel.kind) for i, query in enumerate(panel.queries)],
        extraJson={"fieldConfig": {"defaults": defaults}, **panel.options},
    )


def _target(index: int, query: Query, kind: str) -> core.Target:
    instant = query.instant or kind in {"table", "bargauge"}
    shape = {"table": "table", "heatmap": "heatmap"}.get(kind, "time_series")
    return core.Target(
        expr=query.expr, legendFormat=query.legend, refId=chr(ord("A") + index), instant=instant, format=shape
    )


def _datasource() -> core.Template:
    return core.Template(name="datasource", label="Prometheus", type="datasource", query="prometheus", refresh=1)


def _variable(variable: Variable) -> core.Template:
    return core.Template(
        name=variable.name,
        label=variable.label,
        query=variable.query,
        multi=variable.multi,
        includeAll=variable.multi,
        allValue=".*" if variable.multi else None,
        refresh=2,
    )


def _annotation(note: Note) -> dict[str, Any]:
    return {
        "name": note.name,
        "enable": True,
        "hide": False,
        "iconColor": note.colour,
        "expr": note.expr,
        "titleFormat": note.title,
        "step": "15s",
        "useValueForTime": False,
    }
