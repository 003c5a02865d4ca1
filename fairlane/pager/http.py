"""The way out: one HTTP adapter behind a port. Nothing of an address but its host is ever told."""

from dataclasses import dataclass
from typing import Final, Protocol
from urllib.parse import urlsplit

import httpx

from fairlane.pager.channels import Request
from slo.errors import Unreachable

TIMEOUT_S: Final = 10.0
READ_S: Final = 3.0
"""A process that does not tell its metrics within this time is missing from the round."""
MOST_BYTES: Final = 8 * 1024 * 1024
LONGEST_WAIT_S: Final = 600.0
"""A receiver's `Retry-After` is followed for at most so long: it is a page."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What the other side said."""

    status: int
    retry_after_s: float = 0.0

    @property
    def taken(self) -> bool:
        """Is the message theirs now?"""
        return 200 <= self.status < 300


class Poster(Protocol):
    """Sends requests."""

    def post(self, request: Request) -> Answer:
        """Send it once. Raises Unreachable when there is no answer."""
        ...


class HttpPoster:
    """A connection pool; thread-safe. Redirects are not followed, every wait has a limit."""

    def __init__(self, timeout_s: float = TIMEOUT_S) -> None:
        self._client = httpx.Client(timeout=timeout_s, follow_redirects=False, headers={"user-agent": "fairlane"})

    def post(self, request: Request) -> Answer:
        """Send it once. Raises Unreachable, naming the host alone."""
        try:
            with self._client.stream(
                "POST", request.url, content=request.body, headers=dict(request.headers)
            ) as response:
                return Answer(response.status_code, _wait(response.headers.get("retry-after", "")))
        except (httpx.HTTPError, httpx.InvalidURL) as error:
            raise Unreachable(f"{host(request.url)}: {type(error).__name__}") from None

    def read(self, url: str) -> str:
        """The text at `url`, at most MOST_BYTES of it. Raises Unreachable."""
        try:
            with self._client.stream("GET", url, timeout=READ_S) as response:
                body = bytearray()
                for chunk in response.iter_bytes():
                    body += chunk
                    if len(body) > MOST_BYTES:
                        raise Unreachable(f"{host(url)}: the answer is larger than {MOST_BYTES // 1024 // 1024} MiB")
        except (httpx.HTTPError, httpx.InvalidURL) as error:
            raise Unreachable(f"{host(url)}: {type(error).__name__}") from None
        if response.status_code != 200:
            raise Unreachable(f"{host(url)}: HTTP {response.status_code}")
        return body.decode(errors="replace")

    def close(self) -> None:
        """Let the connections go."""
        self._client.close()


def host(url: str) -> str:
    """What of an address may be told."""
    try:
        return urlsplit(url).hostname or "somewhere"
    except ValueError:
        return "somewhere"


def _wait(text: str) -> float:
    return min(float(text), LONGEST_WAIT_S) if text.isdecimal() else 0.0
