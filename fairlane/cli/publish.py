"""`fairlane publish`: the SLA pages as a static site."""

import hashlib
from pathlib import Path
from typing import Annotated

import orjson
import typer

from fairlane.auth.audit import Deed
from fairlane.cli.acting import as_person, trail_of
from fairlane.cli.context import settings_of
from fairlane.cli.database import database
from fairlane.objectives import objectives_of
from fairlane.sla.months import Months, Stage
from fairlane.sla.publish import publish as write
from fairlane.sla.site import site
from slo.clock import SystemClock
from slo.errors import NotFound


def publish(
    context: typer.Context,
    out: Annotated[Path, typer.Option("--out", "-o", help="Directory to write; replaced as a whole.")] = Path("site"),
    *,
    drafts: Annotated[
        bool, typer.Option("--drafts", help="Unsigned months that are over too, marked as such.")
    ] = False,
    json: Annotated[bool, typer.Option("--json", help="One JSON object instead of lines.")] = False,
) -> None:
    """Write the signed SLA months as a static site: pages, JSON, CSV, badges, a summary for programs. The same months give the same bytes."""
    settings = settings_of(context)
    objectives = objectives_of(settings)
    with as_person(context, "publish"), database(settings) as engine:
        months = Months(engine, settings.pipeline.name, objectives, settings.slo.zone, SystemClock())
        wanted = {Stage.SIGNED, Stage.DRAFT} if drafts else {Stage.SIGNED}
        sheets = [months.get(entry.month) for entry in months.list() if entry.stage in wanted]
        if not sheets:
            raise NotFound(
                "there is no signed month to publish: sign one with `fairlane sla sign MONTH`, or add --drafts"
            )
        contents = site(sheets)
        write(out, contents)
        digest = hashlib.sha256(b"".join(hashlib.sha256(content).digest() for content in contents.values())).hexdigest()
        trail_of(settings, SystemClock()).record(Deed("publish", str(out), details={"sha256": digest}))
    if json:
        files = [{"path": path, "bytes": len(content)} for path, content in contents.items()]
        told = {"out": str(out), "months": [s.month.month for s in sheets], "sha256": digest, "files": files}
        print(orjson.dumps(told).decode())
        return
    print(
        f"{out}: {len(contents)} files, {len(sheets)} month{'s' * (len(sheets) != 1)}, newest {sheets[0].month.month}"
    )
