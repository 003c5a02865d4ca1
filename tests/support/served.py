"""A web app on a real port, served by uvicorn in a thread for the length of a with block."""

import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

import uvicorn
from fastapi import FastAPI

LIMIT_S = 10.0


@contextmanager
def served(app: FastAPI) -> Iterator[str]:
    """The app's base URL. Raises TimeoutError when it is not up within LIMIT_S."""
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as bound:
        bound.bind(("127.0.0.1", 0))
        server = uvicorn.Server(
            uvicorn.Config(
                app,
                log_config=None,
                access_log=False,
                ws="none",
                lifespan="on",
                timeout_graceful_shutdown=1,
                # as fairlane.roles.http has it
                proxy_headers=False,
            )
        )
        thread = threading.Thread(target=server.run, kwargs={"sockets": [bound]}, daemon=True)
        thread.start()
        deadline = time.monotonic() + LIMIT_S
        while not server.started:
            if time.monotonic() > deadline or not thread.is_alive():
                raise TimeoutError("the app did not start")
            time.sleep(0.02)
        try:
            yield f"http://127.0.0.1:{bound.getsockname()[1]}"
        finally:
            server.should_exit = True
            thread.join(LIMIT_S)
