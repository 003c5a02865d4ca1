"""The HTTP door: `POST /v1/events`, `/metrics`, `/livez`, `/readyz`, `/openapi.json`."""

import asyncio
import gc
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager, suppress
from typing import Any, Final

from fastapi import FastAPI
from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, generate_latest
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from ingestion.capture import results
from ingestion.capture.contract import openapi
from ingestion.capture.endpoint import EventsEndpoint
from ingestion.capture.following import LimitFollower
from ingestion.capture.producing import Sender, producer_config
from ingestion.capture.quality import Quality
from ingestion.capture.results import Reply
from ingestion.capture.tally import Tally
from ingestion.capture.throttle import Limit, Throttle
from ingestion.capture.topics import KafkaTopics, Topics, partition_of
from ingestion.config import CaptureConfig, KafkaConfig, PipelineConfig
from ingestion.contracts import telemetry
from ingestion.contracts.names import TELEMETRY_TOPIC, Lane
from slo.clock import Clock

REPORT_S: Final = 1.0
GC_THRESHOLD: Final = (20_000, 20, 20)
"""Headers are many small tuples, none in a cycle: with Python's default of 700 the cycle collector took a fifth of the time of an event."""


def create_app(
    pipeline: PipelineConfig, capture: CaptureConfig, kafka: KafkaConfig, clock: Clock, registry: CollectorRegistry
) -> FastAPI:
    """The capture application of one pipeline; its Kafka client lives as long as the app's lifespan.

    Starts without a broker (requests are answered 503 until there is one). Raises ConfigError for Kafka settings that would lose acknowledged events.
    """
    topic = pipeline.names.topic(Lane.GENERAL)
    config = producer_config(
        kafka,
        delivery_timeout_s=capture.delivery_timeout_s,
        max_in_flight=capture.max_in_flight,
        max_event_bytes=capture.max_event_bytes,
    )
    sender = Sender(pipeline.name, config, capture.delivery_timeout_s, registry)
    tally = Tally(pipeline.name, registry)
    throttle = Throttle()

    def limit(limits: Mapping[str, Limit]) -> None:
        throttle.limits = limits

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        sender.start()
        before = gc.get_threshold()
        gc.set_threshold(*GC_THRESHOLD)
        app.state.topics = KafkaTopics(kafka, clock)
        follower = LimitFollower(kafka, pipeline.name, limit)
        follower.start()
        reporter = asyncio.create_task(_report(pipeline.name, sender, tally, quality, app.state.topics, clock))
        try:
            yield
        finally:
            reporter.cancel()
            with suppress(asyncio.CancelledError):
                await reporter
            await asyncio.to_thread(follower.stop)
            await sender.stop()
            del app.state.topics  # its client goes on trying to connect for as long as it is referenced
            gc.set_threshold(*before)

    quality = Quality(capture.required)
    app = FastAPI(title="Fairlane capture", lifespan=lifespan, docs_url=None, redoc_url=None, openapi_url=None)
    app.router.routes.append(
        Route("/v1/events", EventsEndpoint(topic, capture, sender, tally, throttle, clock, quality), methods=["POST"])
    )

    @app.get("/openapi.json")
    async def schema() -> dict[str, Any]:
        return openapi(capture)

    @app.get("/metrics")
    async def metrics() -> Response:
        tally.in_flight(sender.in_flight)
        tally.limits(throttle.active(int(clock.now() * 1000)))
        return Response(generate_latest(registry), headers={"content-type": CONTENT_TYPE_LATEST})

    @app.get("/livez")
    async def livez() -> dict[str, str]:
        return {"status": "alive"}

    @app.get("/readyz")
    async def readyz() -> Response:
        topics: Topics = app.state.topics
        try:
            partitions = await topics.partitions(topic)
        except LookupError as error:
            return _response(
                results.problem(
                    503, "not-ready", "Capture cannot take events.", str(error.args[0]), results.RETRY_AFTER
                )
            )
        return _response(results.ready(topic, partitions))

    @app.exception_handler(HTTPException)
    async def refused(request: Request, error: HTTPException) -> Response:
        detail = {
            404: f"there is nothing at {request.url.path}; events go to POST /v1/events",
            405: f"{request.method} is not allowed here",
        }
        return _response(
            results.from_status(error.status_code, detail.get(error.status_code, error.detail), error.headers)
        )

    @app.exception_handler(Exception)
    async def failed(_request: Request, _error: Exception) -> Response:
        return _response(
            results.from_status(
                500,
                "capture failed unexpectedly; its log tells why. Events of this request may be on the broker: send them again with the same event_id",
            )
        )

    return app


async def _report(pipeline: str, sender: Sender, tally: Tally, quality: Quality, topics: Topics, clock: Clock) -> None:
    """Send what capture answered to telemetry each second, for as long as the app lives."""
    partitions = 0
    last = clock.monotonic()
    while True:
        await asyncio.sleep(REPORT_S)
        if not partitions:
            try:
                partitions = await topics.partitions(TELEMETRY_TOPIC)
            except LookupError:
                continue  # counts are kept for the first report that can be sent
        now = clock.monotonic()
        message = tally.report(int(clock.now() * 1000), now - last, quality.take())
        last = now
        sender.report(TELEMETRY_TOPIC, pipeline, telemetry.encode(message), partition_of(pipeline, partitions))


def _response(reply: Reply) -> Response:
    response = Response(reply.body, reply.status, media_type=reply.content_type.decode())
    for name, value in reply.headers:
        response.headers[name.decode()] = value.decode()
    return response
