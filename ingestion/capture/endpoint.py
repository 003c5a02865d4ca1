"""`POST /v1/events`: from a request to its answer.

A bare ASGI application under the router, not a FastAPI function: this is the hot path, and dependency solving would be its largest part.
"""

import asyncio
import logging
from collections.abc import Iterable
from typing import Final

from starlette.types import Receive, Scope, Send
from uuid_utils import uuid7

from ingestion.capture import limits, results, validate
from ingestion.capture.limits import Head
from ingestion.capture.producing import Sender
from ingestion.capture.quality import Quality
from ingestion.capture.results import Outcomes, Reply
from ingestion.capture.tally import Tally
from ingestion.capture.throttle import Throttle
from ingestion.config import CaptureConfig
from slo.clock import Clock
from slo.errors import BodyTooSlow, FairlaneError, TooManyRequests

BODY_TIMEOUT_S: Final = 30.0
"""A body that is not here after this long is answered 408."""
_NUL_ESCAPE: Final = b"\\u0000"

log = logging.getLogger(__name__)


class ClientGone(Exception):
    """The client left before its request was complete: nobody is there to answer."""


class EventsEndpoint:
    """Takes events, and acknowledges those that Kafka confirmed."""

    def __init__(
        self,
        topic: str,
        config: CaptureConfig,
        sender: Sender,
        tally: Tally,
        throttle: Throttle,
        clock: Clock,
        quality: Quality,
    ) -> None:
        self._topic = topic
        self._config = config
        self._sender = sender
        self._tally = tally
        self._throttle = throttle
        self._quality = quality
        self._clock = clock
        self._rules = validate.Rules(
            max_event_bytes=config.max_event_bytes,
            max_batch=config.max_batch,
            tokens=frozenset(config.tokens),
            new_id=lambda: str(uuid7()),
        )

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """ASGI: answer one request."""
        started = self._clock.monotonic()
        try:
            reply = await self._answer(scope, receive)
        except ClientGone:
            self._tally.request(499, self._clock.monotonic() - started)
            return
        except FairlaneError as error:
            reply = self._refusal(error)
        self._tally.request(reply.status, self._clock.monotonic() - started)
        headers = [(b"content-type", reply.content_type), (b"content-length", b"%d" % len(reply.body)), *reply.headers]
        await send({"type": "http.response.start", "status": reply.status, "headers": headers})
        await send({"type": "http.response.body", "body": reply.body})

    async def _answer(self, scope: Scope, receive: Receive) -> Reply:
        head = limits.read_head(scope["headers"], self._config)
        body = await self._body(receive)
        events = validate.parse(body, self._config.max_batch)
        batch = self._check(events, head, nul=_NUL_ESCAPE in body)
        outcomes = Outcomes(batch.ids, batch.errors)
        self._tally.events(invalid=len(batch.errors))
        if not batch.positions:
            return _nothing_valid(outcomes, without_token=batch.without_token)
        wait_s = self._limit(batch, outcomes) if self._throttle.limits else 0
        count = len(batch.positions)
        if not count:
            return _limited(outcomes, wait_s)
        if self._sender.in_flight + count > self._config.max_in_flight:
            self._tally.events(throttled=count)
            waiting = self._sender.in_flight
            raise TooManyRequests(
                f"{waiting:,} events wait for Kafka's confirmation and {count:,} more would exceed {self._config.max_in_flight:,}: nothing of this request was taken, send it again later"
            )
        delivery, taken = self._sender.send(self._topic, batch.keys, batch.values, batch.headers)
        await self._sender.confirmed(delivery)
        if taken < count or not delivery.complete:
            return self._unconfirmed(outcomes, batch.positions, delivery.unconfirmed(), taken)
        self._tally.events(accepted=count)
        self._quality.note(events, batch.positions, batch.headers)
        return _limited(outcomes, wait_s) if outcomes.limited else results.accepted(outcomes)

    def _limit(self, batch: validate.Batch, outcomes: Outcomes) -> int:
        """Take the events beyond their token's limit out of the batch; the seconds after which they may come again."""
        now_s, now_ms = self._clock.monotonic(), int(self._clock.now() * 1000)
        # the token is the first header of every record
        tokens = [str(row[0][1]) for row in batch.headers]
        kept = [n for n, token in enumerate(tokens) if self._throttle.admit(token, now_s, now_ms)]
        if len(kept) == len(tokens):
            return 0
        stay = set(kept)
        refused = [n for n in range(len(tokens)) if n not in stay]
        outcomes.limited = frozenset(batch.positions[n] for n in refused)
        self._tally.events(limited=len(refused))
        batch.positions = [batch.positions[n] for n in kept]
        batch.keys, batch.values = [batch.keys[n] for n in kept], [batch.values[n] for n in kept]
        batch.headers = [batch.headers[n] for n in kept]
        return max(self._throttle.retry_after_s(token) for token in {tokens[n] for n in refused})

    def _check(self, events: list[object], head: Head, *, nul: bool) -> validate.Batch:
        now_ms = int(self._clock.now() * 1000)
        return validate.check(
            events, self._rules, token=head.token, traceparent=head.traceparent, now_ms=now_ms, nul=nul
        )

    def _unconfirmed(self, outcomes: Outcomes, positions: list[int], failed: dict[int, str], taken: int) -> Reply:
        """503: some valid events are not known to be on the broker; the results tell which are."""
        outcomes.unconfirmed = {positions[number]: reason for number, reason in failed.items()}
        outcomes.not_sent = frozenset(positions[taken:])
        confirmed = taken - len(failed)
        self._tally.events(accepted=confirmed, unconfirmed=len(failed), throttled=len(positions) - taken)
        if not taken and not self._sender.broken:
            raise TooManyRequests("the queue to Kafka is full: nothing of this request was taken, send it again later")
        reasons = ", ".join(sorted(set(failed.values()))[:3]) or "the queue to Kafka is full"
        return results.problem(
            503,
            "broker-unreachable",
            "Kafka does not answer.",
            f"{confirmed:,} of {len(positions):,} valid events were confirmed by Kafka ({reasons}): send the others again with the same event_id",
            results.RETRY_AFTER,
            results=outcomes.rows(),
        )

    def _refusal(self, error: FairlaneError) -> Reply:
        if error.status == 429:
            return results.from_error(error, results.RETRY_AFTER)
        if error.status == 401:
            return results.from_error(error, {"WWW-Authenticate": "Bearer"})
        if error.status >= 500:
            log.error("%s: %s", error.problem, error)
        return results.from_error(error)

    async def _body(self, receive: Receive) -> bytes | bytearray:
        """The whole body. Raises BodyTooLarge while it comes, a 408 as FairlaneError, and ClientGone."""
        message = await receive()
        if message["type"] == "http.request" and not message.get("more_body", False):
            body: bytes = message.get("body", b"")
            if len(body) > self._config.max_body_bytes:
                raise limits.too_large(self._config.max_body_bytes)
            return body
        whole = bytearray()
        try:
            async with asyncio.timeout(BODY_TIMEOUT_S):
                while True:
                    if message["type"] == "http.disconnect":
                        raise ClientGone
                    whole += message.get("body", b"")
                    if len(whole) > self._config.max_body_bytes:
                        raise limits.too_large(self._config.max_body_bytes)
                    if not message.get("more_body", False):
                        return whole
                    message = await receive()
        except TimeoutError:
            raise BodyTooSlow(
                f"the body was not complete after {BODY_TIMEOUT_S:.0f} s: send it faster or in smaller batches"
            ) from None


