"""What happened in an SLA month: incidents, announced maintenance, and what was not seen. Pure."""

from dataclasses import dataclass

from fairlane.app import sla_words, words
from fairlane.sla.month import Incident, Maintenance, Month
from slo.objective import Audience, Sli


@dataclass(frozen=True, slots=True)
class IncidentRow:
    """One incident."""

    when: str
    utc: str
    lasted: str
    cause: str
    effect: str
    moves: tuple[str, ...]
    excluded: bool


@dataclass(frozen=True, slots=True)
class ExcludedRow:
    """Announced maintenance."""

    when: str
    utc: str
    reason: str
    by: str
    notice: str
    scope: str
    cancelled: str
    effect: str


def incident_row(i: Incident, m: Month, moves: tuple[str, ...]) -> IncidentRow:
    """An incident's row."""
    worst = max(i.touched, key=lambda t: t.spent_s)
    promise = next(p for p in m.promises if p.name == worst.slo)
    more = f", and of {words.many(len(i.touched) - 1, 'other')}" if len(i.touched) > 1 else ""
    everybody = m.promise(Sli.FRESHNESS, Audience.ALL)
    others = (
        f" Tokens that were not moved were late for {words.seconds(i.others_late_s)}."
        if i.others_late_s
        else " Nobody else was late."
        if everybody is not None and everybody.name in {t.slo for t in i.touched}
        else ""
    )
    return IncidentRow(
        sla_words.span(i.begin, i.end, m.zone),
        sla_words.span_utc(i.begin, i.end),
        words.seconds(i.end - i.begin) if i.exact else f"within {words.seconds(i.end - i.begin)}",
        i.cause,
        sla_words.tied(
            f"Took {words.seconds(worst.spent_s)} of the budget of {sla_words.inside(promise.title)}{more}.{others}"
        ),
        moves,
        i.in_maintenance,
    )


def small(m: Month) -> str:
    """What is not told one by one."""
    if not m.small:
        return ""
    return f"{words.many(m.small, 'shorter one')}, {words.seconds(m.small_s)} of budget together."


def excluded_row(one: Maintenance, m: Month) -> ExcludedRow:
    """Announced maintenance, with what it would have cost."""
    if one.cancelled:
        effect = ""
    else:
        bad = [(p, p.budget_difference) for p in m.promises if one.slo in {"", p.name}]
        most = max(bad, key=lambda pair: pair[1], default=None)
        effect = f"Left out: up to {words.seconds(most[1])} of budget." if most and most[1] > 0 else "It cost nothing."
    ahead = one.notice_s
    notice = f"announced {words.span(ahead)} before" if ahead > 0 else f"told {words.span(-ahead)} after it began"
    return ExcludedRow(
        sla_words.span(one.begin, one.end, m.zone),
        sla_words.span_utc(one.begin, one.end),
        one.reason,
        one.by,
        notice,
        one.slo or "all promises",
        f"called off by {one.cancelled_by}: {one.cancelled_why}" if one.cancelled else "",
        effect,
    )


def gaps(m: Month) -> list[str]:
    """Days on which something was not observed, by the promise that was seen least."""
    missing: dict[str, int] = {}
    for p in m.promises:
        for day in p.days:
            lack = day.counts.due_s - day.counts.observed_s
            if lack > 0:
                missing[day.day] = max(missing.get(day.day, 0), lack)
    worst = sorted(missing.items(), key=lambda item: (-item[1], item[0]))[:5]
    said = [f"{sla_words.day(day)}: {words.seconds(lack)}" for day, lack in sorted(worst)]
    if len(missing) > len(worst):
        said.append(f"and less on {words.many(len(missing) - len(worst), 'other day')}")
    return said
