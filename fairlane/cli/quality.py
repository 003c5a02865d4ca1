"""`fairlane quality`: is the data of each event type as it should be?"""

from dataclasses import asdict
from typing import Annotated, Final

import orjson
import typer

from fairlane.app import words
from fairlane.cli.context import settings_of
from fairlane.cli.database import database
from fairlane.quality import findings
from slo.clock import SystemClock
from slo.quality import Finding, Signal

MOST: Final = 20
"""Healthy signals that are listed."""


def quality(
    context: typer.Context,
    *,
    json: Annotated[bool, typer.Option("--json", help="One JSON object instead of sentences.")] = False,
) -> None:
    """The last hour's data quality by event type, the worst first: volume against seven days, missing fields, duplicates, late and invalid events."""
    settings = settings_of(context)
    with database(settings) as engine:
        found = findings(engine, settings.pipeline.name, SystemClock().now())
    if json:
        rows = [{**asdict(f), "over": f.over} for f in found]
        print(orjson.dumps({"pipeline": settings.pipeline.name, "findings": rows}).decode())
        return
    over = [f for f in found if f.over]
    if not found:
        print("No data: no event type had 100 events in the last whole hour.")
    elif over:
        print(f"{words.many(len(over), 'finding')} in {words.many(len({f.type for f in over}), 'event type')}:")
    else:
        print(f"Good: {words.many(len({f.type for f in found if f.type}), 'event type')}, nothing past its limit.")
    for f in (*over, *[f for f in found if not f.over][:MOST]):
        print(f"  {'▲' if f.over else '●'} {line(f)}")


def line(f: Finding) -> str:
    """A signal in words."""
    what = f"{'+' if f.signal is Signal.VOLUME_RISE else ''}{words.percent(f.value)}"
    return f"{f.signal} {what} (limit {words.percent(f.limit)}): {f.sentence}"
