"""The roles that are HTTP servers of their own: capture and the pages, on uvicorn."""

import logging
import socket
import threading
from collections.abc import Awaitable, Callable
from types import FrameType
from typing import Any

import uvicorn

from slo.errors import ConfigError

log = logging.getLogger(__name__)
App = Callable[..., Awaitable[Any]]


def listen(host: str, port: int, setting: str) -> socket.socket:
    """A socket bound to `host`:`port` (0: a free one). Raises ConfigError, naming `setting`, when it cannot be had."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    bound = socket.socket(family, socket.SOCK_STREAM)
    bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        bound.bind((host, port))
    except OSError as error:
        bound.close()
        raise ConfigError(
            f"cannot listen on {setting}.host {host}, {setting}.port {port}: {error.strerror or error}. Set {setting}.port to a free port, or to 0."
        ) from error
    return bound


class _Server(uvicorn.Server):
    """Takes the signals itself while it runs: passes the word on, so that the frame's limit counts."""

    def __init__(self, config: uvicorn.Config, stop: threading.Event) -> None:
        super().__init__(config)
        self._stop = stop

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        self._stop.set()
        super().handle_exit(sig, frame)


def run(app: App, host: str, port: int, setting: str, stop: threading.Event) -> int:
    """Serve `app` until a signal stops it: requests under way get 5 s. Sets `stop` then. Returns the exit code. Raises ConfigError as `listen`."""
    bound = listen(host, port, setting)
    log.info("listening on http://%s:%d", host, bound.getsockname()[1])
    server = _Server(config_of(app), stop)
    with bound:
        server.run(sockets=[bound])
    return 0 if server.started else 1


def config_of(app: App) -> uvicorn.Config:
    """How `app` is served."""
    return uvicorn.Config(
        app,
        loop="uvloop",
        http="httptools",
        ws="none",
        lifespan="on",
        log_config=None,
        access_log=False,
        # the peer is the peer: who may speak for others is decided by auth.trusted_peers
        proxy_headers=False,
        server_header=False,
        timeout_graceful_shutdown=5,
        timeout_keep_alive=65,
        backlog=2048,
    )
