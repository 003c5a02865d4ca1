"""`make chaos`, or `python -m tests.chaos`: random runs and mutants on a real broker, and the report. Exit code 0 when nothing was wrong, 1 otherwise."""

import argparse
import signal
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import FrameType
from typing import Final

from fairlane.stack.kafka import LocalKafka
from tests.chaos.hunt import Trial, hunt
from tests.chaos.plan import draw
from tests.chaos.report import machine, render, violations
from tests.chaos.roster import MUTANTS, Mutant
from tests.chaos.run import IMPATIENT, READY_S, Result, play
from tests.support.stage import ROOT

REPORT: Final = ROOT / "docs" / "benchmarks" / "faults.md"
KEPT: Final = ROOT / "build" / "chaos"


def main() -> int:
    """Parse, run, print, write."""
    options = _options()
    signal.signal(signal.SIGTERM, _interrupt)
    began = time.monotonic()
    results: list[Result] = []
    trials: list[Trial] = []
    halt = threading.Event()
    try:
        with ThreadPoolExecutor(1, "hunt") as pool:
            chosen = [m for m in MUTANTS if not options.mutant or m.name in options.mutant]
            hunted = None if options.seed or options.no_mutants else pool.submit(_hunt, chosen, halt.is_set)
            try:
                results = [] if options.mutant else _runs(options, began)
                trials = hunted.result() if hunted is not None else []
            except BaseException:
                halt.set()
                raise
    except KeyboardInterrupt:
        _say("interrupted: everything that was started is stopped")
        return 1
    text = render(results, trials, time.monotonic() - began, options.command, machine())
    wrong = violations(results, trials)
    whole = bool(trials and results) and not options.seed and not options.mutant
    if whole and sum(r.faults.total() for r in results) < options.at_least:
        wrong.append(f"only {sum(r.faults.total() for r in results)} faults were injected, not {options.at_least}")
    print(text)
    for line in wrong:
        print(f"WRONG  {line[:1_500]}")
    if whole:
        options.report.parent.mkdir(parents=True, exist_ok=True)
        options.report.write_text(text, encoding="utf-8")
        _say("report written")
    return 1 if wrong else 0


def _runs(options: argparse.Namespace, began: float) -> list[Result]:
    results: list[Result] = []
    seeds = iter(options.seed or range(options.first, options.first + 1_000))
    for seed in seeds:
        injected = sum(r.faults.total() for r in results)
        if not options.seed and (injected >= options.at_least or time.monotonic() - began > options.minutes * 60):
            break
        schedule = draw(seed, options.length, options.faults)
        _say(f"seed {seed}: {len(schedule.steps)} faults planned over {schedule.length_s:.0f} s")
        result = play(schedule, _say, KEPT)
        results.append(result)
        if result.void:
            _say(f"seed {seed}: COULD NOT BE CARRIED OUT after {result.seconds:.0f} s: {result.void}")
            continue
        for violation in result.violations:
            _say(f"  VIOLATION {violation[:1_000]}")
        _say(
            f"seed {seed}: {result.faults.total()} faults, {result.records} records, {result.forwards} forwards, {len(result.violations)} violations"
            f" in {result.seconds:.0f} s{' (kept under build/chaos)' if result.kept else ''}; replay: python -m tests.chaos --seed {seed}"
        )
    return results


def _hunt(mutants: list[Mutant], halt: Callable[[], bool]) -> list[Trial]:
    _say(f"mutants: {len(mutants)}, each in its schedule, and the true worker in every schedule")
    with (
        tempfile.TemporaryDirectory(prefix="hunt-", ignore_cleanup_errors=True) as directory,
        LocalKafka(Path(directory), properties=IMPATIENT, heap_mb=512, ready_limit_s=READY_S) as kafka,
    ):
        return hunt(mutants, kafka, _say, halt)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.chaos", description=__doc__)
    parser.add_argument("--seed", type=int, action="append", help="play this seed only (may be repeated)")
    parser.add_argument("--mutant", action="append", help="hunt this mutant only (may be repeated)")
    parser.add_argument("--no-mutants", action="store_true", help="random runs only")
    parser.add_argument("--first", type=int, default=1, help="the first seed")
    parser.add_argument(
        "--at-least", type=int, default=200, help="go on with further seeds until so many faults were injected"
    )
    parser.add_argument("--minutes", type=float, default=36.0, help="start no further run after so many minutes")
    parser.add_argument("--faults", type=int, default=30, help="faults planned per run")
    parser.add_argument("--length", type=float, default=55.0, help="seconds over which a run's faults are spread")
    parser.add_argument("--report", type=Path, default=REPORT, help="where the report of a whole run goes")
    options = parser.parse_args()
    options.command = " ".join(["make chaos", *([f"ARGS='{' '.join(sys.argv[1:])}'"] if sys.argv[1:] else [])])
    return options


def _interrupt(number: int, frame: FrameType | None) -> None:
    raise KeyboardInterrupt


def _say(text: str) -> None:
    print(text, flush=True)


if __name__ == "__main__":
    sys.exit(main())
