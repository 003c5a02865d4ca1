"""The finishing pass over grafanalib's JSON, whose defaults are those of Grafana 5.

What it does: plain JSON values only; the modern schema version; no Angular-era options (heatmap, bar gauge, table); a data source on every panel, target, annotation
and variable, always the dashboard's variable; "null" thresholds become null; keys that Grafana no longer reads are dropped; lists that mean nothing are left out.
"""

import json
from collections.abc import Callable
from typing import Any, Final

from grafanalib import core
from grafanalib._gen import DashboardEncoder

SCHEMA_VERSION: Final = 39
PLUGIN_VERSION: Final = "11.0.0"
SOURCE: Final = {"type": "prometheus", "uid": "${datasource}"}

_DEAD_BOARD: Final = ("__inputs", "gnetId", "hideControls", "rows", "sharedCrosshair", "style", "inputs")
_DEAD_PANEL: Final = (
    "cacheTimeout", "columns", "color", "editable", "error", "fontSize", "height", "hideTimeOverride", "interval",
    "mappings", "maxPerRow", "minSpan", "repeat", "repeatDirection", "span", "timeFrom", "timeShift", "transformations",
    # the Angular heatmap's
    "cards", "dataFormat", "heatmap", "hideZeroBuckets", "highlightCards", "legend", "reverseYBuckets", "tooltip",
    "xAxis", "xBucketNumber", "xBucketSize", "yAxis", "yBucketBound", "yBucketNumber", "yBucketSize",
)  # fmt: skip
_LIVE_TARGET: Final = ("expr", "format", "instant", "legendFormat", "refId")
_LIVE_VARIABLE: Final = (
    "allValue",
    "current",
    "hide",
    "includeAll",
    "label",
    "multi",
    "name",
    "options",
    "query",
    "refresh",
    "regex",
    "sort",
    "type",
)
_LAST: Final = {"calcs": ["lastNotNull"], "fields": "", "values": False}


def finish(board: core.Dashboard) -> dict[str, Any]:
    """The dashboard as Grafana 10 and later read it."""
    raw: dict[str, Any] = json.loads(json.dumps(board.to_json_data(), cls=DashboardEncoder))
    for dead in _DEAD_BOARD:
        raw.pop(dead, None)
    raw["schemaVersion"] = SCHEMA_VERSION
    raw["version"] = 1
    raw["liveNow"] = False
    raw["editable"] = False
    raw["panels"] = [_panel(panel) for panel in raw["panels"]]
    raw["templating"] = {"list": [_variable(v) for v in raw["templating"]["list"]]}
    raw["annotations"] = {"list": [{**note, "datasource": SOURCE} for note in raw["annotations"]["list"]]}
    return raw


def to_json(body: dict[str, Any]) -> str:
    """The same bytes for the same dashboard, ending in a newline."""
    return json.dumps(body, indent=2, sort_keys=True, ensure_ascii=False) + "\n"


def _panel(panel: dict[str, Any]) -> dict[str, Any]:
    if panel["type"] == "row":
        return {key: panel[key] for key in ("collapsed", "gridPos", "id", "panels", "title", "type")}
    config = panel.setdefault("fieldConfig", {})
    config.setdefault("overrides", [])
    for dead in _DEAD_PANEL:
        panel.pop(dead, None)
    _MENDERS[panel["type"]](panel)
    if not panel.get("links"):
        panel.pop("links", None)
    panel["datasource"] = SOURCE
    panel["pluginVersion"] = PLUGIN_VERSION
    panel["maxDataPoints"] = 500 if panel["type"] in {"timeseries", "heatmap", "state-timeline"} else 100
    panel["targets"] = [_target(target) for target in panel["targets"]]
    thresholds = config["defaults"]["thresholds"]
    thresholds["steps"] = _steps(thresholds["steps"])
    return panel


