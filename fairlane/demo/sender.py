"""The demo's clients: they post to capture at the scene's pace, and keep their own account of what was accepted."""

import asyncio
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

import httpx

from fairlane.demo.load import Event, batches

SLICE_S = 0.1
BATCH = 100
TRIES = 5
REQUEST_TIMEOUT_S = 15.0


@dataclass(slots=True)
class Ledger:
    """What the clients know: every accepted event, and what was refused or never answered."""

    accepted: list[Event] = field(default_factory=list)
    refused: int = 0
    unanswered: int = 0
    late_s: float = 0.0
    """How far the clients fell behind their own pace at worst."""


class Sender(threading.Thread):
    """Posts slices of events, one each SLICE_S, to `url`; a request that fails is tried again with the same event ids."""

    def __init__(self, url: str, source: Callable[[], Iterator[list[Event]]]) -> None:
        super().__init__(name="demo-clients", daemon=True)
        self._url = f"{url}/v1/events"
        self._source = source
        self.ledger = Ledger()
        self.error: BaseException | None = None
        self.sent = 0

    def run(self) -> None:
        """Send until the source ends; an unexpected error is kept in `error` for whoever joins."""
        try:
            asyncio.run(self._send())
        except BaseException as error:
            self.error = error

    async def _send(self) -> None:
        limits = httpx.Limits(max_connections=8, max_keepalive_connections=8)
        async with httpx.AsyncClient(timeout=REQUEST_TIMEOUT_S, limits=limits, trust_env=False) as client:
            pending: set[asyncio.Task[None]] = set()
            start = time.monotonic()
            for number, events in enumerate(self._source()):
                behind = time.monotonic() - start - number * SLICE_S
                self.ledger.late_s = max(self.ledger.late_s, behind)
                if behind < 0:
                    await asyncio.sleep(-behind)
                for batch in batches(events, BATCH):
                    self.sent += len(batch)
                    task = asyncio.create_task(self._post(client, batch))
                    pending.add(task)
                    task.add_done_callback(pending.discard)
            await asyncio.gather(*pending)

    async def _post(self, client: httpx.AsyncClient, batch: list[Event]) -> None:
        body = [event.body() for event in batch]
        for attempt in range(TRIES):
            try:
                answer = await client.post(self._url, json=body)
            except httpx.HTTPError:
                await asyncio.sleep(0.2 * 2**attempt)
                continue
            if answer.status_code in (429, 503):
                await asyncio.sleep(0.2 * 2**attempt)
                continue
            if answer.status_code != 202:
                self.ledger.refused += len(batch)
                return
            results = answer.json()["results"]
            for event, result in zip(batch, results, strict=True):
                if result["status"] == "accepted":
                    self.ledger.accepted.append(event)
                else:
                    self.ledger.refused += 1
            return
        self.ledger.unanswered += len(batch)
