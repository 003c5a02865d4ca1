"""The two applications that `bench capture` compares, each run as a process of its own: `python -m fairlane.bench.capture_apps ours|bare PORT BOOTSTRAP PIPELINE`."""

import asyncio
import sys
import threading
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import orjson
import uvicorn
from confluent_kafka import Producer
from fastapi import FastAPI, Request, Response
from prometheus_client import CollectorRegistry

from ingestion.capture.app import create_app
from ingestion.config import CaptureConfig, KafkaConfig, PipelineConfig
from slo.clock import SystemClock


def bare(bootstrap: str, pipeline: str) -> FastAPI:
    """What one writes in an afternoon: parse, produce, wait for the delivery reports, answer. No validation, no ids, no limits, no headers of ours."""
    stop = threading.Event()
    producer = Producer(
        {
            "bootstrap.servers": bootstrap,
            "broker.address.family": "v4",
            "acks": "all",
            "enable.idempotence": True,
            "linger.ms": 5,
            "queue.buffering.max.messages": 1_000_000,
        }
    )

    def poll() -> None:
        while not stop.is_set():
            producer.poll(0.1)

    @asynccontextmanager
    async def lifespan(_app: FastAPI) -> AsyncIterator[None]:
        thread = threading.Thread(target=poll, name="poll", daemon=True)
        thread.start()
        yield
        stop.set()
        thread.join(5)
        producer.flush(5)

    app = FastAPI(lifespan=lifespan)
    topic = f"{pipeline}.general"

    @app.get("/livez")
    async def livez() -> dict[str, str]:
        return {"status": "alive"}

    @app.post("/v1/events", status_code=202)
    async def events(request: Request) -> Response:
        parsed = orjson.loads(await request.body())
        batch = parsed if isinstance(parsed, list) else [parsed]
        loop = asyncio.get_running_loop()
        done = loop.create_future()
        left = len(batch)

        def delivered(_error: Any, _message: Any) -> None:
            nonlocal left
            left -= 1
            if not left:
                loop.call_soon_threadsafe(done.set_result, None)

        for event in batch:
            producer.produce(topic, orjson.dumps(event), event["distinct_id"], on_delivery=delivered)
        await done
        return Response(b'{"accepted":%d}' % len(batch), 202, media_type="application/json")

    return app


def main() -> None:
    """Serve one of the two on a port."""
    which, port, bootstrap, pipeline = sys.argv[1:5]
    if which == "ours":
        config = PipelineConfig(name=pipeline, replication=1)
        app = create_app(config, CaptureConfig(), KafkaConfig(bootstrap=bootstrap), SystemClock(), CollectorRegistry())
    else:
        app = bare(bootstrap, pipeline)
    uvicorn.run(app, host="127.0.0.1", port=int(port), access_log=False, log_level="warning")


if __name__ == "__main__":
    main()
