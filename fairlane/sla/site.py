"""The SLA pages as a static site: files that depend on the months alone, so that the same months give the same bytes."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

import orjson

from fairlane.app import sla_view, sla_words
from fairlane.app.pages import STATIC, environment
from fairlane.app.sla_promises import ordered
from fairlane.app.sla_view import SlaView
from fairlane.app.states import State
from fairlane.sla import files
from fairlane.sla.badge import badge
from fairlane.sla.months import Entry, Sheet

CONTRACT: Final = "fairlane-sla-site/1"
SUMMARY: Final = "summary.json"
COLUMNS: Final = 3
"""Promises that the list of months shows, the SLA first."""


@dataclass(frozen=True, slots=True)
class To:
    """Where a month's links lead."""

    json: str
    csv: str
    moves: str = ""
    slo: str = ""


@dataclass(frozen=True, slots=True)
class Line:
    """A month in the list."""

    month: str
    title: str
    stage: str
    state: State
    word: str
    cells: tuple[str, ...]
    complete: str


def site(sheets: Sequence[Sheet]) -> dict[str, bytes]:
    """Path to content: `index.html`, a page, JSON and CSV a month, `summary.json`, badges, the style. `sheets` is newest first, at least one.

    Nothing in it asks another host for anything, leads to the live pages, or names a tenant.
    """
    public = [replace(sheet, month=sheet.month.public()) for sheet in sheets]
    entries = [Entry(sheet.month.month, sheet.stage) for sheet in public]
    # what is published does not change with the day on which it is published
    views = [sla_view.build(sheet, entries, float("inf")) for sheet in public]
    env = environment()
    page = env.get_template("sla_site.html")
    found: dict[str, str] = {"style.css": _style()}
    for sheet, view in zip(public, views, strict=True):
        found[f"{view.month}.html"] = page.render(view=view, to=To(f"{view.month}.json", f"{view.month}.csv"))
        found[f"{view.month}.json"] = files.json_of(sheet).decode() + "\n"
        found[f"{view.month}.csv"] = files.csv_of(sheet)
        found[f"badge-{view.month}.svg"] = _badge(sheet, view)
    found["badge.svg"] = _badge(public[0], views[0])
    found["index.html"] = env.get_template("sla_index.html").render(
        pipeline=public[0].month.pipeline,
        newest=views[0],
        columns=[p.title for p in ordered(public[0].month)[:COLUMNS]],
        lines=[_line(sheet, view, public[0]) for sheet, view in zip(public, views, strict=True)],
        badge=_told(public[0]),
    )
    found[SUMMARY] = orjson.dumps(summary(public), option=orjson.OPT_INDENT_2).decode() + "\n"
    return {path: found[path].encode() for path in sorted(found)}


def summary(sheets: Sequence[Sheet]) -> dict[str, Any]:
    """For programs: every month with what was achieved, newest first."""
    keys = ("name", "title", "target", "outcome", "achieved", "achieved_with_maintenance", "budget_s", "budget_spent_s")
    months = []
    for sheet in sheets:
        told = files.told(sheet)
        told.pop("document")
        told["promises"] = [{key: p[key] for key in keys} for p in told["promises"]]
        told["page"] = f"{sheet.month.month}.html"
        months.append(told)
    return {"contract": CONTRACT, "pipeline": sheets[0].month.pipeline, "zone": sheets[0].month.zone, "months": months}


def _line(sheet: Sheet, view: SlaView, newest: Sheet) -> Line:
    by_name = {p.name: p for p in sheet.month.promises}
    cells = []
    for column in ordered(newest.month)[:COLUMNS]:
        p = by_name.get(column.name)
        cells.append(sla_words.achieved(p.account.achieved, p.target) if p else "–")
    worst = view.rows[0] if view.rows else None
    return Line(
        view.month,
        view.title,
        str(sheet.stage),
        view.state,
        worst.word if worst else "no data",
        tuple(cells),
        view.complete,
    )


def _told(sheet: Sheet) -> str:
    first = ordered(sheet.month)[0]
    return f"SLA {sla_words.month(sheet.month.month)}: {sla_words.achieved(first.account.achieved, first.target)}"


def _badge(sheet: Sheet, view: SlaView) -> str:
    label, _, value = _told(sheet).partition(": ")
    return badge(label, value if value != "–" else "no data", view.state)


def _style() -> str:
    return "".join((STATIC / name).read_text(encoding="utf-8") for name in ("app.css", "sla.css"))
