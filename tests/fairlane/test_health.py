"""The small health server."""

import http.client
import json
import socket

import pytest
from prometheus_client import CollectorRegistry, Counter

from fairlane.health import HealthServer
from slo.errors import ConfigError


def get(server: HealthServer, path: str, method: str = "GET") -> tuple[int, str, bytes]:
    connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=5)
    try:
        connection.request(method, path)
        answer = connection.getresponse()
        return answer.status, answer.headers["content-type"], answer.read()
    finally:
        connection.close()


def fails() -> bool:
    raise RuntimeError("a broken check is not a passed one")


def test_each_answer() -> None:
    registry = CollectorRegistry()
    Counter("seen", "what was seen", registry=registry).inc(3)
    ready = [False]
    with HealthServer(registry, lambda: True, lambda: ready[0]) as server:
        assert get(server, "/livez") == (200, "application/json", b'{"status":"alive"}')
        assert get(server, "/readyz?verbose") == (503, "application/json", b'{"status":"not ready"}')
        ready[0] = True
        assert get(server, "/readyz")[0] == 200
        status, kind, body = get(server, "/metrics")
        assert (status, kind.partition(";")[0]) == (200, "text/plain")
        assert b"seen_total 3.0" in body
        status, kind, body = get(server, "/")
        assert (status, kind) == (404, "application/problem+json")
        assert json.loads(body).items() >= {"type": "urn:fairlane:problem:not-found", "status": 404}.items()
        status, kind, body = get(server, "/livez", "POST")
        assert (status, kind) == (501, "application/problem+json")
        assert json.loads(body)["type"] == "urn:fairlane:problem:not-implemented"
        url = server.url
    with (
        pytest.raises(ConnectionRefusedError),
        socket.create_connection(("127.0.0.1", int(url.rpartition(":")[2])), timeout=2),
    ):
        pass


def test_a_check_that_raises_has_not_passed() -> None:
    with HealthServer(CollectorRegistry(), fails, lambda: True) as server:
        assert get(server, "/livez")[0] == 503


def test_a_silent_client_keeps_nobody_waiting() -> None:
    with (
        HealthServer(CollectorRegistry(), lambda: True, lambda: True) as server,
        socket.create_connection(("127.0.0.1", server.port), timeout=5),
    ):
        assert get(server, "/livez")[0] == 200


def test_a_taken_port_is_refused_by_name() -> None:
    with (
        HealthServer(CollectorRegistry(), lambda: True, lambda: True) as server,
        pytest.raises(ConfigError, match=r"health\.port"),
    ):
        HealthServer(CollectorRegistry(), lambda: True, lambda: True, port=server.port)
