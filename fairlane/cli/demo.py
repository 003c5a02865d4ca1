"""`fairlane demo`: the story on a real Kafka."""

import sys
import threading
from contextlib import suppress
from pathlib import Path
from typing import Annotated

import orjson
import typer

from fairlane.cli.context import settings_of
from fairlane.demo.options import Options
from fairlane.demo.report import Report
from fairlane.demo.scenes import SceneName
from slo.errors import FairlaneError, UsageError

MODES = ("off", "auto")


def demo(
    context: typer.Context,
    *,
    scene: Annotated[
        SceneName,
        typer.Option(
            help="What goes wrong: one token floods, one token is slow, everyone doubles, or a hung record, a slow token and a flood at once."
        ),
    ] = SceneName.FLOOD,
    tokens: Annotated[int, typer.Option(min=1, max=1_000_000, help="How many tokens send events.")] = 5_000,
    seed: Annotated[int, typer.Option(min=0, help="The same seed sends the same load.")] = 1,
    mode: Annotated[str, typer.Option(help="auto: the isolator acts. off: it does not, to see the harm.")] = "auto",
    trace: Annotated[
        Path | None,
        typer.Option(help="Replay real requests from a CSV (t,dur,token,records,bytes,work_ms; plain or .gz)."),
    ] = None,
    once: Annotated[bool, typer.Option("--once", help="End by itself; else everything stays up until Ctrl-C.")] = False,
    json: Annotated[
        bool, typer.Option("--json", help="Last line of stdout is one JSON object; the story goes to stderr.")
    ] = False,
) -> None:
    """Watch a flood being isolated on a real Kafka, and an independent account of every event."""
    from fairlane.demo.stage import stage
    from fairlane.demo.story import Story
    from fairlane.stack.interrupt import interruptible

    if mode not in MODES:
        raise UsageError(f"--mode {mode!r} is not one of {', '.join(MODES)}")
    options = Options(scene, tokens, seed, mode, trace)
    out = sys.stderr if json else sys.stdout

    def say(line: str) -> None:
        print(line, file=out, flush=True)

    story = Story(options, say)
    with interruptible(), stage(settings_of(context), options, say) as up:
        say(f"open {up.page_url} to watch; in another terminal: fairlane --state-dir {up.state_dir} status")
        report = story.run(up)
        if json:
            print(orjson.dumps(report.as_dict()).decode(), flush=True)
        else:
            _tell(report)
        if not once:
            say(f"everything stays up: {up.page_url} (Ctrl-C ends it)")
            # being told to stop is how this ends well
            with suppress(KeyboardInterrupt):
                threading.Event().wait()
    _judge(report)


def _tell(report: Report) -> None:
    from rich.console import Console
    from rich.table import Table

    from fairlane.demo.culprits import sentence

    table = Table(title=f"{report.scene}, mode {report.mode}, seed {report.seed}", show_header=False)
    events, flood, others = report.events, report.flood, report.innocents
    table.add_row("events", f"{events.accepted} accepted, {events.visible} visible, {events.dead} dead")
    table.add_row(
        "independent check",
        f"{events.missing} missing, {events.duplicated} duplicated, {events.out_of_order} out of order, {events.strangers} from nowhere",
    )
    table.add_row(
        "everyone else",
        f"{others.over_slo} of {others.events} over the SLO; p50 {others.freshness_p50_s} s, p99 {others.freshness_p99_s} s",
    )
    if flood.token:
        shown = ", ".join(
            f"{name} after {value:.1f} s" if value is not None else f"not {name}"
            for name, value in (
                ("decided", flood.decided_s),
                ("moved", flood.moved_s),
                ("protected", flood.protected_s),
                ("restored", flood.restored_s),
            )
        )
        table.add_row(flood.token, shown)
    for culprit in report.culprits:
        table.add_row(culprit.token, sentence(culprit).partition(", ")[2])
    table.add_row("moves", str(len(report.moves)))
    for note in report.notes:
        table.add_row("note", note)
    for check in report.checks:
        table.add_row("kept" if check.held else "[bold red]BROKEN[/]", f"{check.promise}: {check.seen}")
    Console().print(table)


def _judge(report: Report) -> None:
    """Exit 1 when a promise of the scene was not kept: a demo that lost events has failed, however well it looked."""
    if report.failed:
        raise FairlaneError(
            f"the demo did not keep {len(report.failed)} of its {len(report.checks)} promises: "
            + "; ".join(f"{check.promise} ({check.seen})" for check in report.failed)
        )
