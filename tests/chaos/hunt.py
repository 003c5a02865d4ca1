"""Putting mutants, and the true worker, to their directed schedules."""

import re
import signal
import tempfile
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

from fairlane.stack.kafka import LocalKafka
from ingestion.lanes.fence import token_hash
from ingestion.lanes.worker import HUNG_EXIT
from tests.chaos import crashes, directed
from tests.chaos.roster import Mutant
from tests.chaos.scene import Scene, Schedule
from tests.chaos.watcher import Watcher
from tests.support.mutants_hash import one_hash
from tests.support.stage import staged

SETTINGS: Final = {**directed.SETTINGS, **crashes.SETTINGS}
ORDER_ONLY: Final = frozenset({crashes.offsets_deleted})
"""Schedules whose fault itself loses commits and records of general: only order can be promised, and only order is judged."""
ONE_HASH: Final = frozenset({directed.one_hash_moved_on, directed.one_hash_timed_out})
"""Schedules in which the workers' hash tells no token from another."""
TOGETHER: Final = 2
PATIENCE: Final = (1.0, 3.0, 8.0)
"""Of an attempt, where the one before showed nothing: on a busy machine everything takes longer."""
PROMISES: Final = ("every lane is drained", "the token is back in general")
LIVE: Final = "seen while it ran: "
ORDER: Final = "out of order"


@dataclass(frozen=True, slots=True)
class Trial:
    """One schedule with one cast. `mutant` "" is the true worker."""

    schedule: str
    mutant: str
    rule: str
    seconds: float
    violations: tuple[str, ...]

    crashed: bool = False
    """A worker ended with an error of its own, or the schedule did not come about: then nothing was shown."""
    tries: int = 1
    """Attempts until it was as expected: each gives everybody more time."""

    final: bool = False
    """The true worker did wrong: that is never tried away. Else, where nothing was shown, the machine may have been too busy."""

    @property
    def as_expected(self) -> bool:
        """A mutant is caught, the true worker is not, and nobody crashed."""
        return not self.crashed and bool(self.violations) == bool(self.mutant)

    @property
    def verdict(self) -> str:
        """What gave it away, in a line."""
        if self.crashed:
            return f"showed nothing: {'; '.join(self.violations)[:300]}"
        kinds = list(dict.fromkeys(_kind(violation) for violation in self.violations))
        return "; ".join(kinds[:3]) or "no violation"


def _kind(violation: str) -> str:
    """Without its numbers and places."""
    said, _, rest = violation.removeprefix(LIVE).partition(":")
    if said.startswith("not within"):
        return f"never:{rest}"
    return re.sub(r"\d+", "n", re.sub(r"^\d+ ", "", said))


class Halted(Exception):
    """Somebody interrupted the hunt."""


@dataclass(frozen=True, slots=True)
class Cast:
    """Who plays what: a mutant, or the true worker for `mutant` ""."""

    schedule: Schedule
    mutant: str
    rule: str
    general: str
    side: str


def casts(mutants: Sequence[Mutant]) -> list[Cast]:
    """The true worker once for each schedule, then the mutants."""
    true = {
        (m.schedule, m.true_general, m.true_side): Cast(m.schedule, "", "the true worker", m.true_general, m.true_side)
        for m in mutants
    }
    return [*true.values(), *(Cast(m.schedule, m.name, m.rule, m.general, m.side) for m in mutants)]


def hunt(
    mutants: Sequence[Mutant], kafka: LocalKafka, say: Callable[[str], None], halt: Callable[[], bool] = lambda: False
) -> list[Trial]:
    """Run them, two at a time, each in a pipeline of its own on the broker. Raises Halted when `halt` says so between two of them."""
    found = casts(mutants)
    stamp = f"{time.time_ns() % 10**8:08}"

    def one(number: int) -> Trial:
        cast = found[number]
        for tries, patience in enumerate(PATIENCE, 1):
            if halt():
                raise Halted
            began = time.monotonic()
            trial = attempt(kafka, f"hunt-{stamp}-{number}-{tries}", cast, patience)
            trial = replace(trial, tries=tries, seconds=time.monotonic() - began)
            wrong = "" if trial.as_expected else "  NOT AS EXPECTED "
            name = trial.mutant or "true worker"
            say(f"  {name:20} {trial.schedule:32} {trial.seconds:5.1f} s  {wrong}{trial.verdict}")
            if trial.as_expected or trial.final:
                break
        return trial

    with ThreadPoolExecutor(TOGETHER) as pool:
        return list(pool.map(one, range(len(found))))


def attempt(kafka: LocalKafka, pipeline: str, cast: Cast, patience: float = 1.0) -> Trial:
    """One trial: the schedule, then the judges."""
    schedule = cast.schedule
    stuck = ""
    with (
        tempfile.TemporaryDirectory(prefix="hunt-", ignore_cleanup_errors=True) as directory,
        staged(kafka, pipeline, Path(directory), **SETTINGS.get(schedule, {})) as stage,
    ):
        name = one_hash if schedule in ONE_HASH else token_hash
        watcher = Watcher(stage.kafka, stage.pipeline, stage.journal, name)
        with watcher:
            try:
                schedule(Scene(stage, cast.general, cast.side, patience, lambda: bool(watcher.live.violations)))
            except AssertionError as error:
                stuck = str(error).splitlines()[0]
            finding = stage.judge()
        if watcher.failure is not None:
            raise watcher.failure
        codes = {process.poll() for process in stage.processes}
        broke = bool(codes - {None, 0, HUNG_EXIT, -signal.SIGKILL, -signal.SIGTERM})
        # a promise of liveness may be broken; any other wait that failed means that the schedule did not come about
        lame = bool(stuck) and not any(promise in stuck for promise in PROMISES)
        logs = [stage.logs()[-2_000:]] if broke or lame else []
    seen = [LIVE + violation for violation in watcher.live.violations]
    violations = [*finding.violations, *([stuck] if stuck else ()), *seen, *logs]
    if schedule in ORDER_ONLY:
        violations = [v for v in violations if ORDER in v or v == stuck]
    harm = bool(seen) or any(ORDER in v for v in finding.violations)
    final = not cast.mutant and (broke or harm or not lame)
    return Trial(schedule.__name__, cast.mutant, cast.rule, 0.0, tuple(violations), broke or lame, final=final)
