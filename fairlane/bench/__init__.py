"""Benchmarks: our speeds as ratios against a bare loop in the same run, never absolute claims."""

from collections.abc import Callable
from typing import Final

Progress = Callable[[str], None]
Result = dict[str, object]
Bench = Callable[[Progress], Result]

NAMES: Final = ("forward", "account", "capture", "decide")
GOALS: Final[dict[str, str]] = {
    "forward": "ratio >= 0.75 of a bare transactional loop, batches of 10,000",
    "account": "ratio >= 0.7 of consume + headers + count",
    "capture": "ratio >= 0.7 of a bare endpoint that waits for delivery, p99 < 200 ms",
    "decide": "1 M tokens, 256 partitions: tick <= 1 s, RSS <= 2 GB",
}
"""What each is meant to reach; printed beside the result, never enforced."""


def load(name: str) -> Bench:
    """The benchmark called `name`. Imported late: each pulls in what it measures."""
    from importlib import import_module

    bench: Bench = import_module(f"fairlane.bench.{name}").run
    return bench
