"""`python -m tests.e2e.paged`: the shipped rules, windows and intervals in real time, over a worker that is stopped with SIGSTOP and goes on later (some 20 minutes).

Prints when each page reached a webhook, by Prometheus and Alertmanager and by the built-in pager, and exits with 1 when freshness was not paged within five minutes or a
page was told twice or never ended.
"""

import json
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from uuid import uuid4

from fairlane.pager.config import PagerConfig
from fairlane.stack.kafka import LocalKafka
from slo.presets import pipeline_objectives
from tests.support.hooks import Hook, hook
from tests.support.paged import pipeline
from tests.support.watched import watched

CALM_S = 90
PAGED_WITHIN_S = 300
OVER_WITHIN_S = 1_200
RATE = 40
Told = dict[tuple[str, str, str], float]


def main() -> int:
    """Run it; 0 when all holds."""
    name = f"t{uuid4().hex[:10]}"
    with (
        tempfile.TemporaryDirectory(prefix="fairlane-paged-") as home,
        LocalKafka(Path(home) / "kafka") as kafka,
        hook() as outside,
        hook() as inside,
        pipeline(
            kafka,
            name,
            Path(home) / "state",
            30.0,
            pipeline_objectives(name),
            15.0,
            PagerConfig(mode="builtin", webhook=inside.url),
        ) as flow,
        watched(Path(home), flow.targets, outside.url, every="") as eyes,
        flow.trickle(RATE),
    ):
        _wait("calm", CALM_S, lambda: False)
        before = {"prometheus": _pages(outside), "builtin": _pages(inside)}
        stopped = time.monotonic()
        with flow.stalled():
            _wait("stopped", PAGED_WITHIN_S, lambda: _fresh(outside) and _fresh(inside))
            paged = {"prometheus": _pages(outside), "builtin": _pages(inside)}
            held_s = time.monotonic() - stopped
        _wait("going on", OVER_WITHIN_S, lambda: _over(outside) and _over(inside))
        report = {
            "pages_before": {way: len(told) for way, told in before.items()},
            "stopped_s": round(held_s),
            "paged_s": {
                way: {f"{slo} {status}": round(at - stopped) for (_, slo, status), at in sorted(told.items())}
                for way, told in paged.items()
            },
            "told": {"prometheus": _counts(outside), "builtin": _counts(inside)},
            "broken_rules": [rule["name"] for rule in eyes.rules() if rule["health"] == "err"],
        }
        print(json.dumps(report, indent=2))
        fine = all(
            [
                not before["prometheus"],
                not before["builtin"],
                _fresh(outside),
                _fresh(inside),
                held_s <= PAGED_WITHIN_S,
                _over(outside),
                _over(inside),
                set(_counts(inside).values()) == {1},
                all(changes == ["firing", "resolved"] for changes in _changes(outside).values()),
                not report["broken_rules"],
            ]
        )
    return 0 if fine else 1


def _pages(received: Hook) -> Told:
    """Each page's first arrival."""
    found: Told = {}
    for at, (_, _, body) in zip(received.at, received.got, strict=False):
        if body["receiver"] == "page":
            for alert in body["alerts"]:
                found.setdefault((alert["labels"]["alertname"], alert["labels"].get("slo", ""), body["status"]), at)
    return found


def _counts(received: Hook) -> dict[str, int]:
    """How often each page was told."""
    counts: dict[str, int] = {}
    for body in received.bodies():
        if body["receiver"] == "page":
            key = f"{body['commonLabels']['alertname']} {body['commonLabels'].get('slo', '')} {body['status']}"
            counts[key] = counts.get(key, 0) + 1
    return counts


def _changes(received: Hook) -> dict[str, list[str]]:
    """What each alert was told to be, one after another: Alertmanager tells a group anew when another pair of windows joins it."""
    found: dict[str, list[str]] = {}
    for body in received.bodies():
        if body["receiver"] == "page":
            told = found.setdefault(f"{body['commonLabels']['alertname']} {body['commonLabels'].get('slo', '')}", [])
            if told[-1:] != [body["status"]]:
                told.append(body["status"])
    return found


def _fresh(received: Hook) -> bool:
    return any(slo.endswith(("freshness-protected", "freshness-all")) for _, slo, _ in _pages(received))


def _over(received: Hook) -> bool:
    told = _pages(received)
    return all((alert, slo, "resolved") in told for alert, slo, _ in told)


def _wait(what: str, limit_s: float, done: Callable[[], bool]) -> None:
    print(f"{time.strftime('%H:%M:%S')} {what}, at most {limit_s:.0f} s", file=sys.stderr, flush=True)
    until = time.monotonic() + limit_s
    while time.monotonic() < until and not done():
        time.sleep(1)


if __name__ == "__main__":
    sys.exit(main())
