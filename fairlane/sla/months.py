"""The SLA months of an installation: running, draft or signed. Signing makes one immutable; what comes later is said beside it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from enum import StrEnum
from typing import Final

from sqlalchemy import Engine

from fairlane.app import sla_words, words
from fairlane.sla.compose import Composer
from fairlane.sla.month import Month, Promise
from fairlane.sla.signing import Signed, SignedMonths
from slo.calendar import Calendar, Period, Unit, parse_period
from slo.clock import Clock
from slo.days import Days
from slo.errors import Conflict, NotFound, UsageError
from slo.objective import Objective
from slo.presets import MOVED_WITHIN_S
from slo.store import LEDGER_S

SETTLING_S: Final = int(MOVED_WITHIN_S) + 300
"""A month's last minutes are closed this long after its end."""


class Stage(StrEnum):
    """How far a month is."""

    RUNNING = "running"
    DRAFT = "draft"
    SIGNED = "signed"


@dataclass(frozen=True, slots=True)
class Sheet:
    """A month as it is shown. `revised` says what late data would change in a signed one."""

    month: Month
    stage: Stage
    signed: Signed | None = None
    revised: tuple[str, ...] = ()
    settled_s: int = 0
    """Unix second after which no late data can come any more."""
    moves: Mapping[int, tuple[str, ...]] = field(default_factory=dict)
    """Begin of an incident -> ids of the isolator's decisions, for those who may see them: they stand in no signed document."""


@dataclass(frozen=True, slots=True)
class Entry:
    """A line of the list of months."""

    month: str
    stage: Stage


class Months:
    """The months that the objectives have lived in."""

    def __init__(self, engine: Engine, pipeline: str, objectives: Sequence[Objective], zone: str, clock: Clock) -> None:
        self._engine = engine
        self._objectives = tuple(objectives)
        self._zone = zone
        self._clock = clock
        self._calendar = Calendar(Unit.MONTH, zone)
        self._signed = SignedMonths(engine, pipeline)
        self.composer = Composer(engine, pipeline, self._objectives, zone)

    def list(self) -> list[Entry]:
        """Newest first; empty when nothing was ever booked. Raises SQLAlchemyError."""
        signed = set(self._signed.names())
        now = self._clock.now()
        found = {name: Entry(name, Stage.SIGNED) for name in signed}
        names = {o.name for o in self._objectives}
        born = [at for slo, at in Days(self._engine, self._zone).born().items() if slo in names]
        if born:
            period = self._calendar.at(now)
            while period.end > min(born):
                stage = Stage.RUNNING if period.end > now else Stage.DRAFT
                found.setdefault(period.name, Entry(period.name, stage))
                period = self._calendar.previous(period)
        return sorted(found.values(), key=lambda e: e.month, reverse=True)

    def latest(self) -> str | None:
        """The newest month that is over, else the running one; None when there is none."""
        known = self.list()
        over = [e for e in known if e.stage is not Stage.RUNNING]
        return (over or known)[0].month if known else None

    def period(self, month: str) -> Period:
        """Raises UsageError for what is no month, or does not exist (2026-13)."""
        calendar, period = parse_period(month, self._zone)
        if calendar.unit is not Unit.MONTH:
            raise UsageError(f"'{month}' is no month; write it as 2026-10")
        return period

    def get(self, month: str) -> Sheet:
        """A month as it is shown.

        Raises UsageError for what is no month, NotFound for one that lies ahead or before the first slice, TamperedMonth, SQLAlchemyError.
        """
        period = self.period(month)
        known = {e.month: e.stage for e in self.list()}
        if period.name not in known:
            when = "has not begun" if period.begin > self._clock.now() else "lies before anything was measured"
            which = f"; there are {', '.join(sorted(known))}" if known else "; nothing has been measured yet"
            raise NotFound(f"{month} {when}{which}")
        signed = self._signed.since(self._year_before(period).name)
        live = self.composer.month(period, self._clock.now(), signed)
        settled = period.end + LEDGER_S
        moves = {i.begin: i.moves for i in live.incidents}
        # of the month itself a changed document is no trifle
        mine = self._signed.get(period.name)
        if mine is not None:
            return Sheet(mine.month, Stage.SIGNED, mine, differences(mine.month, live), settled, moves)
        return Sheet(live, known[period.name], None, (), settled, moves)

    def sign(self, month: str, by: str, note: str, said_by: str = "") -> Sheet:
        """Sign a month that is over; the audit log tells of it in the same transaction (`said_by` as `SignedMonths.sign`).

        Raises UsageError for what is no month or without a name, NotFound as `get`, Conflict when it is not over, signed already, or nothing was observed,
        AuditBroken when that log takes no entry.
        """
        period = self.period(month)
        now = self._clock.now()
        if now < period.end + SETTLING_S:
            end = datetime.fromtimestamp(period.end + SETTLING_S, UTC)
            why = "is not over" if now < period.end else "is over, but its last minutes are not closed yet"
            raise Conflict(f"{month} {why}; it can be signed from {end:%Y-%m-%d %H:%M} UTC on")
        sheet = self.get(month)
        if sheet.signed is not None:
            raise Conflict(
                f"{month} was signed by {sheet.signed.by} on {words.utc(sheet.signed.at_ms / 1000)} and stays as it is"
            )
        if not sheet.month.observed_s:
            raise Conflict(f"{month}: nothing was observed in it, so there is nothing to sign")
        self._signed.sign(sheet.month.public(), by, note, int(now * 1000), said_by)
        return self.get(month)

    def _year_before(self, period: Period) -> Period:
        for _ in range(12):
            period = self._calendar.previous(period)
        return period


def differences(signed: Month, live: Month) -> tuple[str, ...]:
    """What the same month would say now, promise by promise, where it is not what was signed."""
    now = {p.name: p for p in live.promises}
    return tuple(said for old in signed.promises if old.name in now and (said := _difference(old, now[old.name])))


def _difference(old: Promise, new: Promise) -> str:
    if old.counts == new.counts:
        return ""
    was, now = (sla_words.achieved(p.account.achieved, old.target) for p in (old, new))
    if was == now:
        return f"{old.title}: {_counted(old, new)}; {was} as before."
    return f"{old.title}: {was} was signed, {now} is known now ({_counted(old, new)})."


def _counted(old: Promise, new: Promise) -> str:
    before, after = old.counts.sums.kept, new.counts.sums.kept
    changes = [
        f"{after_n - before_n:+,} {word}"
        for word, before_n, after_n in (("good", before.good, after.good), ("bad", before.bad, after.bad))
        if after_n != before_n
    ]
    return f"{', '.join(changes)} {old.unit}" if changes else "only what was expected or observed changed"
