"""Puts an SLA month together: days, incidents, decisions, maintenance, trend. Reads the database, changes nothing."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from math import ceil
from typing import Final

from sqlalchemy import Engine

from fairlane.sla import causes
from fairlane.sla.crowd import Crowd, Crowds
from fairlane.sla.month import Before, Counts, Day, Incident, Maintenance, Month, Moved, Promise, Touched
from fairlane.sla.signing import Signed
from slo.adjust import Adjustment, Adjustments
from slo.calendar import Calendar, Period, Unit
from slo.capacity.store import HOUR
from slo.days import Days, DaySum
from slo.days_roll import burns
from slo.objective import Audience, Objective, Sli
from slo.report import account, day_sums
from slo.report_incidents import Stretch, stretches
from slo.store import LEDGER_S

TREND: Final = 12
TELLING: Final = Fraction(1, 200)
"""An incident that spent less than this share of every budget is not told one by one."""


@dataclass(frozen=True, slots=True)
class Composer:
    """Months of one installation, by the days of `zone`."""

    engine: Engine
    pipeline: str
    objectives: tuple[Objective, ...]
    zone: str

    def promises(
        self, period: Period, now: float, signed: Mapping[str, Signed] | None = None, *, trend: bool = False
    ) -> tuple[Promise, ...]:
        """Every objective's period as known at `now` (Unix seconds), in their order. Raises SQLAlchemyError."""
        days = Days(self.engine, self.zone)
        born = days.born()
        names = [o.name for o in self.objectives]
        span = _with_months_before(self.zone, period) if trend else period
        sums = days.read(names, span, now)
        found = []
        for o in self.objectives:
            inside = [d for d in sums[o.name] if d.day.begin >= period.begin]
            parts = day_sums(inside, period, born.get(o.name), now)
            told = account(o.target, period, (part for _, part in parts), born.get(o.name), now)
            found.append(
                Promise(
                    o.name,
                    o.title or o.description or o.name,
                    str(o.sli),
                    str(o.population),
                    o.unit,
                    o.owner,
                    str(o.target),
                    o.threshold,
                    told.period_s,
                    told.lived_s,
                    Counts.of(told.sums),
                    tuple(Day(day.first.isoformat(), day.seconds, Counts.of(part)) for day, part in parts),
                    _trend(sums[o.name], o.name, signed or {}) if trend else (),
                )
            )
        return tuple(found)

    def month(self, period: Period, now: float, signed: Mapping[str, Signed] | None = None) -> Month:
        """The month as known at `now`. `signed` are earlier months, whose numbers stand in the trend as they were signed. Raises SQLAlchemyError."""
        promises = self.promises(period, now, signed, trend=True)
        announced = Adjustments(self.engine).between(period.begin, period.end)
        decisions = causes.Decisions(self.engine, self.pipeline).between(period.begin - causes.BEFORE_S, period.end)
        incidents = self._incidents(period, now, promises, announced, decisions)
        told = [i for i in incidents if _tells(i, promises)]
        rest = [i for i in incidents if not _tells(i, promises)]
        return Month(
            self.pipeline,
            period.name,
            self.zone,
            period.begin,
            period.end,
            int(min(now, period.end + LEDGER_S)),
            promises,
            tuple(sorted(told, key=lambda i: (i.in_maintenance, -_worst(i), i.begin))),
            len(rest),
            round(sum(_worst(i) for i in rest), 3),
            tuple(_maintenance(a) for a in announced),
            _moved(
                promises,
                causes.moved_tokens([d for d in decisions if d.at_ms >= period.begin * 1000]),
                Crowds(self.engine, self.pipeline).between(period.begin, period.end),
            ),
        )

    def _incidents(
        self,
        period: Period,
        now: float,
        promises: Sequence[Promise],
        announced: Sequence[Adjustment],
        decisions: Sequence[causes.Decision],
    ) -> list[Incident]:
        targets = {o.name: o.target for o in self.objectives}
        bad = Days(self.engine, self.zone).bad(targets, period, now)
        steps = {slo: [s for s in some if burns(s, targets[slo])] for slo, some in bad.items()}
        by_name = {p.name: p for p in promises}
        return [_incident(s, by_name, announced, causes.of(decisions, s.begin, s.end)) for s in stretches(steps)]


