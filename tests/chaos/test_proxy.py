"""The proxy does to a connection what it says, and to no other."""

import socket
import threading
import time
from collections.abc import Iterator
from contextlib import closing

import pytest

from fairlane.stack.ports import free_ports
from tests.support.proxy import Proxy, Trouble, ask


class Echo:
    """A server that sends back what it gets, and notes it."""

    def __init__(self) -> None:
        self.got: list[bytes] = []
        self._socket = socket.create_server(("127.0.0.1", 0))
        self.port = self._socket.getsockname()[1]
        threading.Thread(target=self._serve, daemon=True).start()

    def _serve(self) -> None:
        while True:
            try:
                one, _ = self._socket.accept()
            except OSError:
                return
            threading.Thread(target=self._echo, args=(one,), daemon=True).start()

    def _echo(self, one: socket.socket) -> None:
        with one:
            try:
                while data := one.recv(1_000):
                    self.got.append(data)
                    one.sendall(data)
            except OSError:
                return

    def close(self) -> None:
        """End."""
        self._socket.close()


@pytest.fixture
def echo() -> Iterator[Echo]:
    with closing(Echo()) as server:
        yield server


@pytest.fixture
def proxy(echo: Echo) -> Iterator[Proxy]:
    with Proxy(lambda: echo.port) as found:
        yield found


@pytest.fixture
def client(proxy: Proxy) -> Iterator[socket.socket]:
    with socket.create_connection(("127.0.0.1", proxy.port), timeout=5) as one:
        assert say(one, b"hello") == b"hello"
        yield one


def say(one: socket.socket, text: bytes) -> bytes:
    """Send, and the answer; empty when the connection was reset."""
    try:
        one.sendall(text)
        return one.recv(1_000)
    except ConnectionError:
        return b""


def until(holds: object, limit_s: float = 5.0) -> None:
    assert callable(holds)
    deadline = time.monotonic() + limit_s
    while not holds():
        assert time.monotonic() < deadline, "not in time"
        time.sleep(0.01)


def test_a_cut_connection_is_reset_and_a_new_one_works(proxy: Proxy, client: socket.socket) -> None:
    assert proxy.trouble(Trouble.CUT, 0.0) == 1
    assert say(client, b"again") == b""
    with socket.create_connection(("127.0.0.1", proxy.port), timeout=5) as fresh:
        assert say(fresh, b"fresh") == b"fresh"


def test_half_open_requests_arrive_and_answers_never_come(proxy: Proxy, client: socket.socket, echo: Echo) -> None:
    proxy.trouble(Trouble.HALF_OPEN, 0.5)
    began = time.monotonic()
    assert say(client, b"commit") == b""
    assert time.monotonic() - began >= 0.4
    assert b"commit" in echo.got


def test_stalled_requests_arrive_late_even_when_the_client_has_gone(
    proxy: Proxy, client: socket.socket, echo: Echo
) -> None:
    proxy.trouble(Trouble.STALL, 0.6)
    client.sendall(b"late")
    time.sleep(0.2)
    assert b"late" not in echo.got
    client.close()
    until(lambda: b"late" in echo.got)


def test_delay_makes_the_way_there_and_back_longer(proxy: Proxy, client: socket.socket) -> None:
    proxy.trouble(Trouble.DELAY, 5.0, delay_s=0.2)
    began = time.monotonic()
    assert say(client, b"slow") == b"slow"
    assert time.monotonic() - began >= 0.4


def test_only_the_connections_of_the_asking_process_are_hit(proxy: Proxy, client: socket.socket) -> None:
    assert ask(proxy.control, Trouble.CUT, 0.0, pid=1) == 0
    assert say(client, b"still here") == b"still here"


def test_a_broker_that_is_away_resets_its_clients() -> None:
    nobody = free_ports(1)[0]
    with Proxy(lambda: nobody) as proxy, socket.create_connection(("127.0.0.1", proxy.port), timeout=5) as one:
        assert say(one, b"anybody?") == b""
