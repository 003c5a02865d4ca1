"""The promises of an SLA page: each with its month of days and its twelve months, and the same days in numbers. Pure."""

from dataclasses import dataclass
from fractions import Fraction
from typing import Final

from markupsafe import Markup

from fairlane.app import sla_draw, sla_words, words
from fairlane.app.sla_draw import Cell
from fairlane.app.states import State
from fairlane.sla.month import Day, Month, Promise
from slo.objective import Audience, Sli
from slo.report import Outcome
from slo.windows import DAY as DAY_S

_STATES: Final = {
    Outcome.KEPT: State.OK,
    Outcome.NEARLY_SPENT: State.WATCH,
    Outcome.BROKEN: State.BURNING,
    Outcome.NO_DATA: State.FROZEN,
    Outcome.NO_TRAFFIC: State.OK,
    Outcome.INCOMPLETE: State.FROZEN,
}
_TREND_LIMIT: Final = 0.6
"""Height of the whole budget in the trend."""


@dataclass(frozen=True, slots=True)
class Row:
    """One promise."""

    key: str
    name: str
    title: str
    state: State
    word: str
    promised: str
    achieved: str
    achieved_with: str
    """With announced maintenance counted; "" when nothing is left out."""
    spent: str
    spent_with: str
    left: str
    heat: Markup
    trend: Markup
    note: str


@dataclass(frozen=True, slots=True)
class DayRow:
    """A day in numbers: spent budget by promise."""

    day: str
    cells: tuple[str, ...]
    observed: str


def ordered(m: Month) -> list[Promise]:
    """The SLA first, then the protected and the moved, then the rest as configured."""
    first = [m.promise(Sli.FRESHNESS, who) for who in (Audience.ALL, Audience.PROTECTED, Audience.MOVED)]
    led = [p for p in first if p is not None]
    return [*led, *(p for p in m.promises if p not in led)]


def promise_row(p: Promise, m: Month) -> Row:
    """A promise's row."""
    account = p.account
    budget, other = account.budget, account.budget_with
    known = p.outcome is not Outcome.NO_DATA
    left = ""
    if p.outcome is Outcome.BROKEN:
        left = f"overspent by {words.seconds(-budget.left_s)}"
    elif known:
        left = f"{words.seconds(budget.left_s)} left"
    lived = p.lived_s < p.period_s and m.as_of >= m.end
    return Row(
        f"p-{p.name}",
        p.name,
        sla_words.tied(p.title),
        _STATES[p.outcome],
        str(p.outcome),
        sla_words.promised(p.target),
        sla_words.achieved(account.achieved, p.target) if known else "no data",
        sla_words.achieved(account.achieved_with, p.target) if p.adjusted else "",
        sla_words.tied(sla_words.spent(budget.spent_s, budget.whole_s)) if known else words.NONE,
        words.seconds(other.spent_s) if p.adjusted else "",
        left,
        _heat(p, m),
        _trend(p),
        f"measured for {words.span(float(p.lived_s))} of the month" if lived and p.lived_s else "",
    )


def _heat(p: Promise, m: Month) -> Markup:
    count = round((m.end - m.begin) / DAY_S)
    cells = [_day(p, day) for day in p.days]
    cells += [Cell("", "future", 0.0, "not yet") for _ in range(count - len(cells))]
    worst = max(p.days, key=p.day_spent, default=None)
    dark = sum(cell.level == "nodata" for cell in cells)
    label = f"{p.title}, {sla_words.month(m.month)} by day: "
    if worst is not None and p.day_spent(worst):
        label += f"worst {sla_words.day(worst.day)} with {_spent_day(p, worst)}"
    else:
        label += "no day spent anything"
    label += f"; {words.many(dark, 'day')} without data" if dark else ""
    return sla_draw.heat(p.name, label, cells)


def _day(p: Promise, day: Day) -> Cell:
    what = p.day_outcome(day)
    spent = p.day_spent(day)
    seen = day.counts.sums.coverage
    name = sla_words.day(day.day)
    text = f"{name}: {_spent_day(p, day)}"
    if day.counts.out_total:
        text += ", maintenance left out"
    if not day.counts.due_s and not day.counts.observed_s:
        return Cell(day.day, "future", 0.0, f"{name}: not measured yet")
    if what is Outcome.NO_DATA:
        return Cell(day.day, "nodata", 0.0, f"{name}: no data")
    fill = float(spent) ** 0.5 if spent > 0 else 0.0
    if seen is not None and seen < Fraction(9, 10):
        return Cell(day.day, "partial", fill, f"{text}; only {sla_words.complete(seen)} observed")
    if what is Outcome.NO_TRAFFIC:
        return Cell(day.day, "silent", 0.0, f"{name}: no traffic")
    level = "l3" if spent > Fraction(1, 5) else "l2" if what is Outcome.BROKEN else "l1" if spent else "l0"
    # what is hardly to be seen need not be drawn: under a tenth of the day's fair share
    return Cell(day.day, level, fill if spent * 300 > 1 else 0.0, text)


def _spent_day(p: Promise, day: Day) -> str:
    seconds = float(p.day_spent(day)) * p.budget.whole_s
    return f"{words.seconds(seconds)} of the budget" if seconds else "nothing spent"


def _trend(p: Promise) -> Markup:
    allowed = 1 - Fraction(p.target)
    cells = []
    for one in p.trend:
        name = sla_words.month(one.month)
        if not one.observed_s and not one.total:
            cells.append(Cell(one.month, "nodata", 0.0, f"{name}: no data"))
            continue
        got = one.achieved
        spent = float((1 - got) / allowed) if got is not None else 0.0
        text = f"{name}: {sla_words.achieved(got, p.target) if got is not None else 'no traffic'}"
        cells.append(
            Cell(
                one.month,
                "l3" if spent > 1 else "l1",
                spent * _TREND_LIMIT,
                f"{text}{', signed' if one.signed else ''}",
            )
        )
    broken = [c for c in cells if c.level == "l3"]
    said = f"broken in {', '.join(sla_words.month(c.name) for c in broken)}" if broken else "no month broken"
    return sla_draw.trend(
        f"t-{p.name}",
        f"{p.title}, budget spent in the last {words.many(len(cells), 'month')}: {said}",
        cells,
        _TREND_LIMIT,
    )


def day_rows(m: Month) -> tuple[DayRow, ...]:
    """Every day that has begun: what it spent of each budget, in the order of `ordered`."""
    promises = ordered(m)
    rows = []
    for n, day in enumerate(promises[0].days if promises else ()):
        cells, due, seen = [], 0, 0
        for p in promises:
            one = p.days[n]
            due, seen = due + one.counts.due_s, seen + min(one.counts.observed_s, one.counts.due_s)
            cells.append(_spent_cell(p, one))
        rows.append(
            DayRow(sla_words.day(day.day), tuple(cells), sla_words.complete(Fraction(seen, due) if due else None))
        )
    return tuple(rows)


def _spent_cell(p: Promise, day: Day) -> str:
    if p.day_outcome(day) is Outcome.NO_DATA:
        return "no data"
    seconds = float(p.day_spent(day)) * p.budget.whole_s
    return words.seconds(seconds) if seconds else "0"
