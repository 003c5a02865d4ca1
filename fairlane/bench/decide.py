"""`fairlane bench decide`: what a decision costs with millions of known tokens and a flood to find, and when nothing is the matter.

Each case runs in a process of its own, so that memory is its own. Beside the wall clock stands the processor's time, which says the same on a busy machine, and
what a bare loop takes: the tail's exponent once for every token, without which nobody can tell an anomaly.
"""

import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace

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
from isolator.baseline import Baseline
from isolator.brain import Brain
from isolator.constants import Policy
from isolator.interner import Floats, Interner, Ints
from isolator.observe import Observer
from isolator.state import StateView
from isolator.sums import Sums
from slo.errors import FairlaneError

TOP = 64
COST_S = 4e-4
START_MS = 1_700_000_000_000
FLOOD = "flood"
FLOOD_RATE = 300
"""events/s on each partition"""
BARE_ROUNDS = 5
SETTLED = 2
"""Ticks before the measured ones: the first writes a snapshot, as happens once a minute."""


@dataclass(frozen=True, slots=True)
class Case:
    """What is known, and what happens. `active` tokens take turns; 0: all known ones."""

    tokens: int
    partitions: int
    workers: int
    ticks: int
    active: int = 0
    top: int = TOP
    """Tokens reported for each partition a second."""
    flood_at: int | None = None
    """Tick in which the flood begins."""


CASES = {
    "million": Case(1_000_000, 256, 16, 14, flood_at=8),
    "five_million": Case(5_000_000, 256, 16, 14, flood_at=8),
    "calm": Case(100_000, 16, 4, 30, active=10_000),
}


def run(progress: Callable[[str], None]) -> dict[str, object]:
    """Measure every case in a child process. The first case's numbers stand at the top as well."""
    found: dict[str, object] = {}
    for name, case in CASES.items():
        progress(
            f"{case.tokens:,} tokens, {case.partitions} partitions, {case.ticks} ticks of five seconds of telemetry"
        )
        child = subprocess.run(
            [sys.executable, "-m", "fairlane.bench.decide", name],
            capture_output=True,
            text=True,
            timeout=600,
            check=False,
        )
        if child.returncode != 0:
            raise FairlaneError(f"the benchmark's process failed: {child.stderr.strip()[-500:]}")
        result = orjson.loads(child.stdout.splitlines()[-1])
        progress(f"tick {result['tick_s']} s, {result['rss_mb']} MB")
        found[name] = result
        if name == next(iter(CASES)):
            first: dict[str, object] = result
    return {**first, "cases": found, "limit": "array arithmetic over the active tokens (memory bandwidth, one core)"}


def measure(case: Case) -> dict[str, object]:
    """Build a pipeline that knows its tokens, feed it telemetry, decide.

    `tick_s` is the slowest tick after the first ones (observation, decision, learning, records), `tick_median_s` the usual one, `tick_snapshot_s` the slowest of
    those that write the baselines, `fold_s_per_s` the slowest second of telemetry; `tick_cpu_s` and `tick_snapshot_cpu_s` are the processor's time of the slowest tick of
    each kind. `bare_s`: see `bare`;
    `times_bare`: processor's time of the usual tick over it.
    """
    policy = Policy(warm_s=1.0)
    rng = np.random.default_rng(1)
    brain = _brain(case, policy, rng)
    known = rng.permutation(case.tokens)[: case.active] if case.active else np.arange(case.tokens)
    ticks, cpu, snapshots, snapshots_cpu = list[float](), list[float](), list[float](), list[float]()
    folds, moved = list[float](), 0
    for tick in range(case.ticks):
        spent = 0.0
        flooding = case.flood_at is not None and tick >= case.flood_at
        for second in range(1, 6):
            now_ms = START_MS + (5 * tick + second) * 1000
            since = 5 * (tick - (case.flood_at or 0)) + second if flooding else 0
            for report in _second(case, now_ms, known, rng, since):
                began = time.perf_counter()
                brain.fold(report, now_ms)
                spent += time.perf_counter() - began
        began, began_cpu = time.perf_counter(), time.process_time()
        batch = brain.tick(now_ms)
        took, took_cpu = time.perf_counter() - began, time.process_time() - began_cpu
        if any(key.startswith(b"snapshot/") for key, _ in batch.records):
            snapshots.append(took)
            snapshots_cpu.append(took_cpu)
        else:
            ticks.append(took)
            cpu.append(took_cpu)
        folds.append(spent / 5)
        moved += sum(v.token == FLOOD and v.kind == "move" for v in batch.new)
    assert len(brain.observer.names) >= case.tokens, "tokens were forgotten on the way: fewer were measured"
    assert moved == (case.flood_at is not None), (
        "the flood was not found, or found where none was: nothing was measured"
    )
    rss_mb = psutil.Process().memory_info().rss / 2**20
    bare_s = bare(brain.baseline.sums.events[: case.tokens], rng)
    return {
        "tick_s": round(max(ticks[SETTLED:]), 4),
        "tick_cpu_s": round(max(cpu[SETTLED:]), 4),
        "tick_median_s": round(float(np.median(ticks[SETTLED:])), 4),
        "tick_snapshot_s": round(max(snapshots), 3),
        "tick_snapshot_cpu_s": round(max(snapshots_cpu), 3),
        "fold_s_per_s": round(max(folds), 3),
        "bare_s": round(bare_s, 6),
        "times_bare": round(float(np.median(cpu[SETTLED:])) / bare_s, 1),
        "rss_mb": round(rss_mb),
        "tokens": case.tokens,
        "alive": len(brain.last[0].tokens.rate) if brain.last else 0,
        "partitions": case.partitions,
    }


