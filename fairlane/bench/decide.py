"""`fairlane bench decide`: one decision over a million tokens and 256 partitions, with a flood to find, in a process of its own so that memory is its own."""

import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import replace

import numpy as np
import orjson
import psutil

from ingestion.contracts.names import Lane
from ingestion.contracts.routes import Mode
from ingestion.contracts.telemetry import (
    ArrivalReport,
    LanePartition,
    PartitionLoad,
    ProbeReport,
    TokenLoad,
    WorkerReport,
)
from isolator.brain import Brain
from isolator.constants import Policy
from isolator.interner import Floats
from isolator.state import StateView

TOKENS = 1_000_000
PARTITIONS = 256
WORKERS = 16
TOP = 64
TICKS = 7
COST_S = 4e-4
START_MS = 1_700_000_000_000
FLOOD = "flood"
FLOOD_RATE = 300
"""events/s on each partition"""


def run(progress: Callable[[str], None]) -> dict[str, object]:
    """Measure in a child process. `tick_s` is the slowest of the ticks after the first two, observation and decision together."""
    progress(f"{TOKENS:,} tokens, {PARTITIONS} partitions, {TICKS} ticks of five seconds of telemetry")
    child = subprocess.run(
        [sys.executable, "-m", "fairlane.bench.decide"], capture_output=True, text=True, timeout=300, check=False
    )
    if child.returncode != 0:
        raise RuntimeError(f"the benchmark's process failed: {child.stderr.strip()[-500:]}")
    result: dict[str, object] = orjson.loads(child.stdout.splitlines()[-1])
    progress(f"tick {result['tick_s']} s, {result['rss_mb']} MB")
    return result


def measure() -> dict[str, object]:
    """Build a pipeline of a million known tokens, feed it telemetry, decide."""
    policy = Policy(warm_s=1.0)
    brain = Brain(StateView("bench"), policy, Mode.AUTO)
    rng = np.random.default_rng(1)
    _learned(brain, rng)
    names = np.array([f"token-{i:07d}" for i in range(TOKENS)])
    ticks, folds, moved = [], [], 0
    for tick in range(TICKS):
        spent = 0.0
        for second in range(1, 6):
            now_ms = START_MS + (5 * tick + second) * 1000
            for report in _second(now_ms, names, rng, flooding=tick >= 3):
                began = time.perf_counter()
                brain.fold(report, now_ms)
                spent += time.perf_counter() - began
        began = time.perf_counter()
        batch = brain.tick(now_ms)
        ticks.append(time.perf_counter() - began)
        folds.append(spent / 5)
        moved += sum(v.token == FLOOD and v.kind == "move" for v in batch.new)
    assert moved == 1, "the flood was not found: nothing was measured"
    return {
        # the first tick snapshots a million baselines, which happens once a minute
        "tick_s": round(max(ticks[2:]), 3),
        "tick_snapshot_s": round(ticks[0], 3),
        "fold_s_per_s": round(max(folds), 3),
        "rss_mb": round(psutil.Process().memory_info().rss / 2**20),
        "tokens": TOKENS,
        "partitions": PARTITIONS,
        "limit": "array arithmetic over the tokens (memory bandwidth, one core)",
    }


def _learned(brain: Brain, rng: np.random.Generator) -> None:
    """A day of baselines for every token."""
    size = TOKENS
    brain.observer._interner.ids(f"token-{i:07d}" for i in range(size))  # noqa: SLF001  a day of telemetry would take a day
    sums = brain.baseline.sums
    sums.grow(size)
    sums.learned_s, sums.ticks = 86_400.0, 17_280.0
    sums.events[:size] = rng.gamma(0.5, 2.0, size) * 864.0
    sums.squares[:size] = sums.events[:size] ** 2 / sums.ticks * 1.2 + sums.events[:size]
    sums.handled[:size] = sums.events[:size]
    sums.work[:size] = sums.events[:size] * COST_S
    sums.all_events = float(sums.events.sum())
    sums.active_s = 0.6 * size * sums.learned_s
    sums.warm = True


def _second(
    now_ms: int, names: "np.ndarray[tuple[int], np.dtype[np.str_]]", rng: np.random.Generator, *, flooding: bool
) -> Iterator[ArrivalReport | WorkerReport | ProbeReport]:
    """Telemetry of one second: 64 tokens a partition exactly, the rest as `other`."""
    tokens = names[rng.integers(0, TOKENS, PARTITIONS * TOP)].tolist()
    counts: Floats = rng.geometric(0.5, PARTITIONS * TOP).astype(np.float64)
    arrived: list[TokenLoad] = []
    for i, (token, n) in enumerate(zip(tokens, counts.tolist(), strict=True)):
        arrived.append(TokenLoad(token, i // TOP, int(n), 100 * int(n)))
    if flooding:
        arrived += [
            TokenLoad(FLOOD, p, FLOOD_RATE, 100 * FLOOD_RATE, keys=500, top_key_records=10) for p in range(PARTITIONS)
        ]
    yield ArrivalReport("bench", now_ms, 1.0, tuple(arrived))
    each = PARTITIONS // WORKERS
    for slot in range(WORKERS):
        mine = range(slot * each, (slot + 1) * each)
        done = tuple(
            replace(row, work_s=row.records * COST_S) for row in arrived if row.partition in mine and row.token != FLOOD
        )
        loads = tuple(
            PartitionLoad(p, 0, 0, 0, sum(row.work_s for row in done) / each, 0, 0, assigned_s=1e6) for p in mine
        )
        yield WorkerReport("bench", now_ms, 1.0, Lane.GENERAL, str(slot), "dev", 0.05, loads, done)
    seconds = (now_ms - START_MS) // 1000
    late = FLOOD_RATE * max(seconds - 15, 0) if flooding else 0
    yield ProbeReport(
        "bench", now_ms, tuple(LanePartition(Lane.GENERAL, p, 0, late, late, 0.0, "exact") for p in range(PARTITIONS))
    )


if __name__ == "__main__":
    print(orjson.dumps(measure()).decode())
