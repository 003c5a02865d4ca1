"""Laws of the dashboards: fixed uids, no overlaps, words on every panel, catalogued metrics, modern options, the same bytes each time."""

import itertools
import re
from typing import Any

import pytest
from grafanalib import core

from alerts import burn
from alerts.rules import alerts
from dashboards.assemble import build
from dashboards.build import boards, specs
from dashboards.finish import SOURCE, finish, to_json
from dashboards.panels import WIDTH, Board, Query, Row, timeseries
from dashboards.recorded import RECORDED
from fairlane.cli.docs import catalogue
from slo.capacity.standing import Stage
from tests.support.catalogue import known_series
from tests.support.promql import problems

BOARDS = boards()
PANELS = [(uid, panel) for uid, board in BOARDS.items() for panel in board["panels"] if panel["type"] != "row"]
every_panel = pytest.mark.parametrize(
    ("uid", "panel"), PANELS, ids=[f"{uid}: {panel['title']}" for uid, panel in PANELS]
)
every_board = pytest.mark.parametrize("board", BOARDS.values(), ids=BOARDS.keys())
NOT_SHOWN = {
    "fairlane_slo_burn_threshold",  # as slo:burn:threshold, which the rules record from it
    "fairlane_slo_bad_minutes",  # what a page's rule asks for, as slo:bad_minutes:count5m
    "fairlane_slo_late_seconds",  # never changes: a property of the objective that a rule asks for
}
"""Metrics of the rooms below fairlane that no panel names, each with its reason."""
ANGULAR = (
    "cards",
    "dataFormat",
    "xAxis",
    "yAxis",
    "fieldOptions",
    "span",
    "minSpan",
    "editable",
    "error",
    "cacheTimeout",
    "legend",
    "tooltip",
    "columns",
)


def test_the_uids_are_fixed() -> None:
    assert sorted(BOARDS) == [
        "fairlane-capacity",
        "fairlane-isolation",
        "fairlane-oncall",
        "fairlane-pipeline",
        "fairlane-sla",
    ]
    assert all(board["uid"] == uid for uid, board in BOARDS.items())


@every_panel
def test_a_panel_has_title_question_and_unit(uid: str, panel: dict[str, Any]) -> None:
    assert panel["title"]
    assert "?" in panel["description"]
    assert panel["fieldConfig"]["defaults"]["unit"]
    assert panel["description"].endswith((".", "?"))
    assert panel["fieldConfig"]["defaults"]["thresholds"]["steps"][0]["value"] is None
    values = [step["value"] for step in panel["fieldConfig"]["defaults"]["thresholds"]["steps"][1:]]
    assert values == sorted(set(values)), "thresholds rise"


@every_panel
def test_a_panel_asks_only_for_catalogued_metrics(uid: str, panel: dict[str, Any]) -> None:
    known = known_series()
    assert panel["targets"]
    assert [problem for target in panel["targets"] for problem in problems(target["expr"], known)] == []


@every_panel
def test_a_panel_reads_from_the_boards_data_source_and_names_its_series(uid: str, panel: dict[str, Any]) -> None:
    assert panel["datasource"] == SOURCE
    assert all(target["datasource"] == SOURCE for target in panel["targets"])
    assert all(target["legendFormat"] for target in panel["targets"])
    assert len({target["refId"] for target in panel["targets"]}) == len(panel["targets"])


@every_panel
def test_nothing_of_angular_is_left(uid: str, panel: dict[str, Any]) -> None:
    assert not set(panel) & set(ANGULAR)
    assert "fieldOptions" not in panel["options"]
    assert '"null"' not in to_json(panel)
    assert "displayMode" not in panel["fieldConfig"]["defaults"].get("custom", {})


@every_board
def test_panels_neither_overlap_nor_leave_the_grid(board: dict[str, Any]) -> None:
    taken: dict[tuple[int, int], str] = {}
    for panel in board["panels"]:
        at = panel["gridPos"]
        assert at["x"] + at["w"] <= WIDTH
        for cell in itertools.product(range(at["x"], at["x"] + at["w"]), range(at["y"], at["y"] + at["h"])):
            assert cell not in taken, f"{panel['title']} covers {taken[cell]}"
            taken[cell] = panel["title"]


@every_board
def test_panel_ids_and_titles_are_unique(board: dict[str, Any]) -> None:
    ids = [panel["id"] for panel in board["panels"]]
    assert len(set(ids)) == len(ids)
    assert None not in ids
    titles = [panel["title"] for panel in board["panels"]]
    assert len(set(titles)) == len(titles)


@every_board
def test_a_board_is_one_that_a_current_grafana_reads(board: dict[str, Any]) -> None:
    assert board["schemaVersion"] >= 39
    assert "rows" not in board
    assert [variable["name"] for variable in board["templating"]["list"]][:2] == ["datasource", "pipeline"]
    assert all(note["datasource"] == SOURCE for note in board["annotations"]["list"])


