"""`POST /v1/slis/{name}`: slices of an objective that is counted elsewhere."""

from dataclasses import asdict
from datetime import datetime
from typing import Final

import orjson
from fastapi import APIRouter, Request, Response
from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, StrictInt
from starlette.concurrency import run_in_threadpool

from fairlane.app import bodies
from fairlane.app.shelf import Shelf
from fairlane.slis.push import MOST, Minute, Pushes

_STRICT: Final = ConfigDict(extra="forbid", frozen=True)


class SliceBody(BaseModel):
    """A minute: `at` as RFC 3339 with an offset, or Unix seconds."""

    model_config = _STRICT
    at: StrictInt | AwareDatetime
    good: StrictInt = Field(ge=0)
    total: StrictInt = Field(ge=0)

    def minute(self) -> Minute:
        """As the pushes take it."""
        at = int(self.at.timestamp()) if isinstance(self.at, datetime) else self.at
        return Minute(at, self.good, self.total)


class PushBody(BaseModel):
    """Minutes, in any order."""

    model_config = _STRICT
    slices: tuple[SliceBody, ...] = Field(min_length=1, max_length=MOST)


def slis_api(shelf: Shelf, pushes: Pushes) -> APIRouter:
    """The push endpoint. 400 for what makes no sense, 404 and 409 for objectives that take no push, 503 when the database is away: push again, nothing is counted twice."""
    router = APIRouter()

    @router.post("/v1/slis/{name}")
    async def push(name: str, request: Request) -> Response:
        body = await bodies.order(request, PushBody, most=bodies.MANY_BYTES)
        return await run_in_threadpool(carry, name, body)

    def carry(name: str, body: PushBody) -> Response:
        with shelf.use() as engine:
            taken = pushes.take(engine, name, [one.minute() for one in body.slices])
        return Response(orjson.dumps({"slo": name, **asdict(taken)}), media_type="application/json")

    return router
