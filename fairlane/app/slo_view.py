"""The page of one objective as values. Pure: facts in, every number with its text out."""

from dataclasses import dataclass
from fractions import Fraction
from typing import Final

from fairlane.addresses import shown
from fairlane.app import words
from fairlane.app.bars import Bar, Bars
from fairlane.app.budgets import burn_now
from fairlane.app.rows import BurnRow, When, burn_row
from fairlane.app.slo_facts import RECENT_S, SloFacts, period_begin
from fairlane.app.states import State
from slo.burn import Severity
from slo.burn import State as Standing
from slo.evaluation import Evaluation
from slo.objective import Objective, Sli
from slo.slices import SLICE_S, Slice
from slo.source import Lanes, Push, Ratio, Raw

MOST_CHANGES: Final = 12
_STATES: Final = {Standing.OK: State.OK, Standing.FIRING: State.BURNING, Standing.FROZEN: State.FROZEN}


@dataclass(frozen=True, slots=True)
class Tile:
    """A number with its name, and what it is made of."""

    name: str
    value: str
    detail: str


@dataclass(frozen=True, slots=True)
class Cell:
    """A burn rate with its arithmetic."""

    text: str
    why: str


@dataclass(frozen=True, slots=True)
class PairLine:
    """A pair of windows."""

    long: str
    short: str
    long_burn: Cell
    short_burn: Cell
    threshold: Cell
    covered: str
    state: State
    severity: str


@dataclass(frozen=True, slots=True)
class Change:
    """The objective came into a state."""

    at: When
    state: State
    word: str


@dataclass(frozen=True, slots=True)
class SloView:
    """The page."""

    name: str
    title: str
    pipeline: str
    state: State
    severity: str
    sentence: str
    cause: str
    """What the controller says of the pipeline while it burns."""
    now: When
    tiles: tuple[Tile, ...]
    budget: Bars
    recent: Bars
    pairs: tuple[PairLine, ...]
    changes: tuple[Change, ...]
    definition: tuple[tuple[str, str], ...]
    row: BurnRow | None
    runbook: str


def build(facts: SloFacts, cause: str = "") -> SloView:
    """The view of `facts`; `cause` is the pipeline's diagnosis in a sentence."""
    o, e = facts.objective, facts.evaluation
    row = burn_row(burn_now(e, facts.now_s), facts.now_s) if e else None
    state = row.state if row else State.FROZEN
    return SloView(
        o.name,
        o.title or o.name,
        o.pipeline,
        state,
        row.severity if row else "",
        sentence(facts, row),
        cause if state is State.BURNING else "",
        When.at(facts.now_s, facts.now_s),
        tiles(o, e),
        _budget(facts),
        _recent(facts),
        tuple(_pair(o, p.pair, n, e) for n, p in enumerate(e.pairs)) if e else (),
        tuple(
            Change(
                When.at(t.at_ms / 1000, facts.now_s),
                _STATES[t.state],
                str(t.severity) if t.severity is not Severity.NONE else "",
            )
            for t in facts.transitions[:MOST_CHANGES]
        ),
        definition(o),
        row,
        _runbook(o, row),
    )


def _runbook(o: Objective, row: BurnRow | None) -> str:
    """The objective's own where it is an address, else the name of ours."""
    if o.runbook.startswith(("https://", "http://")):
        return o.runbook
    return row.runbook if row else "FairlaneBudgetBurnPage"


def sentence(facts: SloFacts, row: BurnRow | None) -> str:
    """What a tired person should know."""
    e, name = facts.evaluation, facts.objective.title or facts.objective.name
    if e is None or row is None:
        return f"No data: {name} has never been evaluated."
    left = words.budget(e.budget_left, e.budget_s)
    if row.state is State.FROZEN:
        return f"Frozen: {row.note or 'too little telemetry to judge it'}"
    if not e.total:
        return f"No traffic: {name}; nothing was due in {e.window_days} days."
    if e.severity is not Severity.NONE:
        if e.exhaustion_s:
            return f"Burning: {name}; its budget is spent in {words.span(e.exhaustion_s)} at this rate, {left}."
        return f"Burning: {name}; its budget is {left if e.budget_left < 0 else 'spent'}."
    if e.budget_left <= 0:
        return f"Calm, but the budget is gone: {name}; {left}."
    return f"Kept: {name}; {left}."


