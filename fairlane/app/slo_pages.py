"""`/slo` and `/slo/{name}`: every objective, worst first, and one of them with its history. The same as JSON under `/api/v1/slos`."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import orjson
from fastapi import APIRouter, Request, Response
from fastapi.responses import HTMLResponse

from fairlane.app import words
from fairlane.app.bars import draw_bars
from fairlane.app.budgets import burn_now
from fairlane.app.nearest import nearest
from fairlane.app.pages import Links, environment
from fairlane.app.rows import BurnRow, When, burn_row
from fairlane.app.shelf import Shelf
from fairlane.app.slo_facts import facts
from fairlane.app.slo_view import SloView, build
from fairlane.app.states import State
from slo.clock import Clock
from slo.errors import NotFound, Unreachable
from slo.evaluation import Evaluation
from slo.history import History
from slo.objective import Objective

REFRESH_MS: Final = 5_000


@dataclass(frozen=True, slots=True)
class SlosView:
    """The list."""

    state: State
    sentence: str
    now: When
    rows: tuple[BurnRow, ...]
    folded: tuple[BurnRow, ...]
    missing: tuple[str, ...]
    """Objectives that have never been evaluated."""


def listed(objectives: Sequence[Objective], found: Mapping[str, Evaluation], now_s: float) -> SlosView:
    """The list of `objectives`, worst first, as of `now_s`."""
    rows = sorted(
        (burn_row(burn_now(found[o.name], now_s), now_s) for o in objectives if o.name in found),
        key=lambda row: (row.state.trouble, row.budget.value if row.budget.value is not None else 1.0, row.slo),
    )
    missing = tuple(o.name for o in objectives if o.name not in found)
    burning = [row for row in rows if row.state is State.BURNING]
    frozen = [row for row in rows if row.state is State.FROZEN]
    if burning:
        state, first = State.BURNING, burning[0]
        until = f"; its budget lasts {first.exhausts.text}" if first.exhausts.value else "; its budget is spent"
        sentence = f"Burning: {first.slo}{until}{f', and {len(burning) - 1} more' if len(burning) > 1 else ''}."
    elif not rows or len(frozen) == len(rows):
        state, sentence = State.FROZEN, "No data: nothing is evaluated now. Is “fairlane serve controller” running?"
    elif frozen:
        state = State.FROZEN
        sentence = f"Frozen: {words.many(len(frozen), 'objective')} cannot be judged for lack of data; {words.many(len(rows) - len(frozen), 'other')} hold."
    else:
        spent = [row for row in rows if row.budget.value is not None and row.budget.value <= 0]
        state = State.WATCH if spent or missing else State.OK
        never = f"; {words.many(len(missing), 'other has', 'others have')} never been evaluated" if missing else ""
        sentence = (
            f"Calm, but {words.many(len(spent), 'budget is', 'budgets are')} spent: {spent[0].slo}."
            if spent
            else f"Kept: {'' if missing else 'all '}{words.many(len(rows), 'objective')}{never}."
        )
    calm = tuple(row for row in rows if row.state is State.OK and (row.budget.value or 0.0) > 0)
    return SlosView(
        state,
        sentence,
        When.at(now_s, now_s),
        tuple(row for row in rows if row not in calm),
        calm,
        missing,
    )


def slo_router(
    shelf: Shelf, objectives: Sequence[Objective], clock: Clock, links: Links, cause: Callable[[str], str]
) -> APIRouter:
    """The pages; `cause` gives a pipeline's diagnosis in a sentence, "" without one. 404 for objectives that are not there, 503 when the database is away."""
    router = APIRouter()
    templates = environment()
    templates.globals["draw_bars"] = draw_bars
    shared: dict[str, Any] = {"links": links, "here": "slo", "every_ms": REFRESH_MS}
    known = {o.name: o for o in objectives}

    def all_of_them() -> SlosView:
        with shelf.use() as engine:
            return listed(objectives, History(engine).newest(), clock.now())

    def one_of_them(name: str) -> SloView:
        objective = _known(known, name)
        with shelf.use() as engine:
            found = facts(engine, objective, clock.now())
        return build(found, cause(objective.pipeline) if objective.pipeline else "")

    def page(template: str, view: Callable[[], SlosView | SloView]) -> Response:
        try:
            return HTMLResponse(templates.get_template(template).render(view=view(), **shared))
        except (NotFound, Unreachable) as error:
            text = templates.get_template("slo_trouble.html").render(
                title=error.title.rstrip("."), text=str(error), **shared
            )
            return HTMLResponse(text, error.status)

    def fragment(template: str, view: Callable[[], SlosView | SloView]) -> Response:
        return HTMLResponse(templates.get_template(template).render(view=view(), **shared))

    @router.get("/slo", response_class=HTMLResponse)
    def slos() -> Response:
        return page("slos.html", all_of_them)

    @router.get("/slo/{name}", response_class=HTMLResponse)
    def slo(name: str) -> Response:
        return page("slo.html", lambda: one_of_them(name))

    @router.get("/fragment/slo", response_class=HTMLResponse)
    def slos_part() -> Response:
        return fragment("_slos.html", all_of_them)

    @router.get("/fragment/slo/{name}", response_class=HTMLResponse)
    def slo_part(name: str) -> Response:
        return fragment("_slo.html", lambda: one_of_them(name))

    @router.get("/api/v1/slos")
    def slos_json(_: Request) -> Response:
        return Response(orjson.dumps(all_of_them()), media_type="application/json")

    @router.get("/api/v1/slos/{name}")
    def slo_json(name: str) -> Response:
        return Response(orjson.dumps(one_of_them(name)), media_type="application/json")

    return router


def _known(objectives: Mapping[str, Objective], name: str) -> Objective:
    found = objectives.get(name)
    if found is None:
        near = nearest(name, objectives)
        raise NotFound(
            f"there is no objective {name!r}{f'; did you mean {near[0]}' if near else ''}; `fairlane slo list` names all"
        )
    return found