@every_board
def test_annotations_and_variables_name_catalogued_metrics(board: dict[str, Any]) -> None:
    known = known_series()
    assert [problem for note in board["annotations"]["list"] for problem in problems(note["expr"], known)] == []
    for variable in board["templating"]["list"]:
        if variable["type"] == "query":
            assert f"${variable['name']}" in to_json(board["panels"]), f"{variable['name']} changes nothing"
            assert variable["current"]["value"] == ["$__all"]
            metric, label = variable["definition"].removeprefix("label_values(").removesuffix(")").split(", ")
            assert label in known[metric]


def test_the_same_boards_give_the_same_bytes() -> None:
    assert [to_json(board) for board in boards().values()] == [to_json(board) for board in boards().values()]


def test_panels_wrap_at_the_width_of_the_grid_below_the_tallest() -> None:
    wide = timeseries("a", "?", "s", Query("vector(1)", "x"), width=16, height=8)
    small = timeseries("b", "?", "s", Query("vector(1)", "x"), width=16, height=4)
    board = build(Board("u", "t", "d", (Row("r", (wide, small)), Row("s", (wide,)))))
    assert [(p.gridPos.x, p.gridPos.y) for p in board.panels] == [(0, 0), (0, 1), (0, 9), (0, 13), (0, 14)]


def test_every_board_has_a_description() -> None:
    assert all(spec.description for spec in specs())


def test_grafanalibs_own_thresholds_are_mended() -> None:
    panel = core.TimeSeries(title="t", thresholds=[core.Threshold("green", 0, 0.0), core.Threshold("red", 1, 80.0)])
    finished = finish(core.Dashboard(title="b", uid="b", panels=[panel]))
    steps = finished["panels"][0]["fieldConfig"]["defaults"]["thresholds"]["steps"]
    assert steps == [{"color": "green", "value": None}, {"color": "red", "value": 80.0}]


@every_board
def test_a_board_leads_to_the_others_and_to_our_pages(board: dict[str, Any]) -> None:
    first, *rest = board["links"]
    assert (first["type"], first["tags"], first["includeVars"]) == ("dashboards", board["tags"], True)
    assert [link["url"] for link in rest] == [
        f"http://127.0.0.1:8090{path}" for path in ("/", "/moves", "/sla", "/capacity")
    ]
    assert all(link["type"] == "link" for link in rest)


def test_our_pages_may_stand_anywhere() -> None:
    text = "".join(to_json(board) for board in boards("https://fairlane.example/app/").values())
    assert "https://fairlane.example/app/slo/${__field.labels.slo}" in text
    assert "127.0.0.1" not in text
    assert "app//" not in text


@every_panel
def test_a_link_of_a_panel_uses_labels_that_its_series_carry(uid: str, panel: dict[str, Any]) -> None:
    for link in panel["fieldConfig"]["defaults"].get("links", ()):
        kind = "data.fields" if panel["type"] == "table" else "field.labels"
        for label in re.findall(r"\$\{__([\w.]+)\}", link["url"]):
            assert label.startswith(kind)
            name = label.removeprefix(f"{kind}.")
            assert all(f"{{{{{name}}}}}" in target["legendFormat"] for target in panel["targets"])


@every_board
def test_moves_and_deploys_stand_on_the_time_axis(board: dict[str, Any]) -> None:
    notes = {note["name"]: note["expr"] for note in board["annotations"]["list"]}
    assert set(notes) == {"Moves", "Deploys"}
    assert 'action="change"' in notes["Deploys"]
    assert 'kind=~"move|restore"' in notes["Moves"]


@every_panel
def test_the_columns_of_a_table_are_those_that_are_dressed(uid: str, panel: dict[str, Any]) -> None:
    if panel["type"] == "table":
        dressed = [one["matcher"]["options"] for one in panel["fieldConfig"]["overrides"]]
        organize = panel["transformations"][-1]["options"]
        assert list(organize["renameByName"].values()) == dressed
        assert not dressed or len(dressed) == len(panel["targets"])
        assert (panel["transformations"][0]["id"] == "merge") == (len(panel["targets"]) > 1)


def test_what_a_board_shows_of_the_rules_is_what_they_record() -> None:
    assert {metric.name: metric.labels for metric in RECORDED}.items() <= {
        name: tuple(labels) for name, labels in burn.RECORDED.items()
    }.items()


def test_every_alert_leads_to_a_board_that_exists() -> None:
    assert {alert.dashboard for alert in alerts()} <= set(BOARDS)


def test_every_metric_is_shown_somewhere() -> None:
    shown = "".join(to_json(board) for board in BOARDS.values())
    rooms = {name: metrics for name, metrics in catalogue().items() if not name.startswith("fairlane.")}
    metrics = {metric.name for metric in itertools.chain.from_iterable(rooms.values())}
    assert {name for name in metrics if name not in shown} == NOT_SHOWN


def test_limits_of_which_nothing_is_known_are_counted_beside_the_red_and_the_yellow() -> None:
    counted = {
        panel["title"]: panel["targets"][0]["expr"].rpartition("== bool ")[2].rstrip(")")
        for uid, panel in PANELS
        if uid == "fairlane-capacity" and panel["type"] == "stat" and "== bool" in panel["targets"][0]["expr"]
    }
    codes = {"Red limits": Stage.RED, "Yellow limits": Stage.YELLOW, "Limits without data": Stage.UNKNOWN}
    assert counted == {title: str(stage.code) for title, stage in codes.items()}
