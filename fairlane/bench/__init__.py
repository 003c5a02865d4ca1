"""Benchmarks: our speeds as ratios against a bare loop in the same run, never absolute claims."""

from collections.abc import Callable
from typing import Final

Progress = Callable[[str], None]
Result = dict[str, object]
Bench = Callable[..., Result]
"""Called with a Progress; `partition` and `isolation` take options as well."""

NAMES: Final = ("forward", "account", "capture", "partition", "decide", "control", "slo", "isolation")
BY_NAME_ONLY: Final = ("slo", "isolation")
"""Too long for `all`: ten minutes and more."""
GOALS: Final[dict[str, str]] = {
    "forward": "ratio >= 0.85 of a bare transactional loop, batches of 10,000",
    "account": "ratio >= 0.7 of consume + headers + count",
    "capture": "ratio >= 0.7 of a bare endpoint that waits for delivery, p99 < 200 ms",
    "partition": "--handler sleep5ms --concurrency 16: speedup >= 12 over one at a time",
    "decide": "1 M tokens, 256 partitions: tick <= 0.5 s, RSS <= 1 GB; 5 M: tick <= 2.5 s",
    "control": "50 workers x 2,048 rows/s and as many of arrivals: tick <= 1 s, lag and RSS bounded, taken over in <= 15 s",
    "slo": "10,000 objectives with 30 days of history: tick <= 1 s, growth over one day of history near 1, rules <= 60",
    "isolation": "better than every rival on innocents over SLO and false moves, or the page says where not and why",
}
"""What each is meant to reach; printed beside the result, never enforced."""


def load(name: str) -> Bench:
    """The benchmark called `name`. Imported late: each pulls in what it measures."""
    from importlib import import_module

    bench: Bench = import_module(f"fairlane.bench.{name}").run
    return bench