def _incident(
    stretch: Stretch,
    promises: Mapping[str, Promise],
    announced: Sequence[Adjustment],
    decisions: Sequence[causes.Decision],
) -> Incident:
    touched = []
    for part in stretch.parts:
        p = promises[part.slo]
        whole = p.account.budget_with
        bad = p.counts.total - p.counts.good
        touched.append(
            Touched(part.slo, part.bad, part.bad_s, round(whole.spent_s * part.bad / bad, 3) if bad else 0.0)
        )
    others = next((p.name for p in promises.values() if p.population == Audience.PROTECTED), "")
    late = stretch.part(others)
    inside = next((a for a in announced if a.holds and a.begin <= stretch.begin and stretch.end <= a.end), None)
    return Incident(
        stretch.begin,
        stretch.end,
        stretch.exact,
        f"Announced: {inside.reason}." if inside else causes.cause(decisions, stretch.begin),
        tuple(touched),
        late.bad_s if late else 0,
        inside is not None,
        tuple(d.id for d in decisions if d.kind in {"move", "limit"}),
    )


def _worst(incident: Incident) -> float:
    return max((t.spent_s for t in incident.touched), default=0.0)


def _tells(incident: Incident, promises: Sequence[Promise]) -> bool:
    whole = {p.name: p.budget.whole_s for p in promises}
    return any(t.spent_s >= float(TELLING) * whole[t.slo] for t in incident.touched)


def _maintenance(a: Adjustment) -> Maintenance:
    return Maintenance(
        a.id, a.slo, a.begin, a.end, a.by, a.reason, a.notice_s, a.cancelled_by, a.cancelled_why, not a.holds
    )


def _moved(promises: Sequence[Promise], tokens: int, crowd: Crowd | None) -> Moved | None:
    fresh = {p.population: p for p in promises if p.sli == Sli.FRESHNESS}
    everybody, moved = fresh.get(Audience.ALL), fresh.get(Audience.MOVED)
    if everybody is None or moved is None:
        return None
    return Moved(
        tokens,
        moved.counts.expected,
        everybody.counts.expected,
        moved.counts.good,
        moved.counts.total,
        crowd.most if crowd else None,
        crowd.hours if crowd else 0,
        ceil(everybody.lived_s / HOUR),
    )


def _with_months_before(zone: str, period: Period) -> Period:
    calendar = Calendar(Unit.MONTH, zone)
    first = period
    for _ in range(TREND - 1):
        first = calendar.previous(first)
    return Period(first.first, period.until, first.begin, period.end)


def _trend(sums: Sequence[DaySum], slo: str, signed: Mapping[str, Signed]) -> tuple[Before, ...]:
    """By month, from the first in which anything was observed; signed months say what was signed."""
    months: dict[str, list[int]] = {}
    for one in sums:
        known = months.setdefault(f"{one.day.first:%Y-%m}", [0, 0, 0])
        out = list(one.excluded.values())
        total = max(one.slice.total - sum(x.total for x in out), 0)
        known[0] += min(max(one.slice.good - sum(x.good for x in out), 0), total)
        known[1] += total
        known[2] += one.slice.observed
    found = []
    for month, (good, total, observed) in months.items():
        kept = next((p for p in signed[month].month.promises if p.name == slo), None) if month in signed else None
        if kept is not None:
            part = kept.counts.sums.kept
            found.append(Before(month, part.good, part.total, kept.counts.observed_s, signed=True))
        else:
            found.append(Before(month, good, total, observed, signed=False))
    while found and not found[0].observed_s and not found[0].total:
        found.pop(0)
    return tuple(found)
