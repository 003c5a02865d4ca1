"""Our panel helpers: a panel is a title, a question it answers, a unit and queries. Plain values; `dashboards.assemble` turns them into grafanalib's."""

from dataclasses import dataclass, field
from typing import Any, Final

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
Words = tuple[tuple[str, str, str], ...]
"""(value, word, colour): how numbers that are states are shown."""


def steps(*, warn: float, bad: float) -> tuple[Step, ...]:
    """Green, yellow from `warn`, red from `bad`."""
    return (Step(GREEN), Step(YELLOW, warn), Step(RED, bad))


def scarce(*, warn: float, bad: float) -> tuple[Step, ...]:
    """Of what should be there: red under `bad`, yellow under `warn`, then green."""
    return (Step(RED), Step(YELLOW, bad), Step(GREEN, warn))


@dataclass(frozen=True, slots=True)
class Lead:
    """Where a number leads: a path of our pages, in which `${__field.labels.slo}` (in a table `${__data.fields.slo}`) stands for the series' label."""

    title: str
    path: str


@dataclass(frozen=True, slots=True)
class Column:
    """One query of a table: its headline, and how its numbers are shown."""

    head: str
    unit: str = "short"
    thresholds: tuple[Step, ...] = ()
    words: Words = ()
    decimals: int | None = None


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
    words: Words = ()
    columns: tuple[Column, ...] = ()
    """Of a table: one for each query, in their order; rows are joined by the labels that all queries share."""
    leads: tuple[Lead, ...] = ()
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
    """An annotation: each time `expr` is not empty, `title` stands on the time axis. `step` is the least distance of two looks."""

    name: str
    expr: str
    title: str
    colour: str = BLUE
    step: str = "15s"


@dataclass(frozen=True, slots=True)
class Board:
    """A dashboard. The uid never changes: alerts and pages link to it. `page` is the path of our own page on the same matter."""

    uid: str
    title: str
    description: str
    rows: tuple[Row, ...]
    variables: tuple[Variable, ...] = ()
    notes: tuple[Note, ...] = ()
    page: str = "/"
    since: str = "now-1h"
    refresh: str = "15s"


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
    """One row a series, newest value; with `columns` one row for all series of the same labels."""
    return Panel("table", title, question, unit, queries, **more)


def heatmap(title: str, question: str, unit: str, *queries: Query, **more: Any) -> Panel:
    """A histogram's buckets over time."""
    return Panel("heatmap", title, question, unit, queries, **more)


def states(title: str, question: str, *queries: Query, words: Words, **more: Any) -> Panel:
    """States over time, as words."""
    return Panel("state-timeline", title, question, "none", queries, words=words, **more)