def _steps(given: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """First step from minus infinity (null), as Grafana wants it; grafanalib writes the string "null"."""
    return [
        {"color": step["color"], "value": None if step["value"] in {"null", None} else step["value"]} for step in given
    ]


def _target(target: dict[str, Any]) -> dict[str, Any]:
    out = {key: target[key] for key in _LIVE_TARGET}
    return {**out, "datasource": SOURCE, "editorMode": "code", "range": not target["instant"]}


def _variable(variable: dict[str, Any]) -> dict[str, Any]:
    out = {key: variable[key] for key in _LIVE_VARIABLE}
    if out["type"] == "query":
        out["datasource"] = SOURCE
        out["definition"] = out["query"]
        out["query"] = {"query": out["query"], "refId": f"variable-{out['name']}"}
    out["current"] = {"selected": True, "text": ["All"], "value": ["$__all"]} if out["includeAll"] else {}
    out["regex"] = out["regex"] or ""
    return out


def _timeseries(panel: dict[str, Any]) -> None:
    custom = panel["fieldConfig"]["defaults"]["custom"]
    custom["scaleDistribution"] = {"type": "linear"}
    custom["stacking"] = custom["stacking"] or {"mode": "none", "group": "A"}
    custom["lineWidth"], custom["fillOpacity"], custom["showPoints"] = 2, 5, "never"
    for key in ("axisSoftMin", "axisSoftMax"):
        custom.pop(key)
    if len(panel["fieldConfig"]["defaults"]["thresholds"]["steps"]) > 1:
        custom["thresholdsStyle"] = {"mode": "dashed"}
    defaults = panel["fieldConfig"]["defaults"]
    panel["fieldConfig"]["defaults"] = {key: value for key, value in defaults.items() if value is not None}
    panel["fieldConfig"]["defaults"].setdefault("min", 0)
    panel["options"] = {
        "legend": {"showLegend": True, "displayMode": "list", "placement": "bottom", "calcs": []},
        "tooltip": {"mode": "multi", "sort": "desc"},
    }


def _stat(panel: dict[str, Any]) -> None:
    defaults = panel["fieldConfig"]["defaults"]
    defaults["color"] = {"mode": "thresholds"}
    defaults["noValue"] = "no data"
    if defaults.get("decimals") is None:
        defaults.pop("decimals", None)
    panel["options"] = {
        "colorMode": "value",
        "graphMode": "area",
        "justifyMode": "auto",
        "orientation": "auto",
        "reduceOptions": _LAST,
        "textMode": "auto",
        "wideLayout": True,
        "showPercentChange": False,
    }


def _bargauge(panel: dict[str, Any]) -> None:
    panel["fieldConfig"]["defaults"].update({"color": {"mode": "thresholds"}, "min": 0, "noValue": "no data"})
    panel["options"] = {
        "displayMode": "gradient",
        "minVizHeight": 10,
        "minVizWidth": 0,
        "namePlacement": "auto",
        "orientation": "horizontal",
        "reduceOptions": _LAST,
        "showUnfilled": True,
        "sizing": "auto",
        "valueMode": "color",
    }


def _table(panel: dict[str, Any]) -> None:
    custom = panel["fieldConfig"]["defaults"]["custom"]
    custom["cellOptions"] = {"type": "auto"}
    custom.pop("displayMode", None)
    custom["inspect"] = False
    panel["fieldConfig"]["defaults"]["noValue"] = "no data"
    panel["options"] = {
        "showHeader": True,
        "cellHeight": "sm",
        "footer": {"show": False, "reducer": ["sum"], "countRows": False, "fields": ""},
        "sortBy": [],
    }
    heads: list[str] = panel.pop("heads", [])
    values = ["Value"] if len(panel["targets"]) == 1 else [f"Value #{target['refId']}" for target in panel["targets"]]
    names = dict(zip(values, heads, strict=True)) if heads else {}
    order = {"excludeByName": {"Time": True}, "indexByName": {}, "renameByName": names}
    panel["transformations"] = [
        *([{"id": "merge", "options": {}}] if len(values) > 1 else []),
        {"id": "organize", "options": order},
    ]


def _heatmap(panel: dict[str, Any]) -> None:
    unit = panel["fieldConfig"]["defaults"]["unit"]
    panel["fieldConfig"]["defaults"]["custom"] = {
        "hideFrom": {"legend": False, "tooltip": False, "viz": False},
        "scaleDistribution": {"type": "linear"},
    }
    panel["options"] = {
        "calculate": False,
        "cellGap": 1,
        "cellValues": {"unit": "short"},
        "color": {
            "exponent": 0.5,
            "fill": "dark-orange",
            "mode": "scheme",
            "reverse": False,
            "scale": "exponential",
            "scheme": "Oranges",
            "steps": 64,
        },
        "exemplars": {"color": "rgba(255,0,255,0.7)"},
        "filterValues": {"le": 1e-9},
        "legend": {"show": True},
        "rowsFrame": {"layout": "auto"},
        "showValue": "never",
        "tooltip": {"mode": "single", "showColorScale": False, "yHistogram": True},
        "yAxis": {"axisPlacement": "left", "reverse": False, "unit": unit},
    }


def _state_timeline(panel: dict[str, Any]) -> None:
    panel["fieldConfig"]["defaults"]["color"] = {"mode": "thresholds"}
    panel["options"]["legend"]["showLegend"] = True
    panel["options"]["tooltip"] = {"mode": "single", "sort": "none"}


_MENDERS: Final[dict[str, Callable[[dict[str, Any]], None]]] = {
    "timeseries": _timeseries,
    "stat": _stat,
    "bargauge": _bargauge,
    "table": _table,
    "heatmap": _heatmap,
    "state-timeline": _state_timeline,
}
