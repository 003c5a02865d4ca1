"""A raw keep-alive HTTP/1.1 load: cheap enough that the server is what is measured. Closed loop: each connection sends the next request when the last is answered."""

import asyncio
import time
from dataclasses import dataclass
from typing import Final, cast

_HEAD_END: Final = b"\r\n\r\n"
_LENGTH: Final = b"content-length: "


class UnexpectedAnswer(RuntimeError):
    """The server answered something else than the load expects: the measurement would be worthless."""


@dataclass(frozen=True, slots=True)
class Result:
    """What one round of load saw."""

    requests: int
    seconds: float
    latencies_s: tuple[float, ...]

    @property
    def per_second(self) -> float:
        """Requests answered a second."""
        return self.requests / self.seconds if self.seconds else 0.0


def post(port: int, path: str, body: bytes, headers: dict[str, str]) -> bytes:
    """The bytes of one POST request with a JSON body."""
    lines = [
        f"POST {path} HTTP/1.1",
        f"host: 127.0.0.1:{port}",
        "content-type: application/json",
        f"content-length: {len(body)}",
    ]
    lines += [f"{name}: {value}" for name, value in headers.items()]
    return "\r\n".join(lines).encode() + _HEAD_END + body


class _Connection(asyncio.Protocol):
    """Sends one request again and again until `until` (monotonic seconds)."""

    def __init__(
        self, request: bytes, status: bytes, until: float, latencies: list[float], done: asyncio.Future[None]
    ) -> None:
        self._request = request
        self._status = b"HTTP/1.1 " + status
        self._until = until
        self._latencies = latencies
        self._done = done
        self._buffer = b""
        self._sent = 0.0
        self._transport: asyncio.WriteTransport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        # uvloop's transport is no subclass of asyncio's
        self._transport = cast("asyncio.WriteTransport", transport)
        self._send()

    def data_received(self, data: bytes) -> None:
        self._buffer = self._buffer + data if self._buffer else data
        end = self._buffer.find(_HEAD_END)
        if end < 0:
            return
        start = self._buffer.find(_LENGTH) + len(_LENGTH)
        length = int(self._buffer[start : self._buffer.find(b"\r", start)])
        if len(self._buffer) < end + 4 + length:
            return
        if not self._buffer.startswith(self._status):
            self._finish(UnexpectedAnswer(self._buffer[:500].decode(errors="replace")))
            return
        self._buffer = b""
        now = time.monotonic()
        self._latencies.append(now - self._sent)
        if now < self._until:
            self._send()
        else:
            self._finish(None)

    def connection_lost(self, exc: Exception | None) -> None:
        self._finish(exc or UnexpectedAnswer("the server closed the connection"))

    def _send(self) -> None:
        assert self._transport is not None
        self._sent = time.monotonic()
        self._transport.write(self._request)

    def _finish(self, error: Exception | None) -> None:
        if not self._done.done():
            if error is None:
                self._done.set_result(None)
            else:
                self._done.set_exception(error)
        if self._transport is not None:
            self._transport.close()


async def run(port: int, request: bytes, *, connections: int, seconds: float, status: int = 202) -> Result:
    """Send `request` over `connections` for `seconds`. Raises UnexpectedAnswer for any other status, OSError when nobody listens."""
    loop = asyncio.get_running_loop()
    latencies: list[float] = []
    started = time.monotonic()
    waits: list[asyncio.Future[None]] = []
    for _ in range(connections):
        done = loop.create_future()
        waits.append(done)
        await loop.create_connection(
            lambda done=done: _Connection(request, str(status).encode(), started + seconds, latencies, done),  # type: ignore[misc]
            "127.0.0.1",
            port,
        )
    await asyncio.wait_for(asyncio.gather(*waits), seconds + 30)
    return Result(len(latencies), time.monotonic() - started, tuple(latencies))
