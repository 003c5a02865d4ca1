"""Rows of the burn table and of the moves, and the small values all rows are made of. Pure."""

from dataclasses import dataclass
from decimal import Decimal, InvalidOperation

from fairlane.app import words
from fairlane.app.observation import BurnNow, MoveNow, Pair
from fairlane.app.opening import burn_state
from fairlane.app.states import State
from ingestion.contracts.names import Lane


@dataclass(frozen=True, slots=True)
class Quantity:
    """A number and how it is read; value None is "not known" and reads as a dash."""

    value: float | None
    text: str


@dataclass(frozen=True, slots=True)
class When:
    """A moment: how long ago, and exactly."""

    iso: str
    utc: str
    clock: str
    ago: str
    age_s: float

    @classmethod
    def of(cls, at_s: float | None, now_s: float) -> "When | None":
        """`at_s` as seen from `now_s`; None for a moment that never was."""
        return None if at_s is None else cls.at(at_s, now_s)

    @classmethod
    def at(cls, at_s: float, now_s: float) -> "When":
        """`at_s` as seen from `now_s`; a moment to come reads as just now."""
        age = max(now_s - at_s, 0.0)
        return cls(words.iso(at_s), words.utc(at_s), words.clock(at_s), words.ago(age), round(age, 1))


def count(value: float | None) -> Quantity:
    """A number of things."""
    return Quantity(value, words.count(value))


def seconds(value: float | None) -> Quantity:
    """A measured duration."""
    return Quantity(value, words.seconds(value))


def rate(value: float | None) -> Quantity:
    """Things a second."""
    return Quantity(value, words.rate(value))


def share(value: float | None) -> Quantity:
    """A fraction of one, shown as per cent."""
    return Quantity(value, words.percent(None if value is None else round(value, 3)))


def multiple(value: float | None) -> Quantity:
    """A burn rate."""
    return Quantity(value, words.times(value))


@dataclass(frozen=True, slots=True)
class PairCell:
    """One pair of windows of an objective."""

    long: str
    short: str
    long_burn: Quantity
    short_burn: Quantity
    threshold: Quantity
    severity: str
    firing: bool


@dataclass(frozen=True, slots=True)
class BurnRow:
    """One objective: its worst pair in the row, all of them below."""

    key: str
    slo: str
    target: str
    state: State
    severity: str
    exhausts: Quantity
    worst: PairCell | None
    pairs: tuple[PairCell, ...]
    budget: Quantity
    arithmetic: str
    note: str
    at: When | None
    runbook: str


@dataclass(frozen=True, slots=True)
class MoveRow:
    """A move as a sentence, with the evidence behind it."""

    key: str
    token: str
    token_short: str
    state: State
    word: str
    source: str
    target: str
    at: When
    by: str
    sentence: str
    predicted: str
    realised: str
    observed: tuple[tuple[str, str], ...]
    alternatives: tuple[str, ...]
    expires: str
    verdict_id: str


def burn_row(row: BurnNow, now_s: float) -> BurnRow:
    """The row of one objective. The pair nearest to its threshold stands for it."""
    pairs = tuple(_pair(pair) for pair in row.pairs)
    worst = max(pairs, key=_closeness, default=None)
    state = burn_state(row)
    return BurnRow(
        key=f"slo-{row.slo}",
        slo=row.slo,
        target=row.target,
        state=state,
        severity=row.severity if row.state == "firing" else "",
        exhausts=_exhausts(row),
        worst=worst,
        pairs=pairs,
        budget=Quantity(row.budget_left, words.budget(row.budget_left, row.budget_s)),
        arithmetic=_arithmetic(row, worst),
        note=row.note or _note(row),
        at=When.of(row.at_s, now_s),
        runbook=row.runbook,
    )


def move_row(move: MoveNow, now_s: float) -> MoveRow:
    """The sentence of one move: who, where to, since when, why, who decided."""
    state = State.OK if move.restored else State.MOVED if move.target is not Lane.GENERAL else State.RESTORING
    if move.word:
        state = State.MOVED if move.word == "limited" else State.WATCH
    return MoveRow(
        key=f"move-{move.token}-{round(move.at_s)}",
        token=move.token,
        token_short=words.token(move.token),
        state=state,
        word=move.word or ("restored" if move.restored else state.value),
        source=move.source.value,
        target=move.target.value,
        at=When.at(move.at_s, now_s),
        by="the policy" if move.by == "policy" else move.by,
        sentence=move.sentence or move.reason or "no reason was written down",
        predicted=move.predicted,
        realised=move.realised,
        observed=move.observed,
        alternatives=move.alternatives,
        expires="" if move.expires_s is None else f"ends in {words.span(max(move.expires_s - now_s, 0))}",
        verdict_id=move.verdict_id,
    )


def _pair(pair: Pair) -> PairCell:
    both = (pair.long_burn, pair.short_burn)
    firing = all(burn is not None and burn > pair.threshold for burn in both)
    return PairCell(
        pair.long,
        pair.short,
        multiple(pair.long_burn),
        multiple(pair.short_burn),
        multiple(pair.threshold),
        pair.severity,
        firing,
    )


def _closeness(cell: PairCell) -> float:
    """How near the pair is to firing: both windows count, so the calmer one decides."""
    if cell.long_burn.value is None or cell.short_burn.value is None or not cell.threshold.value:
        return -1.0
    return min(cell.long_burn.value, cell.short_burn.value) / cell.threshold.value


def _exhausts(row: BurnNow) -> Quantity:
    if row.budget_left is not None and row.budget_left <= 0:
        return Quantity(0.0, "spent")
    if row.state == "frozen" or row.exhausts_s is None:
        return Quantity(None, words.NONE)
    return Quantity(row.exhausts_s, words.span(row.exhausts_s))


def _arithmetic(row: BurnNow, worst: PairCell | None) -> str:
    """How the worst pair's long burn rate comes about, in the numbers that went into it."""
    if row.bad is None or not row.total or worst is None:
        return ""
    text = f"{words.many(row.bad, 'bad event')} of {words.count(row.total)} in the last {worst.long} = {words.percent(row.bad / row.total)}"
    try:
        allowed = 1 - Decimal(row.target.rstrip(" %")) / 100
    except InvalidOperation:
        return text
    return f"{text}; {words.percent(float(allowed))} may be bad; together {worst.long_burn.text}."


def _note(row: BurnNow) -> str:
    if row.state == "frozen":
        known = (
            ""
            if row.coverage is None
            else f" ({words.percent(row.coverage)} of its minutes are known, 90 % are needed)"
        )
        return f"Frozen: too little data to judge{known}. It neither fires nor resolves."
    if row.total == 0:
        return "No traffic: nothing was promised, nothing was broken."
    return ""
