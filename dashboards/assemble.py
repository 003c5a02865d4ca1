"""A board in grafanalib's terms. Layout and ids are worked out, never written down; grafanalib's old defaults are mended by `dashboards.finish`."""

from collections.abc import Sequence
from typing import Any, Final

from grafanalib import core

from dashboards.panels import WIDTH, Board, Column, Note, Panel, Query, Row, Step, Variable, Words

TAG: Final = "fairlane"
PAGES: Final = (("On-call page", "/"), ("Moves page", "/moves"), ("SLA page", "/sla"), ("Capacity page", "/capacity"))
"""Our own pages: every board leads to all of them."""


def build(board: Board, pages: str = "") -> core.Dashboard:
    """The board, laid out and numbered. `pages` is the base URL of our web process, without a slash at the end."""
    return core.Dashboard(
        title=board.title,
        uid=board.uid,
        description=board.description,
        tags=[TAG],
        timezone="utc",
        refresh=board.refresh,
        time=core.Time(board.since, "now"),
        graphTooltip=core.GRAPH_TOOLTIP_MODE_SHARED_CROSSHAIR,
        templating=core.Templating(list=[_datasource(), *(_variable(v) for v in board.variables)]),
        annotations=core.Annotations(list=[_annotation(note) for note in board.notes]),
        links=[_boards(), *(_page(title, pages + path) for title, path in PAGES)],
        panels=_lay_out(board.rows, pages),
    ).auto_panel_ids()


def _boards() -> core.DashboardLink:
    return core.DashboardLink(asDropdown=True, includeVars=True, keepTime=True, tags=[TAG], title="Fairlane boards")


def _page(title: str, url: str) -> core.DashboardLink:
    return core.DashboardLink(type="link", title=title, uri=url, keepTime=False, targetBlank=True)


def _lay_out(rows: Sequence[Row], pages: str) -> list[core.Panel]:
    out: list[core.Panel] = []
    y = 0
    for row in rows:
        out.append(core.RowPanel(title=row.title, gridPos=core.GridPos(h=1, w=WIDTH, x=0, y=y)))
        y += 1
        x = tallest = 0
        for panel in row.panels:
            if x + panel.width > WIDTH:
                x, y, tallest = 0, y + tallest, 0
            out.append(_panel(panel, core.GridPos(h=panel.height, w=panel.width, x=x, y=y), pages))
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


def _panel(panel: Panel, at: core.GridPos, pages: str) -> core.Panel:
    defaults = {
        "unit": panel.unit,
        "thresholds": _thresholds(panel.thresholds),
        "mappings": _mappings(panel.words),
        **({"links": [_lead(lead.title, pages + lead.path) for lead in panel.leads]} if panel.leads else {}),
    }
    heads = [column.head for column in panel.columns]
    config = {"defaults": defaults, "overrides": [_override(column) for column in panel.columns]}
    return _MAKERS[panel.kind](
        title=panel.title,
        description=panel.question,
        gridPos=at,
        targets=[_target(i, query, panel.kind) for i, query in enumerate(panel.queries)],
        extraJson={"fieldConfig": config, **({"heads": heads} if heads else {}), **panel.options},
    )


def _lead(title: str, url: str) -> dict[str, Any]:
    return {"title": title, "url": url, "targetBlank": True}


def _override(column: Column) -> dict[str, Any]:
    looks: list[dict[str, Any]] = [{"id": "unit", "value": column.unit}]
    if column.decimals is not None:
        looks.append({"id": "decimals", "value": column.decimals})
    if column.words:
        looks.append({"id": "mappings", "value": _mappings(column.words)})
    if column.thresholds:
        looks.append({"id": "thresholds", "value": _thresholds(column.thresholds)})
    if column.words or column.thresholds:
        looks.append({"id": "custom.cellOptions", "value": {"type": "color-text"}})
    return {"matcher": {"id": "byName", "options": column.head}, "properties": looks}


def _thresholds(steps: Sequence[Step]) -> dict[str, Any]:
    return {"mode": "absolute", "steps": [{"color": step.colour, "value": step.value} for step in steps]}


def _mappings(words: Words) -> list[dict[str, Any]]:
    return [
        {"type": "value", "options": {value: {"text": word, "color": colour, "index": i}}}
        for i, (value, word, colour) in enumerate(words)
    ]


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
        "step": note.step,
        "useValueForTime": False,
    }