def tiles(o: Objective, e: Evaluation | None) -> tuple[Tile, ...]:
    """Objective, achieved, budget."""
    unit = "s" if o.unit == "seconds" else "events"
    promise = Tile("objective", f"{float(o.target) * 100:.6g} %", f"over {_period(o)}")
    if e is None or not e.observed_s:
        return (
            promise,
            Tile("achieved", words.NONE, "no data yet"),
            Tile("budget left", words.NONE, f"of {words.span(float(1 - Fraction(o.target)) * o.period_s)}"),
        )
    if not e.total:
        achieved = Tile("achieved", words.NONE, "no traffic: nothing was due")
    else:
        bad = f"{words.count(e.total - e.good)} bad of {words.count(e.total)} {unit}"
        achieved = Tile("achieved", words.percent(e.good / e.total), bad)
    spent = f"{words.percent(max(e.budget_spent, 0.0))} spent"
    return promise, achieved, Tile("budget left", words.budget(e.budget_left, e.budget_s).removesuffix(" left"), spent)


def _period(o: Objective) -> str:
    if o.calendar is not None:
        return f"a calendar {o.calendar.unit} in {o.calendar.zone}; alerts over {o.window_days} rolling days"
    return f"{o.window_days} rolling days"


def _budget(facts: SloFacts) -> Bars:
    """What is left of the budget at the end of each step of the period."""
    o, e = facts.objective, facts.evaluation
    spent_all = e.budget_spent if e else 0.0
    steps = sorted(facts.steps)
    bad_all = sum(facts.steps[at].bad for at in steps)
    begin = period_begin(o, facts.now_s) // facts.step_s * facts.step_s
    bad, bars = 0, []
    for at in steps:
        bad += facts.steps[at].bad
        left = 1 - (spent_all * bad / bad_all if bad_all else 0.0)
        css = "over" if left <= 0 else "low" if left < 0.25 else "good"
        bars.append(Bar(at, max(left, 0.0), css))
    label = f"{words.budget(e.budget_left, e.budget_s)} now" if e and e.observed_s else "no data"
    return Bars(
        "budget",
        "Budget",
        f"How much of the error budget was left, of {_period(o)}?",
        label,
        begin,
        int(facts.now_s) // facts.step_s * facts.step_s + facts.step_s,
        facts.step_s,
        1.0,
        "100 %",
        tuple(bars),
        empty="" if bars else "no data in this period",
    )


def _recent(facts: SloFacts) -> Bars:
    """The share of bad a minute."""
    end = int(facts.now_s) // SLICE_S * SLICE_S
    shares = {at: _share(part) for at, part in facts.minutes.items()}
    worst = max((share for share in shares.values() if share), default=0.0)
    top = next(t for t in (0.001, 0.01, 0.1, 0.25, 0.5, 1.0) if t >= worst)
    bars = tuple(
        Bar(at, share or 0.0, "bad" if share else "quiet" if not facts.minutes[at].total else "good")
        for at, share in sorted(shares.items())
        if facts.minutes[at].observed
    )
    bad = sum(bar.css == "bad" for bar in bars)
    label = f"{words.many(bad, 'minute')} with something bad" + (f", at most {words.percent(worst)}" if bad else "")
    return Bars(
        "recent",
        "Bad share a minute, last six hours",
        "When did it go wrong, how much of it, and what was done?",
        label if bars else "no data",
        end - RECENT_S,
        end,
        SLICE_S,
        top,
        words.percent(top),
        bars,
        facts.moments,
        "" if bars else "no data in the last six hours",
    )


