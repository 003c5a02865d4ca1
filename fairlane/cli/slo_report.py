"""`fairlane slo report`: what was achieved in a calendar period or in the last whole days, against what was promised."""

import csv
import io
import re
from collections.abc import Sequence
from dataclasses import asdict
from typing import Annotated

import orjson
import typer

from fairlane.app import sla_words, words
from fairlane.cli.context import settings_of
from fairlane.cli.database import database
from fairlane.objectives import objectives_of
from fairlane.sla import files
from fairlane.sla.compose import Composer
from fairlane.sla.month import Promise
from slo.calendar import Period, parse_period
from slo.clock import Clock, SystemClock
from slo.days import Days
from slo.errors import NotFound, UsageError
from slo.report import Outcome

LONGEST_DAYS = 400

Json = Annotated[bool, typer.Option("--json", help="One JSON object instead of a table.")]


def report(
    context: typer.Context,
    month: Annotated[
        str,
        typer.Option(
            "--month",
            "--period",
            help="2026-10, 2026-Q4, 2026, 2026-10-21; 28d or 30d: the last whole days. Default: the running month.",
        ),
    ] = "",
    objective: Annotated[
        list[str] | None, typer.Option("--slo", help="Only these objectives (several times); all without it.")
    ] = None,
    *,
    json: Json = False,
    as_csv: Annotated[bool, typer.Option("--csv", help="CSV instead of a table.")] = False,
) -> None:
    """Achieved against promised over a calendar period in slo.zone, the error budget as time, how much was observed; announced maintenance apart."""
    if json and as_csv:
        raise UsageError("--json and --csv: choose one")
    settings, clock = settings_of(context), SystemClock()
    objectives = objectives_of(settings)
    if unknown := sorted(set(objective or ()) - {o.name for o in objectives}):
        raise NotFound(f"there is no objective {', '.join(unknown)}; `fairlane slo list` names them")
    chosen = tuple(o for o in objectives if not objective or o.name in objective)
    with database(settings) as engine:
        zone = settings.slo.zone
        name, period = _period(month, Days(engine, zone), clock)
        promises = Composer(engine, settings.pipeline.name, chosen, zone).promises(period, clock.now())
    if json:
        print(orjson.dumps(told(name, zone, period, promises)).decode())
    elif as_csv:
        print(sheet(name, promises), end="")
    else:
        print("\n".join(table(name, zone, promises)))


def told(name: str, zone: str, period: Period, promises: Sequence[Promise]) -> dict[str, object]:
    """For JSON."""
    found = []
    for p in promises:
        days = [{"day": d.day, "outcome": str(p.day_outcome(d)), **asdict(d.counts)} for d in p.days]
        found.append({**files.figures(p), "days": days})
    return {"period": name, "zone": zone, "begin": period.begin, "end": period.end, "objectives": found}


def sheet(name: str, promises: Sequence[Promise]) -> str:
    """As CSV, a line an objective."""
    out = io.StringIO()
    columns = [column for column in files.COLUMNS if column not in {"month", "stage", "pipeline"}]
    writer = csv.writer(out)
    writer.writerow(["period", *columns])
    for p in promises:
        row = {**files.figures(p), "promise": p.name}
        writer.writerow([name, *(files.safe(row[column]) for column in columns)])
    return out.getvalue()


def table(name: str, zone: str, promises: Sequence[Promise]) -> list[str]:
    """For people, the worst first."""
    rows = [("SLO", "OUTCOME", "PROMISED", "ACHIEVED", "BUDGET SPENT", "COUNTING ALL", "OBSERVED")]
    for p in sorted(promises, key=lambda p: (p.outcome is not Outcome.BROKEN, -p.budget.spent)):
        account, known = p.account, p.outcome is not Outcome.NO_DATA
        rows.append(
            (
                p.name,
                str(p.outcome),
                sla_words.promised(p.target),
                sla_words.achieved(account.achieved, p.target) if known else words.NONE,
                sla_words.spent(p.budget.spent_s, p.budget.whole_s) if known else words.NONE,
                sla_words.achieved(account.achieved_with, p.target) if p.adjusted else words.NONE,
                sla_words.complete(account.sums.coverage),
            )
        )
    widths = [max(len(line[n]) for line in rows) for n in range(len(rows[0]))]
    lines = ["  ".join(cell.ljust(w) for cell, w in zip(line, widths, strict=True)).rstrip() for line in rows]
    return [f"{name}, days of {zone}", *lines]


def _period(text: str, days: Days, clock: Clock) -> tuple[str, Period]:
    """Raises UsageError for what is no period, NotFound for one that lies ahead."""
    now = clock.now()
    if found := re.fullmatch(r"([0-9]{1,3})d", text):
        if not 1 <= int(found[1]) <= LONGEST_DAYS:
            raise UsageError(f"--month {text}: 1d to {LONGEST_DAYS}d")
        return f"last {found[1]} days", days.last(int(found[1]), now)
    calendar, period = parse_period(text or today(days, clock)[:7], days.zone)
    if period.begin > now:
        raise NotFound(f"{text} has not begun; the running month is {today(days, clock)[:7]}")
    return text or calendar.of(period.first).name, period


def today(days: Days, clock: Clock) -> str:
    """The local date, `2026-10-21`."""
    return days.last(1, clock.now()).until.isoformat()
