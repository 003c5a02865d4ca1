"""The report of a whole run, as docs/benchmarks/faults.md. Pure: results in, text out."""

import os
import platform
from collections import Counter
from collections.abc import Sequence
from importlib.metadata import version
from typing import Final

import psutil
from confluent_kafka import libversion

from tests.chaos.hunt import Trial
from tests.chaos.plan import MEANING, Kind
from tests.chaos.roster import NOT_SHOWN
from tests.chaos.run import Result

_CHECKS: Final = (
    "## What is checked",
    "",
    "- **While it runs** a concurrent read_committed reader follows all lanes, the dead letters, the groups' commits and the journal of effects. At every moment:",
    "  a source offset has at most one committed owner; no record of a (token, distinct_id) is effective before an earlier one; a forward is seen only when what came",
    "  before it in its key is effective or waits before it in the same lane; nothing below a lane's committed offset is without an effect; no committed offset moves",
    "  back; and the F that is committed names everything that is in flight.",
    "- **Afterwards** faults end, every token is wanted in general, and every lane must drain to lag 0 with no transaction left open. Then, from the topics alone: every",
    "  event that Kafka confirmed to the load had its effect; one committed owner each; order; no effect, forward or dead letter of a record that is not there; outcomes",
    "  and forwards counted in the committed telemetry exactly once; and the concurrent reader saw just these.",
    "- **The controller**: every command answered exactly once, no verdict with two answers, and the last route is the one that was commanded. A command",
    "  that is more than a minute old when a controller comes back is not taken up any more (`isolator/membership.py`): those are counted apart.",
    "- **Every process**: no uncaught exception in its log, and no exit that a fault does not explain. A worker that is started while the broker is away may end with",
    "  exit code 1 and says so (it is started again), and so may one that a second worker in its slot fences again and again.",
    "",
    'A seed fixes the plan of faults (`make chaos ARGS="--seed 7"` plays it again); which process is where when one strikes is decided by real time. A planned fault that',
    "its worker did not come to is not counted.",
)


def render(results: Sequence[Result], trials: Sequence[Trial], seconds: float, command: str, machine: str) -> str:
    """The page. `machine`: what it ran on, in a few words."""
    return "\n".join(
        [
            "# Faults",
            "",
            "<!-- Written by `make chaos`; do not edit. -->",
            "",
            f"`{command}` took {seconds / 60:.0f} min on {machine}. Every run has a real broker ({_brokers(results)}), real worker and controller processes,",
            "a steady load, routes that flap all the while, and moves and restores by command. Runs and mutants go on side by side.",
            "",
            *_summary(results, trials),
            "",
            *_CHECKS,
            "",
            *_runs(results),
            "",
            *_faults(results),
            "",
            *_mutants(trials),
            "",
            *_not_shown(),
            "",
        ]
    )


def violations(results: Sequence[Result], trials: Sequence[Trial]) -> list[str]:
    """Everything that is wrong, in words."""
    found = [f"seed {r.seed}: {v}" for r in results for v in r.violations]
    return found + [
        f"{t.mutant or 'the true worker'} in {t.schedule}: {t.verdict}" for t in trials if not t.as_expected
    ]


def machine() -> str:
    """What this is run on."""
    cores, memory = psutil.cpu_count(), psutil.virtual_memory().total / 2**30
    clients = f"confluent-kafka {version('confluent-kafka')}, librdkafka {libversion()[0]}"
    load = f"load average {os.getloadavg()[2]:.0f} over the last 15 min, other work included"
    return f"{cores} cores, {memory:.0f} GiB, Python {platform.python_version()}, {clients} ({load})"