def _share(part: Slice) -> float | None:
    return part.bad / part.total if part.total else None


def _pair(o: Objective, name: str, n: int, e: Evaluation) -> PairLine:
    pair = e.pairs[n]
    allowed = words.percent(float(1 - Fraction(o.target)))
    unit = "s" if o.unit == "seconds" else "events"
    share = words.percent(pair.bad / pair.total) if pair.total else "nothing due"
    long = (
        f"{words.count(pair.bad)} bad of {words.count(pair.total)} {unit} = {share}, over the {allowed} that is allowed"
    )
    short = f"the same over {pair.short_window}: it ends soon after the trouble does"
    burn = float(next(p.factor for p in o.pairs if p.name == name))
    spends = f"above {words.times(burn)} {words.percent(burn * _window_share(o, name))} of the budget is gone in {pair.long_window}"
    covered = " / ".join(
        "not due" if c is None else words.percent(c) for c in (pair.long_coverage, pair.short_coverage)
    )
    return PairLine(
        pair.long_window,
        pair.short_window,
        Cell(_burn(pair.long_burn), long),
        Cell(_burn(pair.short_burn), short),
        Cell(words.times(pair.threshold), spends),
        covered,
        _STATES[pair.state],
        pair.tier if pair.severity is Severity.NONE else str(pair.severity),
    )


def _window_share(o: Objective, name: str) -> float:
    return next(p.long_s for p in o.pairs if p.name == name) / o.period_s


def _burn(value: float | None) -> str:
    return "no traffic" if value is None else words.times(value)


def definition(o: Objective) -> tuple[tuple[str, str], ...]:
    """What exactly is promised, as name and value; also for `fairlane slo show`."""
    lines = [
        ("name", o.name),
        ("measured", measured(o)),
        ("promise", f"{float(o.target) * 100:.6g} % over {_period(o)}"),
    ]
    if o.pipeline:
        lines.append(("pipeline", o.pipeline))
    if o.service:
        lines.append(("service", o.service))
    if o.timeslices is not None:
        share = words.percent(float(o.timeslices.target))
        lines.append(("time slices", f"{words.seconds(o.timeslices.slice_s)}, good when {share} in it is good"))
    if o.description:
        lines.append(("description", o.description))
    pages = ", ".join(f"{p.name} above {words.times(float(p.factor))} ({p.tier})" for p in o.pairs)
    return (*lines, ("alerts", pages), ("owner", o.owner))


def measured(o: Objective) -> str:
    """What is counted, in a sentence."""
    source = o.source
    if isinstance(source, Ratio):
        part = f"good: {source.good}" if source.good else f"bad: {source.bad}"
        return f"{part}; of: {source.total}; read from {shown(source.url)}"
    if isinstance(source, Raw):
        return f"{source.query} {source.op} {source.threshold:g}; read from {shown(source.url)}"
    if isinstance(source, Push):
        return f"pushed to POST /v1/slis/{o.name}"
    assert isinstance(source, Lanes)
    who = {"all": "all events", "protected": "events of tokens that are not moved", "moved": "events of moved tokens"}
    return {
        Sli.FRESHNESS: f"{who[str(o.population)]} visible within {words.span(o.threshold)} of capture",
        Sli.OLDEST_AGE: f"seconds in which no record of general is older than {words.span(o.threshold)}",
        Sli.LAG: f"seconds in which every partition's lag is under {o.threshold:,.0f} records",
        Sli.CAPTURE_AVAILABILITY: "events that capture accepted, of those that were not the client's mistake",
        Sli.CAPTURE_LATENCY: f"requests that capture answered within {o.threshold * 1000:.0f} ms of their first byte",
        Sli.COMPLETE: "events with all the fields that their type requires (capture.required)",
        Sli.UNIQUE: "events whose id no capture process has seen lately",
        Sli.VALID: "events that keep the contract of capture, of all that were sent",
    }.get(o.sli, str(o.sli))