def bare(usual: Floats, rng: np.random.Generator) -> float:
    """Processor seconds of one pass over all tokens: the exponent of the negative-binomial tail, `n ln(n/m) - (n+k) ln((n+k)/(m+k))`. Median of the rounds."""
    mean, k, took = usual / 86_400.0 + 1e-6, 2.0, list[float]()
    seen = rng.poisson(mean) + 1.0
    for _ in range(BARE_ROUNDS):
        began = time.process_time()
        exponent = seen * np.log(seen / mean) - (seen + k) * np.log((seen + k) / (mean + k))
        took.append(time.process_time() - began)
        assert np.isfinite(exponent).all()
    return float(np.median(took))


def _brain(case: Case, policy: Policy, rng: np.random.Generator) -> Brain:
    """A mind with a day of baselines for every token: a day of telemetry would take a day."""
    interner, size = Interner(), case.tokens
    interner.ids(map(_name, range(size)))
    events = rng.gamma(0.5, 2.0, size) * 864.0
    ticks = 17_280.0
    squares = events**2 / ticks * 1.2 + events
    sums = Sums(events, squares, events.copy(), events * COST_S, 86_400.0, ticks, float(events.sum()), warm=True)
    sums.active_s = 0.6 * size * sums.learned_s
    measured = Observer("bench", policy, interner), Baseline(policy, interner, sums)
    return Brain(StateView("bench"), policy, Mode.AUTO, measured)


def _name(number: int) -> str:
    return f"token-{number:07d}"


def _second(
    case: Case, now_ms: int, known: Ints, rng: np.random.Generator, flooding: int
) -> Iterator[ArrivalReport | WorkerReport | ProbeReport]:
    """Telemetry of one second: a partition's busiest tokens exactly. `flooding` seconds of a flood so far."""
    rows = case.partitions * case.top
    tokens = [_name(i) for i in known[rng.integers(0, len(known), rows)].tolist()]
    counts: Floats = rng.geometric(0.5, rows).astype(np.float64)
    arrived: list[TokenLoad] = []
    for i, (token, n) in enumerate(zip(tokens, counts.tolist(), strict=True)):
        arrived.append(TokenLoad(token, i // case.top, int(n), 100 * int(n)))
    if flooding:
        arrived += [
            TokenLoad(FLOOD, p, FLOOD_RATE, 100 * FLOOD_RATE, keys=500, top_key_records=10)
            for p in range(case.partitions)
        ]
    yield ArrivalReport("bench", now_ms, 1.0, tuple(arrived))
    each = case.partitions // case.workers
    for slot in range(case.workers):
        mine = range(slot * each, (slot + 1) * each)
        done = tuple(
            replace(row, work_s=row.records * COST_S) for row in arrived if row.partition in mine and row.token != FLOOD
        )
        busy = sum(row.work_s for row in done) / each
        loads = tuple(PartitionLoad(p, 0, 0, 0, busy, 0, 0, assigned_s=1e6) for p in mine)
        yield WorkerReport("bench", now_ms, 1.0, Lane.GENERAL, str(slot), "dev", 0.05, loads, done)
    late = FLOOD_RATE * flooding
    yield ProbeReport(
        "bench",
        now_ms,
        tuple(LanePartition(Lane.GENERAL, p, 0, late, late, 0.0, "exact") for p in range(case.partitions)),
    )


if __name__ == "__main__":
    print(orjson.dumps(measure(CASES[sys.argv[1]])).decode())
