"""`fairlane doctor`: is this cluster and this configuration fit for use, and what has to be changed?"""

from collections import Counter
from dataclasses import asdict
from typing import Annotated, Final

import orjson
import typer

from fairlane.cli.context import settings_of
from ingestion.lanes.topic_laws import Finding, Level
from slo.errors import FairlaneError, Unreachable

_SIGN: Final = {Level.OK: "ok  ", Level.WARN: "warn", Level.FAIL: "FAIL"}


def doctor(
    context: typer.Context,
    *,
    json: Annotated[bool, typer.Option("--json", help="One JSON object instead of lines.")] = False,
) -> None:
    """Check the cluster and the configuration before first use. Exit 0 fit, 1 something must be changed, 4 the cluster does not answer."""
    from fairlane.doctor.examine import examine
    from slo.clock import SystemClock

    settings = settings_of(context)
    found: list[Finding] = []
    gone: Unreachable | None = None
    try:
        for finding in examine(settings, SystemClock()):
            found.append(finding)
            if not json:
                print(f"{_SIGN[finding.level]}  {finding.where}: {finding.what}")
                if finding.fix and finding.level is not Level.OK:
                    print(f"      -> {finding.fix}")
    except Unreachable as error:
        gone = error
    counts = Counter(str(finding.level) for finding in found)
    failed = counts["fail"] + (gone is not None)
    if json:
        body = {
            "fit": not failed,
            "ok": counts["ok"],
            "warn": counts["warn"],
            "fail": counts["fail"],
            "findings": [asdict(one) for one in found],
        }
        print(orjson.dumps(body | ({"unreachable": str(gone)} if gone else {})).decode())
    else:
        print(f"{counts['ok']} ok, {counts['warn']} to look at, {counts['fail']} to change")
    if gone is not None:
        raise gone
    if failed:
        raise FairlaneError(
            f"doctor: {failed} of {len(found)} checks failed: change what is marked FAIL and run `fairlane doctor` again"
        )
