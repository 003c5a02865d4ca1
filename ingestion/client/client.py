"""A small synchronous client for capture: batches, retries with the same event_ids, and an account of every event."""

import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from types import TracebackType
from typing import Any, Final, Self

import httpx
import orjson
from uuid_utils import uuid7

from ingestion.client.backoff import Backoff
from ingestion.client.report import Event, Rejected, Report
from slo.errors import UnknownToken, UsageError

RETRIED: Final = frozenset({408, 429, 500, 502, 503, 504})
BATCH_BYTES: Final = 1_000_000


class Client:
    """Sends events to one capture under one project key. Not thread-safe.

    Retries on 429, 5xx, time-outs and connection errors repeat the same event_ids, so that an event whose answer was lost is not counted twice.
    """

    def __init__(
        self,
        url: str,
        token: str,
        *,
        batch: int = 500,
        timeout_s: float = 15.0,
        backoff: Backoff | None = None,
        transport: httpx.BaseTransport | None = None,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._backoff = backoff or Backoff()
        self._batch = batch
        self._sleep = sleep
        self._buffer: list[Event] = []
        self._report = Report()
        self._http = httpx.Client(
            base_url=url,
            timeout=timeout_s,
            transport=transport,
            headers={"authorization": f"Bearer {token}", "content-type": "application/json"},
        )

    def add(self, event: str, distinct_id: str, properties: Mapping[str, Any] | None = None, **fields: Any) -> None:
        """Put an event into the buffer; a full one is sent. Raises as `send`; the outcome comes with `flush`."""
        self._buffer.append(
            {"event": event, "distinct_id": distinct_id, "properties": dict(properties or {}), **fields}
        )
        if len(self._buffer) >= self._batch:
            self._drain()

    def flush(self) -> Report:
        """Send what is buffered; tells of everything since the last flush. Raises as `send`."""
        self._drain()
        report, self._report = self._report, Report()
        return report

    def send(self, events: Iterable[Event]) -> Report:
        """Send events now, in order, in as many requests as it takes.

        Raises UnknownToken when the project key is refused, UsageError when capture refuses the request as such, or an event is not JSON.
        """
        report = Report()
        for batch in self._batches({**event, "event_id": event.get("event_id") or str(uuid7())} for event in events):
            report += self._deliver(batch)
        return report

    def close(self) -> None:
        """Close the connections. What is buffered and was not flushed is dropped; as a context manager it is flushed."""
        self._http.close()

    def __enter__(self) -> Self:
        """The client itself."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Send what is buffered, unless an exception is on its way, and close."""
        try:
            if kind is None:
                self._drain()
        finally:
            self.close()

    def _drain(self) -> None:
        # taken out first: whatever happens, an event is never in the buffer and in a report
        buffered, self._buffer = self._buffer, []
        if buffered:
            self._report += self.send(buffered)

    def _batches(self, events: Iterable[dict[str, Any]]) -> Iterator[list[dict[str, Any]]]:
        batch: list[dict[str, Any]] = []
        size = 0
        for event in events:
            length = len(_encode(event))
            if batch and (len(batch) >= self._batch or size + length > BATCH_BYTES):
                yield batch
                batch, size = [], 0
            batch.append(event)
            size += length
        if batch:
            yield batch

    def _deliver(self, batch: list[dict[str, Any]]) -> Report:
        """Try until every event of the batch has a definite outcome, or the attempts are used up."""
        done = Report()
        reason = ""
        for attempt in range(self._backoff.attempts):
            answer: httpx.Response | None = None
            try:
                answer = self._http.post("/v1/events", content=_encode(batch))
            except httpx.TransportError as error:
                reason = f"{type(error).__name__}: {error}"
            else:
                if answer.status_code == 413 and len(batch) > 1:
                    half = len(batch) // 2
                    return done + self._deliver(batch[:half]) + self._deliver(batch[half:])
                settled, batch = _settle(answer, batch)
                done += settled
                if not batch:
                    return done
                reason = _detail(answer)
            if attempt + 1 < self._backoff.attempts:
                self._sleep(
                    self._backoff.delay_s(attempt, answer.headers.get("retry-after") if answer is not None else None)
                )
        return done + Report(undelivered=tuple(batch), reason=reason)


def _settle(answer: httpx.Response, batch: list[dict[str, Any]]) -> tuple[Report, list[dict[str, Any]]]:
    """What the answer decides, and the events that have to be sent again. Raises UnknownToken or UsageError for what no retry cures."""
    results = _results(answer, len(batch))
    if answer.status_code in {202, 422} or (answer.status_code in RETRIED and results):
        if not results:
            return _undecided(answer, batch)
        accepted = sum(result.get("status") == "accepted" for result in results)
        pairs = list(zip(batch, results, strict=True))
        rejected = tuple(
            Rejected(event, _messages(result)) for event, result in pairs if result.get("status") == "invalid"
        )
        again = [event for event, result in pairs if result.get("status") not in {"accepted", "invalid"}]
        return Report(accepted, rejected), again
    if answer.status_code in RETRIED:
        return Report(), batch
    return _undecided(answer, batch)


def _undecided(answer: httpx.Response, batch: list[dict[str, Any]]) -> tuple[Report, list[dict[str, Any]]]:
    if answer.status_code == 401:
        raise UnknownToken(_detail(answer))
    if answer.status_code == 413:
        return Report(rejected=tuple(Rejected(event, (_detail(answer),)) for event in batch)), []
    raise UsageError(f"capture answered {answer.status_code}: {_detail(answer)}")


def _results(answer: httpx.Response, count: int) -> list[dict[str, Any]]:
    """The per-event results, or none when the answer (a proxy's page, say) does not give one for each event."""
    try:
        results = orjson.loads(answer.content)["results"]
    except (ValueError, KeyError, TypeError):
        return []
    good = isinstance(results, list) and len(results) == count and all(isinstance(result, dict) for result in results)
    return results if good else []


def _messages(result: dict[str, Any]) -> tuple[str, ...]:
    return tuple(
        f"{error['path'].partition('.')[2] or 'event'} {error['message']}" for error in result.get("errors", ())
    )


def _detail(answer: httpx.Response) -> str:
    try:
        return str(orjson.loads(answer.content)["detail"])
    except (ValueError, KeyError, TypeError):
        return f"{answer.status_code} {answer.reason_phrase}"


def _encode(value: object) -> bytes:
    try:
        return orjson.dumps(value)
    except TypeError as error:
        raise UsageError(f"an event cannot be written as JSON: {error}") from None
