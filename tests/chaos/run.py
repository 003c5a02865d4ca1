"""One random run: a fresh broker behind a proxy, workers, load and routes; the schedule strikes; then calm, everything drains, and the oracle judges."""

import tempfile
import time
from collections import Counter
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from fairlane.stack.kafka import LocalKafka
from ingestion.contracts.names import Lane
from slo.errors import StackUnavailable
from tests.chaos.cast import Cast
from tests.chaos.commander import Commander
from tests.chaos.exits import inexcusable
from tests.chaos.load import Load
from tests.chaos.plan import Kind, Schedule
from tests.chaos.strikes import Strikes
from tests.chaos.watcher import Watcher
from tests.support import journal
from tests.support.proxy import Proxy
from tests.support.stage import Stage, staged

IMPATIENT: Final = {
    "group.min.session.timeout.ms": "1000",
    "transaction.abort.timed.out.transaction.cleanup.interval.ms": "500",
}
PARTITIONS: Final = 4
READY_S: Final = 240.0
START_S: Final = 120.0
DRAIN_S: Final = 60.0
"""When everything works again, all lanes drain: no lag stands still for so long."""


@dataclass(slots=True)
class Result:
    """What a run did and what was found."""

    seed: int
    kafka: str = ""
    """The broker's version."""
    workers: int = 0
    seconds: float = 0.0
    drain_s: float = 0.0
    faults: Counter[Kind] = field(default_factory=Counter)
    details: Counter[str] = field(default_factory=Counter)
    missed: int = 0
    records: int = 0
    accepted: int = 0
    forwards: int = 0
    effects: int = 0
    repeats: int = 0
    routes: int = 0
    moves: int = 0
    restores: int = 0
    expired: int = 0
    """Commands that no controller took up in time: none was in charge."""
    restarts: int = 0
    exits: Counter[int] = field(default_factory=Counter)
    """Exit code of workers that ended by themselves -> how often."""
    commits_seen: int = 0
    fences_compared: int = 0
    violations: list[str] = field(default_factory=list)
    void: str = ""
    """Why the run could not be carried out: the broker did not come up in time. Then nothing of it counts."""
    kept: str = ""
    """Where logs and journal were kept, when something was wrong."""


def play(schedule: Schedule, say: Callable[[str], None], keep: Path | None = None) -> Result:
    """Run it. `keep`: where the run's directory goes when there are violations."""
    result = Result(schedule.seed)
    began = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="chaos-", ignore_cleanup_errors=True) as temporary:
        directory = Path(temporary)
        try:
            _play(schedule, say, directory, result)
        except StackUnavailable as error:
            result.void = str(error)
        except Exception as error:
            result.violations.append(f"the run itself failed: {type(error).__name__}: {str(error)[:2_000]}")
        if result.violations and keep is not None:
            result.kept = str(_kept(directory, keep / f"seed-{schedule.seed}"))
    result.seconds = time.monotonic() - began
    return result


def _play(schedule: Schedule, say: Callable[[str], None], directory: Path, result: Result) -> None:
    with ExitStack() as stack:
        kafka: LocalKafka | None = None
        proxy = stack.enter_context(Proxy(lambda: kafka.target_port if kafka is not None else 0))
        kafka = LocalKafka(
            directory / "broker",
            proxy_port=proxy.port,
            properties=IMPATIENT,
            heap_mb=512,
            quiet=True,
            ready_limit_s=READY_S,
        )
        stack.enter_context(kafka)
        stage = stack.enter_context(
            staged(kafka, "chaos", directory, schedule.seed, proxy.control, partitions=PARTITIONS)
        )
        cast = Cast(stage)
        stack.callback(cast.end)
        result.kafka, result.workers = kafka.version, schedule.general + schedule.overflow + 1
        for lane, count in ((Lane.GENERAL, schedule.general), (Lane.OVERFLOW, schedule.overflow), (Lane.QUARANTINE, 1)):
            for slot in range(count):
                cast.start(lane, str(slot))
        watcher = stack.enter_context(Watcher(stage.kafka, stage.pipeline, stage.journal))
        commander = stack.enter_context(Commander(stage, schedule.seed))
        load = Load(stage, schedule.seed, schedule.rate, schedule.flap_s)
        strikes = Strikes(stage, kafka, proxy, cast, commander, say)
        with load:
            stage.until("every worker has come to work", lambda: _at_work(stage), START_S)
            strikes.run(schedule)
        if strikes.gone:
            raise StackUnavailable(strikes.gone)
        _calm(stage, cast, load, commander, result)
        finding = stage.judge()
        ends = [(name, process.poll()) for name, process in zip(stage.names, stage.processes, strict=True)]
        stack.pop_all().close()
    result.violations += inexcusable(ends, directory)
    live = watcher.live
    result.faults, result.details = strikes.kinds, strikes.done
    result.missed = strikes.missed.total()
    result.records, result.forwards, result.effects = finding.records, finding.forwards, live.effects
    result.accepted = finding.audit.accepted
    result.repeats = finding.effects - live.effects
    result.routes = load.routes.total()
    result.moves, result.restores = commander.moves, commander.restores
    result.expired = commander.expired
    result.restarts = cast.restarts
    result.exits = Counter(code for _, code in cast.exits)
    result.commits_seen, result.fences_compared = live.commits, live.covers
    result.violations += finding.violations
    result.violations += [f"seen while it ran: {v}" for v in live.violations]
    result.violations += strikes.failures
    for what, failure in (("load", load.failure), ("watcher", watcher.failure), ("commander", commander.failure)):
        if failure is not None:
            result.violations.append(f"the {what} failed: {type(failure).__name__}: {str(failure)[:500]}")
    if live.forwards != finding.forwards:
        result.violations.append(f"the concurrent reader saw {live.forwards} forwards of {finding.forwards}")
    if live.effects != finding.records:
        result.violations.append(f"{live.effects} records of {finding.records} had an effect")


def _at_work(stage: Stage) -> bool:
    """Has every lane had an effect?"""
    return {effect.lane for effect in journal.read(stage.journal)} == set(Lane)


def _calm(stage: Stage, cast: Cast, load: Load, commander: Commander, result: Result) -> None:
    """No fault any more, one worker a lane at least, every token wanted in general: everything must drain."""
    began = time.monotonic()
    load.calm()
    result.violations += commander.settle()
    stage.until_drained(DRAIN_S)
    result.drain_s = time.monotonic() - began
    cast.end()
    for role in cast.roles.values():
        role.wanted = False


def _kept(directory: Path, target: Path) -> Path:
    target.mkdir(parents=True, exist_ok=True)
    for path in (*directory.glob("*.log"), directory / "journal", directory / "broker" / "kafka.log"):
        if path.exists():
            (target / path.name).write_bytes(path.read_bytes())
    return target
