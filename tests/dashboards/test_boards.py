"""Laws of the dashboards: fixed uids, no overlaps, words on every panel, catalogued metrics, modern options, the same bytes each time."""

import itertools
from typing import Any

import pytest
from grafanalib import core

from dashboards.build import boards, specs
from dashboards.finish import SOURCE, finish, to_json
from dashboards.panels import WIDTH, Board, Query, Row, build, timeseries
from tests.support.catalogue import known_series
from tests.support.promql import problems

BOARDS = boards()
PANELS = [(uid, panel) for uid, board in BOARDS.items() for panel in board["panels"] if panel["type"] != "row"]
every_panel = pytest.mark.parametrize(
    ("uid", "panel"), PANELS, ids=[f"{uid}: {panel['title']}" for uid, panel in PANELS]
)
every_board = pytest.mark.parametrize("board", BOARDS.values(), ids=BOARDS.keys())
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
    assert sorted(BOARDS) == ["fairlane-isolation", "fairlane-pipeline"]
    assert all(board["uid"] == uid for uid, board in BOARDS.items())


@every_panel
def test_a_panel_has_title_question_and_unit(uid: str, panel: dict[str, Any]) -> None:
    assert panel["title"]
    assert "?" in panel["description"]
    assert panel["fieldConfig"]["defaults"]["unit"]
    assert panel["fieldConfig"]["defaults"]["thresholds"]["steps"][0]["value"] is None


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
    assert board["links"]
    assert [variable["name"] for variable in board["templating"]["list"]] == ["datasource", "pipeline"]
    assert all(note["datasource"] == SOURCE for note in board["annotations"]["list"])


@every_board
def test_annotations_and_variables_name_catalogued_metrics(board: dict[str, Any]) -> None:
    known = known_series()
    assert [problem for note in board["annotations"]["list"] for problem in problems(note["expr"], known)] == []
    for variable in board["templating"]["list"]:
        if variable["type"] == "query":
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
