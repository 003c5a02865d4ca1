"""A real Prometheus and a real Alertmanager over targets of ours, with the rules and routes that `fairlane generate` writes, only quicker."""

import subprocess
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import yaml

from alerts.alertmanager import config
from alerts.config import AlertSettings, Receivers
from alerts.render import to_yaml
from alerts.rules import rules
from fairlane.stack.ports import free_ports
from tests.support.waiting import until

READY_S = 30


@dataclass
class Watched:
    """Both, running."""

    prometheus: str
    alertmanager: str

    def query(self, expr: str) -> list[tuple[dict[str, str], float]]:
        """An instant query: labels and value of each series."""
        answer = httpx.get(f"{self.prometheus}/api/v1/query", params={"query": expr}, timeout=10).json()
        assert answer["status"] == "success", answer
        return [(row["metric"], float(row["value"][1])) for row in answer["data"]["result"]]

    def rules(self) -> list[dict[str, Any]]:
        """Every rule as Prometheus reports it, with its health and last error."""
        answer = httpx.get(f"{self.prometheus}/api/v1/rules", timeout=10).json()
        return [rule for group in answer["data"]["groups"] for rule in group["rules"]]


@contextmanager
def watched(
    directory: Path, targets: Mapping[str, str], webhook: str, own: Sequence[int] = (), every: str = "1s"
) -> Iterator[Watched]:
    """Scrapes `targets` (job to URL) and evaluates each `every`; alerts reach `webhook` two seconds after they fire. An empty `every` leaves all times as shipped."""
    settings = AlertSettings(receivers=Receivers(webhook=webhook))
    written = yaml.safe_load(rules(settings, own))
    for group in written["groups"] if every else ():
        group["interval"] = every
    (directory / "rules.yml").write_text(to_yaml(written), encoding="utf-8")
    routes = config(settings)
    for route in (routes["route"], *routes["route"]["routes"]) if every else ():
        route |= {"group_wait": "2s", "group_interval": "2s"}
    (directory / "alertmanager.yml").write_text(to_yaml(routes), encoding="utf-8")
    prometheus, alertmanager = free_ports(2)
    scrape = [
        {"job_name": job, "static_configs": [{"targets": [url.removeprefix("http://")]}]}
        for job, url in targets.items()
    ]
    body = {
        "global": {
            "scrape_interval": every or "15s",
            "evaluation_interval": every or "15s",
            "scrape_timeout": every or "10s",
        },
        "rule_files": ["rules.yml"],
        "scrape_configs": scrape,
        "alerting": {"alertmanagers": [{"static_configs": [{"targets": [f"127.0.0.1:{alertmanager}"]}]}]},
    }
    (directory / "prometheus.yml").write_text(yaml.safe_dump(body), encoding="utf-8")
    commands = {
        "alertmanager": [
            "prometheus-alertmanager",
            f"--config.file={directory / 'alertmanager.yml'}",
            f"--storage.path={directory / 'am'}",
            f"--web.listen-address=127.0.0.1:{alertmanager}",
            "--cluster.listen-address=",
        ],
        "prometheus": [
            "prometheus",
            f"--config.file={directory / 'prometheus.yml'}",
            f"--storage.tsdb.path={directory / 'tsdb'}",
            f"--web.listen-address=127.0.0.1:{prometheus}",
            *(["--rules.alert.resend-delay=2s"] if every else []),
        ],
    }
    with ExitStack() as stack:
        for name, command in commands.items():
            stack.enter_context(_running(command, directory / f"{name}.log"))
        mine = Watched(f"http://127.0.0.1:{prometheus}", f"http://127.0.0.1:{alertmanager}")
        for url in (mine.prometheus, mine.alertmanager):
            until(lambda url=url: _answers(f"{url}/-/ready"), READY_S, 0.2)
        yield mine


@contextmanager
def _running(command: list[str], log: Path) -> Iterator[None]:
    with log.open("wb") as out, subprocess.Popen(command, stdout=out, stderr=subprocess.STDOUT) as process:
        try:
            yield
        finally:
            process.terminate()
            try:
                process.wait(10)
            except subprocess.TimeoutExpired:
                process.kill()


def _answers(url: str) -> bool:
    try:
        return httpx.get(url, timeout=2).status_code == 200
    except httpx.HTTPError:
        time.sleep(0)
        return False
