"""A webhook receiver on a real port: it answers as it is told and keeps what it got."""

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import orjson


@dataclass
class Hook:
    """`status` is the answer to the next requests; `None` closes the connection without one, after the request was read."""

    url: str = ""
    status: int | None = 200
    retry_after: str = ""
    got: list[tuple[str, dict[str, str], Any]] = field(default_factory=list)
    """Path, headers in lower case and decoded body of what was answered with 2xx."""
    at: list[float] = field(default_factory=list)
    """When (time.monotonic) each of them came."""
    tries: int = 0

    def bodies(self) -> list[Any]:
        """What was taken."""
        return [body for _, _, body in self.got]


@contextmanager
def hook(port: int = 0) -> Iterator[Hook]:
    """Listens until the block ends."""
    mine = Hook()

    class Handler(BaseHTTPRequestHandler):
        timeout = 10

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers.get("content-length", "0")))
            mine.tries += 1
            if mine.status is None:
                self.close_connection = True
                return
            if 200 <= mine.status < 300:
                headers = {name.lower(): value for name, value in self.headers.items()}
                mine.at.append(time.monotonic())
                mine.got.append((self.path, headers, orjson.loads(body)))
            self.send_response(mine.status)
            if mine.retry_after:
                self.send_header("retry-after", mine.retry_after)
            self.send_header("content-length", "0")
            self.end_headers()

        def log_message(self, *args: object) -> None:
            """Silence."""

    class Server(ThreadingHTTPServer):
        daemon_threads = True
        allow_reuse_address = True

        def handle_error(self, request: object, client_address: object) -> None:
            """A client that hangs up is no event."""

    server = Server(("127.0.0.1", port), Handler)
    mine.url = f"http://127.0.0.1:{server.server_address[1]}"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
    thread.start()
    try:
        yield mine
    finally:
        server.shutdown()
        server.server_close()
        thread.join(5)