def _limited(outcomes: Outcomes, wait_s: int) -> Reply:
    """429: some events are over their token's limit; the results tell which were taken."""
    count = len(outcomes.limited)
    return results.problem(
        429,
        "too-many-requests",
        "The project key sends more than it may at the moment.",
        f"{count:,} events are over the limit that their project key has for a while, because its load delays others: send those again later with the same event_id, and more slowly",
        {"Retry-After": str(wait_s)},
        results=outcomes.rows(),
    )


def _nothing_valid(outcomes: Outcomes, *, without_token: int) -> Reply:
    errors = results.all_errors(outcomes.errors)
    rows = outcomes.rows()
    if without_token == len(outcomes.ids):
        detail = f"no project key that is known: {_named(errors)}. Send `Authorization: Bearer PROJECT_KEY`, or `token` in each event"
        return results.problem(
            401,
            "unknown-token",
            "No project key was given, or it is not known.",
            detail,
            {"WWW-Authenticate": "Bearer"},
            errors=errors,
            results=rows,
        )
    return results.problem(
        422,
        "invalid-event",
        "An event breaks the capture contract.",
        f"no event is valid: {_named(errors)}",
        errors=errors,
        results=rows,
    )


def _named(errors: Iterable[results.FieldError]) -> str:
    listed = list(errors)
    more = f" (and {len(listed) - 1:,} more errors)" if len(listed) > 1 else ""
    return f"{listed[0].path} {listed[0].message}{more}"
