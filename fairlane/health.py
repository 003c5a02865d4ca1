"""`/metrics`, `/livez` and `/readyz` for a process that has no HTTP server of its own: one small server in a thread."""

import socket
import threading
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Final, Self

import orjson
from prometheus_client import CollectorRegistry
from prometheus_client.exposition import choose_encoder

from ingestion.capture import results
from slo.errors import ConfigError

Check = Callable[[], bool]
_TIMEOUT_S: Final = 10.0
"""A client that sends nothing for so long is dropped."""


class HealthServer:
    """Answers until `close`. Live: the process works, else restart it. Ready: it does its job now.

    Raises ConfigError when the port cannot be had.
    """

    def __init__(
        self, registry: CollectorRegistry, live: Check, ready: Check, host: str = "127.0.0.1", port: int = 0
    ) -> None:
        checks = {"/livez": ("alive", live), "/readyz": ("ready", ready)}

        class Handler(BaseHTTPRequestHandler):
            timeout = _TIMEOUT_S
            server_version = "fairlane"
            sys_version = ""

            def do_GET(self) -> None:
                path = self.path.partition("?")[0]
                if path == "/metrics":
                    encode, kind = choose_encoder(self.headers.get("accept", ""))
                    self._answer(200, kind, encode(registry))
                elif path in checks:
                    word, check = checks[path]
                    passed = _passes(check)
                    self._answer(
                        200 if passed else 503,
                        "application/json",
                        orjson.dumps({"status": word if passed else f"not {word}"}),
                    )
                else:
                    self.send_error(404)

            def send_error(self, code: int, message: str | None = None, explain: str | None = None) -> None:  # noqa: ARG002 - the base class names it so
                reply = results.from_status(
                    code, f"{message or 'nothing here'}: there are GET /metrics, /livez and /readyz"
                )
                self._answer(reply.status, reply.content_type.decode(), reply.body)

            def _answer(self, status: int, kind: str, body: bytes) -> None:
                self.send_response(status)
                self.send_header("content-type", kind)
                self.send_header("content-length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the base class names it so
                """Probes come every few seconds: silence."""

        class Server(ThreadingHTTPServer):
            daemon_threads = True
            address_family = socket.AF_INET6 if ":" in host else socket.AF_INET

            def handle_error(self, request: object, client_address: object) -> None:
                """A client that hangs up is no event."""

        try:
            self._server = Server((host, port), Handler)
        except OSError as error:
            raise ConfigError(
                f"cannot listen on health.host {host}, health.port {port}: {error.strerror or error}. Choose another port, or 0 for a free one."
            ) from error
        self._host = host
        self._thread = threading.Thread(
            target=self._server.serve_forever, kwargs={"poll_interval": 0.2}, name="health", daemon=True
        )
        self._thread.start()

    @property
    def port(self) -> int:
        """The port that it listens on."""
        return int(self._server.server_address[1])

    @property
    def url(self) -> str:
        """`http://HOST:PORT`."""
        return f"http://{f'[{self._host}]' if ':' in self._host else self._host}:{self.port}"

    def close(self) -> None:
        """Stop answering and give the port back."""
        self._server.shutdown()
        self._server.server_close()
        self._thread.join(timeout=2)

    def __enter__(self) -> Self:
        """It answers already."""
        return self

    def __exit__(self, *_: object) -> None:
        """Close."""
        self.close()


def _passes(check: Check) -> bool:
    try:
        return check()
    except Exception:
        return False
