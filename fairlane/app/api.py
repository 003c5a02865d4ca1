"""The HTTP API of moves: what was decided, why, and what a person wants done. Errors are RFC 9457 problems."""

from typing import Any, Final

import orjson
from fastapi import APIRouter, Request, Response
from starlette.concurrency import run_in_threadpool

from fairlane.app import bodies, move_view, moves_view
from fairlane.app.desk import ORDERS, ChangeOrder, Desk, Order, command_of
from fairlane.app.docket import Docket, DocketSource
from fairlane.app.episodes import Episode, find, remembered
from fairlane.app.nearest import unknown
from fairlane.app.pages import PipelineName
from fairlane.app.source import chosen
from ingestion.contracts.telemetry import Action
from isolator.answers import Answer
from isolator.verdict import VerdictKind
from slo.clock import Clock
from slo.errors import NotFound

ACTIONS: Final = {action.replace("_", "-"): action for action in ORDERS}
"""Path to action."""


def episode_of(source: DocketSource, docket: Docket, wanted: str) -> Episode:
    """The episode with that id (or the newest of that token), from the state topic or the database. Raises NotFound."""
    found = find(docket, wanted)
    if found is None:
        verdict = source.verdict(docket.pipeline, wanted)
        found = remembered(verdict) if verdict is not None else None
    if found is None:
        raise NotFound(
            f"there is no move {wanted!r} in pipeline {docket.pipeline}: verdicts are kept for 24 h in Kafka, and longer in the database; /moves lists them"
        )
    return found


def detail(source: DocketSource, pipeline: str, wanted: str, answer: str = "") -> move_view.MoveView:
    """The view of one move. Raises NotFound."""
    docket = source.docket(pipeline)
    one = episode_of(source, docket, wanted)
    trace = source.trace(pipeline, one.token, move_view.partitions(one), *move_view.window(docket, one))
    return move_view.build(docket, one, trace, answer)


def known(docket: Docket, action: Action, token: str) -> None:
    """Raises NotFound for the answer to a proposal that never was: what the controller would only call a conflict."""
    if action not in {Action.APPROVE, Action.DECLINE}:
        return
    proposals = [v for v in docket.verdicts.values() if v.kind is VerdictKind.PROPOSAL]
    if not any(token in {v.id, v.token} for v in proposals):
        raise NotFound(
            f"there is no proposal {token!r} in pipeline {docket.pipeline}: /moves lists those that are open"
        )


def moves_api(source: DocketSource, desk: Desk, clock: Clock) -> APIRouter:
    """`/api/v1/moves`, `/api/v1/moves/{id}`, `/api/v1/tokens/{token}/explain`, `/api/v1/changes`, `POST /api/v1/actions/{action}` and `POST /v1/changes`."""
    router = APIRouter()

    @router.get("/api/v1/moves")
    def moves(pipeline: PipelineName = "") -> Response:
        return _json(moves_view.build(source.docket(chosen(source, pipeline))))

    @router.get("/api/v1/moves/{move}")
    def move(move: str, pipeline: PipelineName = "") -> Response:
        return _json(detail(source, chosen(source, pipeline), move))

    @router.get("/api/v1/tokens/{token:path}/explain")
    def explain(token: str, pipeline: PipelineName = "") -> Response:
        name = chosen(source, pipeline)
        found = source.explain(name, token)
        if found.empty:
            names = source.baselines(name)
            if token not in names:
                docket = source.docket(name)
                told = {*docket.routes, *docket.marks, *(v.token for v in docket.verdicts.values() if v.token)}
                raise NotFound(unknown(token, names, told))
        return _json({**found.as_dict(), "lines": found.lines()})

    @router.get("/api/v1/changes")
    def changes(pipeline: PipelineName = "") -> Response:
        docket = source.docket(chosen(source, pipeline))
        return _json({"pipeline": docket.pipeline, "changes": docket.changes})

    @router.post("/api/v1/actions/{action}")
    async def act(action: str, request: Request) -> Response:
        wanted = ACTIONS.get(action)
        if wanted is None:
            raise NotFound(f"there is no action {action!r}; there are {', '.join(ACTIONS)}")
        order = await bodies.order(request, ORDERS[wanted])
        return await run_in_threadpool(carry, wanted, order)

    @router.post("/v1/changes")
    async def change(request: Request) -> Response:
        return await run_in_threadpool(carry, Action.CHANGE, await bodies.order(request, ChangeOrder))

    def carry(action: Action, order: Order) -> Response:
        name = chosen(source, order.pipeline)
        known(source.docket(name), action, getattr(order, "token", ""))
        command = command_of(name, action, order, clock)
        answer = desk.send(command)
        return _json(told(answer))

    return router


def told(answer: Answer) -> dict[str, Any]:
    """An answer for JSON."""
    return {
        "ok": answer.ok,
        "message": answer.message,
        "pipeline": answer.pipeline,
        "command_id": answer.id,
        "verdict_id": answer.verdict_id,
        "at_ms": answer.at_ms,
    }


def _json(value: Any) -> Response:
    return Response(orjson.dumps(value), media_type="application/json")
