"""An SLA month as the page shows it: the sentence first, then rows, incidents, what was left out, what was not seen. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Final

from markupsafe import Markup

from fairlane.app import sla_draw, sla_words, words
from fairlane.app.sla_events import ExcludedRow, IncidentRow, excluded_row, gaps, incident_row, small
from fairlane.app.sla_promises import DayRow, Row, day_rows, ordered, promise_row
from fairlane.app.states import State
from fairlane.sla.month import Month, Moved, Promise
from fairlane.sla.months import Entry, Sheet, Stage
from slo.presets import MOVED_WITHIN_S
from slo.report import Outcome
from slo.windows import DAY as DAY_S

_RANK: Final = {State.BURNING: 0, State.FROZEN: 1, State.WATCH: 2, State.OK: 3}
WHOLE: Final = Fraction(9, 10)
"""Share of the hours from which on a count of active tokens speaks for the month."""
MANY: Final = 6
"""Incidents that are told one by one before the rest is folded."""


@dataclass(frozen=True, slots=True)
class MonthLink:
    """An entry of the list of months."""

    month: str
    text: str
    stage: Stage
    here: bool


@dataclass(frozen=True, slots=True)
class SlaView:
    """The page."""

    month: str
    title: str
    pipeline: str
    zone: str
    state: State
    stage: Stage
    stage_text: str
    sentence: str
    complete: str
    complete_state: State
    notices: tuple[str, ...]
    revised: tuple[str, ...]
    rows: tuple[Row, ...]
    axis: Markup
    moved: str
    incidents: tuple[IncidentRow, ...]
    folded: tuple[IncidentRow, ...]
    small: str
    excluded: tuple[ExcludedRow, ...]
    gaps: tuple[str, ...]
    columns: tuple[str, ...]
    """Names of the promises in `days`."""
    days: tuple[DayRow, ...]
    months: tuple[MonthLink, ...]
    sha256: str
    seal: str
    """Over document, signer, time and note; empty for a month that is not signed, or was before there were seals."""
    note: str


def build(sheet: Sheet, months: Sequence[Entry], now: float) -> SlaView:
    """The page of a month; `now` (Unix seconds) matters to what is not over only."""
    m = sheet.month
    rows = tuple(sorted((promise_row(p, m) for p in ordered(m)), key=lambda r: _RANK[r.state]))
    state = min((r.state for r in rows), key=_RANK.__getitem__, default=State.FROZEN)
    incidents = [incident_row(i, m, sheet.moves.get(i.begin, ())) for i in m.incidents]
    return SlaView(
        m.month,
        sla_words.month(m.month),
        m.pipeline,
        m.zone,
        state,
        sheet.stage,
        _stage(sheet),
        sla_words.tied(_sentence(sheet)),
        sla_words.complete(m.complete),
        State.FROZEN if m.complete is None or m.complete < Fraction(9, 10) else State.OK,
        tuple(_notices(sheet, now)),
        sheet.revised,
        rows,
        sla_draw.axis(round((m.end - m.begin) / DAY_S)),
        _moved(m),
        tuple(incidents[:MANY]),
        tuple(incidents[MANY:]),
        small(m),
        tuple(excluded_row(one, m) for one in m.maintenance),
        tuple(gaps(m)),
        tuple(p.title for p in ordered(m)),
        day_rows(m),
        tuple(MonthLink(e.month, sla_words.month(e.month), e.stage, e.month == m.month) for e in months),
        sheet.signed.sha256 if sheet.signed else "",
        sheet.signed.seal if sheet.signed else "",
        sheet.signed.note if sheet.signed else "",
    )


def _stage(sheet: Sheet) -> str:
    if sheet.signed is not None:
        return f"signed {sla_words.on(sheet.signed.at_ms / 1000, sheet.month.zone)} by {sheet.signed.by}"
    return "still running" if sheet.stage is Stage.RUNNING else "draft, not signed yet"


def _sentence(sheet: Sheet) -> str:
    m = sheet.month
    name = sla_words.month(m.month) + (" so far" if sheet.stage is Stage.RUNNING else "")
    by: dict[Outcome, list[Promise]] = {}
    for p in ordered(m):
        by.setdefault(p.outcome, []).append(p)
    if broken := by.get(Outcome.BROKEN):
        worst = max(broken, key=lambda p: p.budget.spent)
        got = sla_words.achieved(worst.account.achieved, worst.target)
        return (
            f"{name}: {words.many(len(broken), 'promise was', 'promises were')} broken. {worst.title}: {got} of {sla_words.promised(worst.target)}, "
            f"overspent by {words.seconds(-worst.budget.left_s)}."
        )
    if len(by.get(Outcome.NO_DATA, ())) == len(m.promises):
        return f"{name}: no data. Nothing was observed, so nothing is known to be kept or broken."
    thin = [*by.get(Outcome.NO_DATA, ()), *by.get(Outcome.INCOMPLETE, ())]
    if thin:
        return f"{name}: nothing is known to be broken, but {words.many(len(thin), 'promise was', 'promises were')} not observed enough to say that {'it was' if len(thin) == 1 else 'they were'} kept."
    tight = max(m.promises, key=lambda p: p.budget.spent)
    if not tight.budget.spent:
        return (
            f"{name}: every promise {'is' if sheet.stage is Stage.RUNNING else 'was'} kept, and no budget was touched."
        )
    used = sla_words.spent(tight.budget.spent_s, tight.budget.whole_s)
    return f"{name}: every promise {'is' if sheet.stage is Stage.RUNNING else 'was'} kept. The tightest, {sla_words.inside(tight.title)}, spent {used}."


def _notices(sheet: Sheet, now: float) -> list[str]:
    found = []
    if sheet.stage is Stage.DRAFT:
        late = (
            f"Late data may still change it until {sla_words.on(sheet.settled_s, sheet.month.zone)}; sign"
            if now < sheet.settled_s
            else "Sign"
        )
        found.append(f"{late} it with “fairlane sla sign {sheet.month.month} --by NAME”.")
    return found


def _moved(m: Month) -> str:
    moved = m.moved
    if moved is None:
        return ""
    if not moved.expected and not moved.tokens:
        return "Moved: nobody."
    within = (
        f", {sla_words.complete(moved.achieved)} of it within {words.seconds(MOVED_WITHIN_S)}"
        if moved.achieved is not None
        else ""
    )
    return f"Moved: {_tokens(moved)}{sla_words.lost(moved.share)} of the traffic{within}.{_uncounted(moved)}"


def _tokens(moved: Moved) -> str:
    """How many, and which share of all tokens that is."""
    if not moved.tokens:
        return ""
    share = moved.token_share
    of = f" ({sla_words.lost(share)} of the {moved.active:,} that were active in the busiest minute)" if share else ""
    return f"{words.many(moved.tokens, 'token')}{of}, "


def _uncounted(moved: Moved) -> str:
    """What is missing for the tokens and their share to be known."""
    if not moved.tokens:
        # moved before the month began, or by decisions that are not kept
        return " How many tokens that was is not known: no move of this month is on record."
    if moved.active is None:
        return " Which share of all tokens that is cannot be told: nobody counted the active ones (no data)."
    if moved.counted is not None and moved.counted < WHOLE:
        return f" Active tokens were counted in {sla_words.complete(moved.counted)} of the hours only; a busier minute may be missing."
    return ""
