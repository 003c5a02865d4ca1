"""A real Prometheus (Debian's) for the length of a with block, and what is asked of it."""

import json
import os
import socket
import subprocess
import time
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

LIMIT_S = 60.0
_CALL_S = 20.0


@dataclass(frozen=True)
class Prometheus:
    """Its HTTP API. Every call fails with Prometheus' own words when it refuses."""

    url: str

    def query(self, expr: str) -> list[dict[str, Any]]:
        """The newest value of each series: an instant query."""
        return self._get("query", query=expr)["result"]

    def range(self, expr: str, begin: float, end: float, step_s: float = 1.0) -> list[dict[str, Any]]:
        """Every series between two Unix times."""
        return self._get("query_range", query=expr, start=str(begin), end=str(end), step=str(step_s))["result"]

    def label_values(self, metric: str, label: str) -> list[str]:
        """What Grafana's label_values(metric, label) shows."""
        return self._get(f"label/{label}/values", **{"match[]": metric})

    def ready(self) -> bool:
        """Does it answer?"""
        try:
            with urllib.request.urlopen(f"{self.url}/-/ready", timeout=_CALL_S) as answer:
                return bool(answer.status == 200)
        except OSError:
            return False

    def _get(self, path: str, **parameters: str) -> Any:
        url = f"{self.url}/api/v1/{path}?{urllib.parse.urlencode(parameters)}"
        try:
            with urllib.request.urlopen(url, timeout=_CALL_S) as answer:
                body = json.load(answer)
        except urllib.error.HTTPError as error:
            with error:
                raise AssertionError(f"{parameters}: {error.read().decode()}") from None
        assert body["status"] == "success", body
        assert not body.get("warnings"), body["warnings"]
        return body["data"]


@contextmanager
def prometheus(
    directory: Path,
    targets: Sequence[str],
    rules: str = "",
    *,
    interval: str = "1s",
    more: dict[str, Any] | None = None,
) -> Iterator[Prometheus]:
    """Scrapes `targets` (host:port) each `interval` and evaluates `rules` (the text of a rule file) in `directory`; `more` is added to its configuration."""
    (directory / "rules.yml").write_text(rules or "groups: []\n", encoding="utf-8")
    config = {
        "global": {"scrape_interval": interval, "scrape_timeout": interval, "evaluation_interval": interval},
        "rule_files": ["rules.yml"],
        "scrape_configs": [{"job_name": "fairlane", "static_configs": [{"targets": list(targets)}]}],
        **(more or {}),
    }
    (directory / "prometheus.yml").write_text(yaml.safe_dump(config), encoding="utf-8")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        address = f"127.0.0.1:{free.getsockname()[1]}"
    log = directory / "prometheus.log"
    command = [
        "prometheus",
        f"--config.file={directory / 'prometheus.yml'}",
        f"--storage.tsdb.path={directory / 'tsdb'}",
        f"--web.listen-address={address}",
        "--query.lookback-delta=1m",
    ]
    with log.open("wb") as out:
        process = subprocess.Popen(command, stdout=out, stderr=subprocess.STDOUT, env={**os.environ, "TZ": "UTC"})
    try:
        server = Prometheus(f"http://{address}")
        deadline = time.monotonic() + LIMIT_S
        while not server.ready():
            words = log.read_text(encoding="utf-8", errors="replace")[-2000:]
            assert process.poll() is None, f"prometheus ended: {words}"
            assert time.monotonic() < deadline, f"prometheus was not ready within {LIMIT_S} s: {words}"
            time.sleep(0.1)
        yield server
    finally:
        process.terminate()
        try:
            process.wait(LIMIT_S)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait(LIMIT_S)