def _summary(everything: Sequence[Result], trials: Sequence[Trial]) -> list[str]:
    results = [r for r in everything if not r.void]
    total: Counter[Kind] = sum((r.faults for r in results), Counter())
    mutants = [t for t in trials if t.mutant]
    true = [t for t in trials if not t.mutant]
    wrong = sum(len(r.violations) for r in results)
    rows = [
        ("random runs", f"{len(results)} (seeds {', '.join(str(r.seed) for r in results)})"),
        (
            "runs that could not be carried out (the broker did not come up in time), and count nowhere",
            f"{len(everything) - len(results)}",
        ),
        (
            "faults injected",
            f"{total.total()} of {len(+total)} kinds (planned and not come about: {sum(r.missed for r in results)})",
        ),
        ("events accepted", _sum(results, "accepted")),
        ("records in general", _sum(results, "records")),
        ("effects (repeats by re-handled chunks)", f"{_sum(results, 'effects')} ({_sum(results, 'repeats')})"),
        ("records forwarded", _sum(results, "forwards")),
        ("route changes", _sum(results, "routes")),
        ("moves and restores by command", f"{_sum(results, 'moves')} and {_sum(results, 'restores')}"),
        ("... that nobody answered, as no controller was in charge for a minute", _sum(results, "expired")),
        ("workers started anew", _sum(results, "restarts")),
        ("... that had ended by themselves, by exit code", _exits(results)),
        ("longest drain after the last fault", f"{max((r.drain_s for r in results), default=0):.0f} s"),
        ("commits looked at while it ran", _sum(results, "commits_seen")),
        ("F compared with what was in flight", _sum(results, "fences_compared")),
        ("**violations** (lost, in two lanes, out of order, counted wrong, not drained)", f"**{wrong}**"),
        ("**mutants killed**", f"**{sum(t.as_expected for t in mutants)} of {len(mutants)}**"),
        ("schedules of the mutants that the true worker passes", f"{sum(t.as_expected for t in true)} of {len(true)}"),
    ]
    return ["| | |", "|---|---|", *(f"| {name} | {value} |" for name, value in rows)]


def _runs(results: Sequence[Result]) -> list[str]:
    head = [
        "## Runs",
        "",
        "| seed | workers at the start | faults | records | forwards | moves, restores | drained in | took | violations |",
        "|--:|--:|--:|--:|--:|--:|--:|--:|--:|",
    ]
    return head + [
        f"| {r.seed} | {r.workers} | {r.faults.total()} | {r.records} | {r.forwards} | {r.moves}, {r.restores} | {r.drain_s:.0f} s | {r.seconds:.0f} s | {len(r.violations)} |"
        for r in results
        if not r.void
    ]


def _faults(results: Sequence[Result]) -> list[str]:
    total: Counter[Kind] = sum((r.faults for r in results), Counter())
    details: Counter[str] = sum((r.details for r in results), Counter())
    lines = ["## Faults by kind", "", "| fault | what happens | where | times |", "|---|---|---|--:|"]
    for kind in Kind:
        own = {
            name.removeprefix(f"{kind} "): n
            for name, n in sorted(details.items())
            if name.split()[0] == kind and " " in name
        }
        where = ", ".join(f"{name} {n}" for name, n in own.items())
        lines.append(f"| {kind} | {MEANING[kind]} | {where} | {total[kind]} |")
    return lines


def _mutants(trials: Sequence[Trial]) -> list[str]:
    lines = [
        "## Mutants",
        "",
        "Each is the worker with one rule broken, put to a schedule that brings about the harm; the true worker is put to the same schedule. Where an attempt shows nothing",
        "(a busy machine), the next one gives everybody more time; what the true worker does wrong is never tried again.",
        "",
        "| mutant | the rule that is broken | schedule | killed by |",
        "|---|---|---|---|",
    ]
    true = {t.schedule: t.as_expected for t in trials if not t.mutant}
    for t in trials:
        if t.mutant:
            verdict = t.verdict if t.as_expected else f"**not killed** ({t.verdict[:100]})"
            verdict += f" (attempt {t.tries}, with more time)" if t.tries > 1 else ""
            passed = "" if true.get(t.schedule, True) else " (**the true worker fails it too**)"
            lines.append(f"| {t.mutant} | {t.rule} | {t.schedule}{passed} | {verdict} |")
    return lines


def _not_shown() -> list[str]:
    return [
        "## Rows of the model that a broker cannot show",
        "",
        "| mutation | why not |",
        "|---|---|",
        *(f"| {name} | {why} |" for name, why in NOT_SHOWN.items()),
    ]


def _brokers(results: Sequence[Result]) -> str:
    return "Kafka " + ", ".join(sorted({r.kafka for r in results if r.kafka}))


def _exits(results: Sequence[Result]) -> str:
    codes: Counter[int] = sum((r.exits for r in results), Counter())
    return ", ".join(f"{code}: {times}" for code, times in sorted(codes.items())) or "none"


def _sum(results: Sequence[Result], name: str) -> str:
    return f"{sum(getattr(r, name) for r in results)}"
