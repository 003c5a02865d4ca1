"""`fairlane bench slo`: one round over 10,000 objectives, with a day and with thirty days of history behind them, and the rules they need."""

import shutil
import subprocess
import tempfile
import time
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path
from statistics import median
from typing import Final

from sqlalchemy import Engine, text

from alerts.config import AlertSettings
from alerts.rules import alerts, recordings, rules
from fairlane.database import open_database
from slo.clock import ManualClock
from slo.objective import Objective, Sli
from slo.resolution import RESOLUTIONS
from slo.round import Rounds
from slo.slices import SLICE_S, Slice
from slo.store import Booking, SliceStore
from slo.windows import DAY

OBJECTIVES: Final = 10_000
TICK_S: Final = 15
TICKS: Final = 24
"""Six minutes of rounds: every minute brings new slices and lets old ones leave."""
NOW: Final = 1_700_000_000 // 3600 * 3600 + 55 * 60
"""Five minutes before the hour: an hour's slices leave within the measured rounds."""


def run(progress: Callable[[str], None]) -> dict[str, object]:
    """`tick_s` (median round with 30 days), `tick_s_max`, `growth` (with 30 days over with 1 day), `rules`, `promtool_s`."""
    day = _measure(1, progress)
    month = _measure(30, progress)
    count = sum(1 for _ in alerts()) + sum(1 for _ in recordings())
    return {
        "objectives": OBJECTIVES,
        "tick_s": round(median(month[1]), 3),
        "tick_s_max": round(max(month[1]), 3),
        "tick_s_day": round(median(day[1]), 3),
        "growth": round(median(month[1]) / median(day[1]), 3),
        "start_s": round(month[0], 2),
        "slices": month[2],
        "rules": count,
        "rules_sloth": 17 * OBJECTIVES,
        "promtool_s": _promtool(progress),
    }


def objectives() -> tuple[Objective, ...]:
    """So many objectives, of both presets."""
    return tuple(
        Objective(f"o-{n}", "bench", Sli.FRESHNESS, Decimal("0.999"), 30, windows=("google-mwmb", "fast-slow")[n % 2])
        for n in range(OBJECTIVES)
    )


def _measure(days: int, progress: Callable[[str], None]) -> tuple[float, list[float], int]:
    """Seconds of the first round, of the later ones, and the number of slices."""
    folder = Path(tempfile.mkdtemp(prefix="fairlane-bench-"))
    try:
        engine = open_database(f"sqlite:///{folder / 'bench.db'}")
        clock = ManualClock(NOW)
        progress(f"slo: {OBJECTIVES:,} objectives with {days} d of slices")
        slices = _fill(engine, days)
        rounds = Rounds(engine, objectives(), clock)
        store = SliceStore(engine, clock)
        begin = time.perf_counter()
        rounds.go()
        first = time.perf_counter() - begin
        took = []
        for tick in range(TICKS):
            clock.advance(TICK_S)
            now = int(clock.now())
            if now % SLICE_S < TICK_S:
                at = now // SLICE_S * SLICE_S - SLICE_S
                store.book([Booking(f"o-{n}", at, Slice(599, 600, 600, 60), at) for n in range(OBJECTIVES)])
            begin = time.perf_counter()
            rounds.go()
            took.append(time.perf_counter() - begin)
            progress(f"slo: round {tick + 1} of {TICKS} took {took[-1]:.2f} s")
        engine.dispose()
        return first, took, slices
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _fill(engine: Engine, days: int) -> int:
    """History as the design keeps it: minutes, then five minutes, then hours; written by the database itself."""
    with engine.execution_options(write=True).begin() as conn:
        conn.execute(
            text(
                "CREATE TEMP TABLE numbers AS WITH RECURSIVE n(i) AS (SELECT 0 UNION ALL SELECT i + 1 FROM n LIMIT 50000) SELECT i FROM n"
            )
        )
        end = NOW
        for resolution in RESOLUTIONS:
            begin = max(NOW - resolution.keep_s, NOW - days * DAY) // 3600 * 3600
            steps = max(end - begin, 0) // resolution.step_s
            conn.execute(
                text(
                    "INSERT INTO slices (slo, at, step_s, good, total, expected, observed) "
                    "SELECT 'o-' || o.i, :begin + s.i * :step, :step, :step * 10 - (o.i % 7 = 0), :step * 10, :step * 10, :step "
                    "FROM numbers s CROSS JOIN numbers o WHERE s.i < :steps AND o.i < :objectives"
                ),
                {"begin": begin, "step": resolution.step_s, "steps": steps, "objectives": OBJECTIVES},
            )
            end = begin
        conn.execute(
            text(
                "INSERT INTO totals (slo, born, good, total, expected, observed) "
                "SELECT slo, min(at), sum(good), sum(total), sum(expected), sum(observed) FROM slices GROUP BY slo"
            )
        )
        count = conn.execute(text("SELECT count(*) FROM slices")).scalar()
    return int(count or 0)


def _promtool(progress: Callable[[str], None]) -> float | None:
    """Seconds that promtool takes to check all rules; None without promtool."""
    if shutil.which("promtool") is None:
        progress("slo: promtool is not installed, its time is left out")
        return None
    folder = Path(tempfile.mkdtemp(prefix="fairlane-bench-"))
    try:
        path = folder / "rules.yml"
        path.write_text(rules(AlertSettings()), encoding="utf-8")
        begin = time.perf_counter()
        subprocess.run(["promtool", "check", "rules", str(path)], check=True, capture_output=True, timeout=60)
        return round(time.perf_counter() - begin, 3)
    finally:
        shutil.rmtree(folder, ignore_errors=True)
