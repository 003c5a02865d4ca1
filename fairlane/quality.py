"""Data quality of a pipeline: counts of event types in the database, judged by the hour and told as series."""

from collections.abc import Mapping, Sequence
from typing import Final

from prometheus_client import CollectorRegistry
from sqlalchemy import Connection, Engine, and_, delete, func, or_, select

from fairlane.schema import EVENT_TYPES, MINUTE_COUNTS
from slo import metrics
from slo.clock import Clock
from slo.quality import (
    DAYS,
    LIMITS,
    Finding,
    TypeCounts,
    judge,
    judge_invalid,
    usual_windows,
    window,
    worst_first,
)
from slo.sql import upsert, writer

KEEP_S: Final = (DAYS + 1) * 86_400
MOST_SERIES: Final = 250
"""Signals that are told as series, the worst first: event types are named by clients."""
_COUNTS: Final = ("events", "nulls", "duplicates", "late")


def add_types(conn: Connection, pipeline: str, types: Mapping[tuple[int, str], TypeCounts]) -> None:
    """Add counts by (step, type) in the caller's transaction."""
    rows = [
        {"pipeline": pipeline, "type": name, "at": at, **{key: getattr(counts, key) for key in _COUNTS}}
        for (at, name), counts in types.items()
    ]
    upsert(conn, EVENT_TYPES, rows, add=_COUNTS)


def findings(engine: Engine, pipeline: str, now_s: float) -> list[Finding]:
    """Every signal of the last whole hour, the worst first. Raises SQLAlchemyError."""
    begin, end = window(now_s)
    days = usual_windows(now_s)
    at, table = EVENT_TYPES.c.at, EVENT_TYPES.c
    spans = [and_(at >= a, at < b) for a, b in days]
    mine = table.pipeline == pipeline
    current = select(table.type, *(func.sum(table[key]).label(key) for key in _COUNTS)).where(
        mine, at >= begin, at < end
    )
    past = select(table.type, at, table.events).where(mine, or_(*spans))
    minutes = MINUTE_COUNTS.c
    answers = (
        select(minutes.kind, func.sum(minutes["count"]))
        .where(
            minutes.pipeline == pipeline,
            minutes.lane == "capture",
            minutes.kind.in_(["accepted", "failed", "invalid"]),
            minutes.minute >= begin // 60,
            minutes.minute < end // 60,
        )
        .group_by(minutes.kind)
    )
    with engine.connect() as conn:
        now = {
            row.type: TypeCounts(*(int(row[n + 1]) for n in range(4)))
            for row in conn.execute(current.group_by(table.type))
        }
        before: dict[str, dict[int, int]] = {}
        seen: set[int] = set()
        for name, step, events in conn.execute(past):
            day = next(n for n, (a, b) in enumerate(days) if a <= step < b)
            seen.add(day)
            of_type = before.setdefault(name, {})
            of_type[day] = of_type.get(day, 0) + int(events)
        told = {kind: int(count) for kind, count in conn.execute(answers)}
    found: list[Finding] = []
    for name in now.keys() | before.keys():
        # a day on which the pipeline was seen at all and this type was not counts as none of it
        past_counts = [before.get(name, {}).get(day, 0) for day in sorted(seen)]
        found += judge(name, now.get(name, TypeCounts()), past_counts)
    found += judge_invalid(told.get("invalid", 0), sum(told.values()))
    return worst_first(found)


def forget_types(engine: Engine, now_s: float) -> int:
    """Drop counts that nothing is compared with any more; returns how many rows."""
    with writer(engine).begin() as conn:
        return conn.execute(delete(EVENT_TYPES).where(EVENT_TYPES.c.at < now_s - KEEP_S)).rowcount


class QualityWatch:
    """The job that judges and tells. One thread uses it."""

    def __init__(self, engine: Engine, pipeline: str, clock: Clock, registry: CollectorRegistry) -> None:
        self._engine = engine
        self._pipeline = pipeline
        self._clock = clock
        self._ratio = metrics.QUALITY.gauge(registry)
        limit = metrics.QUALITY_LIMIT.gauge(registry)
        for signal, value in LIMITS.items():
            limit.labels(str(signal)).set(value)

    def go(self) -> Sequence[Finding]:
        """Judge, and show the worst signals. Raises SQLAlchemyError; the series stay as they were then."""
        found = findings(self._engine, self._pipeline, self._clock.now())
        self._ratio.clear()
        for one in found[:MOST_SERIES]:
            self._ratio.labels(self._pipeline, one.type, str(one.signal)).set(one.value)
        return found
