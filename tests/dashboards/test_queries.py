"""Every query of every board, asked of a real Prometheus that scrapes every catalogued metric and evaluates our rules: no error, and data."""

import re
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from math import isnan

import pytest
import yaml

from alerts.config import AlertSettings
from alerts.rules import rules
from dashboards.build import boards
from fairlane.database import open_database
from tests.support.exposed import World, exposed
from tests.support.prometheus import Prometheus, prometheus
from tests.support.waiting import until

pytestmark = pytest.mark.prometheus

SECONDS = 10
"""Scrapes before the first question: as long as the interval that takes the place of Grafana's."""
FILLED = {"$__rate_interval": "10s", "$__interval": "1s", "$__range": "10s", "$pipeline": ".*", "$slo": ".*"} | {
    "$limit": ".*"
}
BOARDS = boards()
QUERIES = [
    (f"{uid}: {panel['title']} {target['refId']}", panel["type"], target["expr"], target["instant"])
    for uid, board in BOARDS.items()
    for panel in board["panels"]
    if panel["type"] != "row"
    for target in panel["targets"]
]
LEGENDS = {
    f"{uid}: {panel['title']} {target['refId']}": target["legendFormat"]
    for uid, board in BOARDS.items()
    for panel in board["panels"]
    if panel["type"] != "row"
    for target in panel["targets"]
}
NOTES = [
    (f"{uid}: {note['name']}", note["expr"]) for uid, board in BOARDS.items() for note in board["annotations"]["list"]
]
VARIABLES = sorted(
    {
        variable["definition"]
        for board in BOARDS.values()
        for variable in board["templating"]["list"]
        if variable["type"] == "query"
    }
)


def filled(expr: str) -> str:
    """As Grafana sends it, with everything chosen."""
    for variable, value in FILLED.items():
        expr = expr.replace(variable, value)
    assert "$" not in expr
    return expr


def quick(text: str) -> str:
    """The rules, evaluated each second."""
    body = yaml.safe_load(text)
    for group in body["groups"]:
        group["interval"] = "1s"
    return yaml.safe_dump(body, sort_keys=False, width=10_000)


@dataclass
class Asked:
    """The Prometheus, and the seconds for which it has data."""

    server: Prometheus
    begin: float
    end: float

    def samples(self, expr: str, *, instant: bool = False) -> list[float]:
        """All values of all series."""
        if instant:
            return [float(one["value"][1]) for one in self.server.query(expr)]
        return [float(value) for one in self.server.range(expr, self.begin, self.end) for _, value in one["values"]]


@pytest.fixture(scope="module")
def asked(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Asked]:
    directory = tmp_path_factory.mktemp("prometheus")
    engine = open_database(f"sqlite:///{directory / 'fairlane.db'}")
    try:
        with (
            exposed(World(engine)) as target,
            prometheus(directory, [target], quick(rules(AlertSettings()))) as server,
        ):
            until(lambda: server.query(f"count_over_time(up[1m]) > {SECONDS}"), 90, 0.5)
            until(lambda: server.query('slo:burn:ratio and on () ALERTS{alertstate="firing", tier="notify"}'), 90, 0.5)
            now = time.time()
            yield Asked(server, now - SECONDS, now)
    finally:
        engine.dispose()


@pytest.mark.parametrize(("kind", "expr", "instant"), [q[1:] for q in QUERIES], ids=[q[0] for q in QUERIES])
def test_a_query_has_data(asked: Asked, kind: str, expr: str, instant: bool) -> None:
    samples = asked.samples(filled(expr), instant=instant)
    assert samples, expr
    assert any(not isnan(value) for value in samples), expr


@pytest.mark.parametrize("expr", [n[1] for n in NOTES], ids=[n[0] for n in NOTES])
def test_an_annotation_shows_what_happened(asked: Asked, expr: str) -> None:
    assert asked.samples(filled(expr))


@pytest.mark.parametrize("definition", VARIABLES)
def test_a_variable_has_values(asked: Asked, definition: str) -> None:
    metric, label = definition.removeprefix("label_values(").removesuffix(")").split(", ")
    assert asked.server.label_values(metric, label)


def test_all_series_that_a_table_joins_have_one_set_of_labels(asked: Asked) -> None:
    for uid, board in BOARDS.items():
        for panel in board["panels"]:
            if panel["type"] == "table" and len(panel["targets"]) > 1:
                rows = [labels(asked.server, target["expr"]) for target in panel["targets"]]
                assert all(row == rows[0] for row in rows), f"{uid}: {panel['title']}: {rows}"


def test_no_two_lines_of_a_panel_have_the_same_name(asked: Asked) -> None:
    for uid, board in BOARDS.items():
        for panel in board["panels"]:
            if panel["type"] in {"timeseries", "stat", "bargauge", "state-timeline"}:
                named = Counter(
                    legend(target["legendFormat"], one["metric"])
                    for target in panel["targets"]
                    for one in asked.server.query(filled(target["expr"]))
                )
                assert {name: n for name, n in named.items() if n > 1 or not name.strip()} == {}, (
                    f"{uid}: {panel['title']}"
                )


def legend(template: str, metric: dict[str, str]) -> str:
    """What Grafana writes beside the line; a label that is not there leaves its braces."""
    return re.sub(r"{{(\w+)}}", lambda found: metric.get(found[1], found[0]), template)


def test_a_legend_names_labels_that_its_series_have(asked: Asked) -> None:
    for name, _, expr, _ in QUERIES:
        template = LEGENDS[name]
        for one in asked.server.query(filled(expr)):
            assert "{{" not in legend(template, one["metric"]), f"{name}: {template} for {one['metric']}"


def labels(server: Prometheus, expr: str) -> set[tuple[tuple[str, str], ...]]:
    """The label sets of a query's series."""
    return {tuple(sorted(one["metric"].items())) for one in server.query(filled(expr))}
