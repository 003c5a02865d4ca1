"""The booking's tables: raw counts in, slices out, the telemetry's offsets beside them, all in one transaction."""

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from sqlalchemy import Connection, Engine, delete, func, select, union, update

from fairlane.quality import add_types
from fairlane.schema import BOOKING_MARKS, BOOKING_OFFSETS, MINUTE_COUNTS, MINUTE_OFFSETS, MINUTE_SECONDS
from fairlane.tallies import CAPTURE, Tallies
from ingestion.contracts.names import Lane
from ingestion.contracts.telemetry import Kind
from slo.booking import GRACE_S, Minute, Tally, closes_at
from slo.objective import Audience, Sli
from slo.presets import MOVED_WITHIN_S, objective_name
from slo.seconds import Seconds
from slo.series import put_live, put_points
from slo.slices import Slice
from slo.sql import upsert, writer
from slo.store import LEDGER_S, Booking, SliceStore

_EXCLUDED: Final = frozenset({Kind.INVALID, Kind.REPLAYED, Kind.HISTORICAL})
_PLUMBING: Final = frozenset({Kind.GAP, Kind.CANARY})
_COUNTED: Final = {
    Kind.GOOD: "good",
    Kind.SLOW: "slow",
    Kind.LATE: "late",
    Kind.DEAD: "dead",
    Kind.FORWARDED: "forwarded",
}
_TIME_SLICES: Final = (Sli.OLDEST_AGE, Sli.LAG)


class Fenced(RuntimeError):
    """Another process has booked from the same place: read the offsets anew."""


@dataclass(frozen=True, slots=True)
class Place:
    """Where the booking stands: the next offset of each partition, and of which cluster."""

    cluster: str
    next: Mapping[int, int]


@dataclass(frozen=True, slots=True)
class Entry:
    """What a batch changed: slices, and how many of them had been closed before."""

    changed: int
    revised: int


class Ledger:
    """One pipeline's bookings."""

    def __init__(self, engine: Engine, pipeline: str, partitions: int, slo_s: float) -> None:
        self._read = engine
        self._write = writer(engine)
        self._store = SliceStore(engine)
        self._pipeline = pipeline
        self._partitions = partitions
        self._slo_s = slo_s

    def place(self, topic: str, cluster: str) -> Place:
        """Where to go on in `topic`; an empty place when nothing was booked from this cluster yet."""
        where = (BOOKING_OFFSETS.c.pipeline == self._pipeline, BOOKING_OFFSETS.c.topic == topic)
        with self._read.connect() as conn:
            rows = conn.execute(select(BOOKING_OFFSETS).where(*where)).all()
        return Place(cluster, {row.partition: row.next for row in rows if row.cluster == cluster})

    def watermark_ms(self) -> int:
        """Append time of the newest booked message; 0 for none."""
        with self._read.connect() as conn:
            return self._watermark(conn)

    def last_seconds(self) -> dict[Sli, int]:
        """The newest Unix second that was told of, by SLI."""
        last: dict[Sli, int] = {}
        with self._read.connect() as conn:
            for sli in (*_TIME_SLICES, Sli.CAPTURE_AVAILABILITY):
                where = (MINUTE_SECONDS.c.pipeline == self._pipeline, MINUTE_SECONDS.c.sli == str(sli))
                row = conn.execute(
                    select(MINUTE_SECONDS).where(*where).order_by(MINUTE_SECONDS.c.minute.desc()).limit(1)
                ).first()
                if row is not None:
                    last[sli] = row.minute * 60 + row.observed.bit_length() - 1
        return last

    def enter(
        self, tallies: Tallies, topic: str, old: Place, new: Place, points: Mapping[tuple[str, int], float]
    ) -> Entry:
        """Book a batch and the place behind it: both or neither.

        Raises Fenced when the stored place is no longer `old`, sqlalchemy.exc.SQLAlchemyError when the database fails; then nothing was booked.
        """
        with self._write.begin() as conn:
            self._advance(conn, topic, old, new)
            # one that was stored while the broker's clock ran ahead: go back to what can be
            before_ms = min(self._watermark(conn), tallies.limit_ms)
            now_ms = max(before_ms, tallies.watermark_ms)
            self._add(conn, tallies)
            minutes = tallies.minutes() | self._closing(conn, before_ms, now_ms)
            changed = self._store.book(self._bookings(conn, minutes, now_ms / 1000), conn)
            upsert(conn, BOOKING_MARKS, [{"pipeline": self._pipeline, "at_ms": now_ms}])
            put_points(conn, self._pipeline, points)
            put_live(conn, self._pipeline, tallies.live)
        late = [b for b in changed if closes_at(b.at // 60, self._slo_s, self._audience(b.slo)) <= before_ms / 1000]
        return Entry(len(changed), len(late))

    def _advance(self, conn: Connection, topic: str, old: Place, new: Place) -> None:
        for partition, offset in new.next.items():
            key = {"pipeline": self._pipeline, "topic": topic, "partition": partition}
            row = {**key, "cluster": new.cluster, "next": offset}
            if partition not in old.next:
                # Nothing was known of this cluster: whoever has written meanwhile was first.
                there = select(BOOKING_OFFSETS.c.next).filter_by(**key, cluster=new.cluster)
                if conn.execute(there).first() is not None:
                    raise Fenced(f"{topic}/{partition}")
                upsert(conn, BOOKING_OFFSETS, [row])
                continue
            where = {**key, "cluster": old.cluster, "next": old.next[partition]}
            if conn.execute(update(BOOKING_OFFSETS).filter_by(**where).values(next=offset)).rowcount != 1:
                raise Fenced(f"{topic}/{partition}")

    def _watermark(self, conn: Connection) -> int:
        return conn.execute(select(BOOKING_MARKS.c.at_ms).filter_by(pipeline=self._pipeline)).scalar() or 0

    def _add(self, conn: Connection, tallies: Tallies) -> None:
        upsert(
            conn,
            MINUTE_COUNTS,
            [
                {
                    "pipeline": self._pipeline,
                    "minute": minute,
                    "lane": lane,
                    "population": population,
                    "kind": kind,
                    "count": count,
                }
                for (minute, lane, population, kind), count in tallies.counts.items()
            ],
            add=("count",),
        )
        upsert(
            conn,
            MINUTE_OFFSETS,
            [
                {"pipeline": self._pipeline, "minute": minute, "partition": partition, "offsets": offsets}
                for (minute, partition), offsets in tallies.offsets.items()
            ],
        )
        add_types(conn, self._pipeline, tallies.types)
        known = self._seconds(conn, {minute for minute, _ in tallies.seconds})
        merged = {key: known.get(key, Seconds()) | seconds for key, seconds in tallies.seconds.items()}
        upsert(
            conn,
            MINUTE_SECONDS,
            [
                {"pipeline": self._pipeline, "minute": minute, "sli": str(sli), "observed": s.observed, "bad": s.bad}
                for (minute, sli), s in merged.items()
            ],
        )

    def _closing(self, conn: Connection, before_ms: int, now_ms: int) -> set[int]:
        """The minutes of which a slice is closed by the time going from one to the other."""
        minutes: set[int] = set()
        for deadline in (self._slo_s, max(self._slo_s, MOVED_WITHIN_S)):
            first, last = (int(ms / 1000 - deadline - GRACE_S) // 60 - 1 for ms in (before_ms, now_ms))
            first = max(first, now_ms // 60_000 - LEDGER_S // 60)
            known = [
                select(table.c.minute).where(
                    table.c.pipeline == self._pipeline, table.c.minute > first, table.c.minute <= last
                )
                for table in (MINUTE_COUNTS, MINUTE_OFFSETS)
            ]
            minutes |= {row.minute for row in conn.execute(union(*known))}
        return minutes

    def _bookings(self, conn: Connection, minutes: set[int], now: float) -> list[Booking]:
        bookings = []
        captured = self._captured(conn, minutes)
        for (minute, sli), seconds in self._seconds(conn, minutes).items():
            if sli is not Sli.CAPTURE_AVAILABILITY:
                bookings.append(self._booking(sli, Audience.ALL, minute, seconds.slice, seconds.first))
                continue
            # the reports of capture speak for all its SLIs
            for which, (good, total) in captured[minute].items():
                part = Slice(good, total, total, seconds.slice.observed)
                bookings.append(self._booking(which, Audience.ALL, minute, part, seconds.first))
        for minute, facts in self._facts(conn, minutes).items():
            for who in Audience:
                closed = closes_at(minute, self._slo_s, who) <= now
                bookings.append(self._booking(Sli.FRESHNESS, who, minute, facts.slice(who, closed=closed), 0))
        return bookings

    def _booking(self, sli: Sli, who: Audience, minute: int, part: Slice, first: int) -> Booking:
        return Booking(objective_name(self._pipeline, sli, who), minute * 60, part, minute * 60 + first)

    def _audience(self, slo: str) -> Audience:
        return Audience.MOVED if slo == objective_name(self._pipeline, Sli.FRESHNESS, Audience.MOVED) else Audience.ALL

    def _seconds(self, conn: Connection, minutes: set[int]) -> dict[tuple[int, Sli], Seconds]:
        rows = self._rows(conn, MINUTE_SECONDS, minutes)
        return {(row["minute"], Sli(row["sli"])): Seconds(row["observed"], row["bad"]) for row in rows}

    def _captured(self, conn: Connection, minutes: set[int]) -> Mapping[int, Mapping[Sli, tuple[int, int]]]:
        """Good and total of each minute's SLIs of capture."""
        counts: dict[int, Counter[str]] = {minute: Counter() for minute in minutes}
        for row in self._rows(conn, MINUTE_COUNTS, minutes):
            if row["lane"] == CAPTURE:
                counts[row["minute"]][row["kind"]] += row["count"]
        return {
            minute: {
                Sli.CAPTURE_AVAILABILITY: (n["accepted"], n["accepted"] + n["failed"]),
                Sli.CAPTURE_LATENCY: (max(n["requests"] - n["slow"], 0), n["requests"]),
                Sli.VALID: (n["accepted"] + n["failed"], n["accepted"] + n["failed"] + n["invalid"]),
                Sli.COMPLETE: (max(n["typed"] - n["nulls"], 0), n["typed"]),
                Sli.UNIQUE: (max(n["typed"] - n["duplicates"], 0), n["typed"]),
            }
            for minute, n in counts.items()
        }

    def _facts(self, conn: Connection, minutes: set[int]) -> dict[int, Minute]:
        offsets: dict[int, dict[int, int]] = defaultdict(dict)
        for row in self._rows(conn, MINUTE_OFFSETS, minutes):
            offsets[row["minute"]][row["partition"]] = row["offsets"]
        counts: dict[int, list[Mapping[str, Any]]] = defaultdict(list)
        for row in self._rows(conn, MINUTE_COUNTS, minutes):
            if row["lane"] != CAPTURE:
                counts[row["minute"]].append(row)
        partial = [told for told in offsets.values() if 0 < len(told) < self._partitions]
        born = self._born(conn) if partial else {}
        return {
            minute: _minute(self._due(offsets[minute], born, minute), offsets[minute], counts[minute])
            for minute in offsets.keys() | counts.keys()
        }

    def _born(self, conn: Connection) -> dict[int, int]:
        """The first minute that was told of each partition."""
        table = MINUTE_OFFSETS.c
        query = select(table.partition, func.min(table.minute).label("first")).where(table.pipeline == self._pipeline)
        return {row.partition: row.first for row in conn.execute(query.group_by(table.partition))}

    def _due(self, told: Mapping[int, int], born: Mapping[int, int], minute: int) -> int:
        """How many partitions there were: one that came later is not missing in the minutes before it."""
        if not 0 < len(told) < self._partitions:
            return self._partitions
        return sum(1 for p in range(self._partitions) if p in told or born.get(p, minute + 1) < minute)

    def _rows(self, conn: Connection, table: Any, minutes: Iterable[int]) -> list[Mapping[str, Any]]:
        query = select(table).where(table.c.pipeline == self._pipeline, table.c.minute.in_(list(minutes)))
        return [dict(row) for row in conn.execute(query).mappings()]


def forget_minutes(engine: Engine, now: float) -> int:
    """Drop all pipelines' raw counts of minutes that can no longer be revised; returns how many rows."""
    gone = 0
    with writer(engine).begin() as conn:
        for table in (MINUTE_COUNTS, MINUTE_OFFSETS, MINUTE_SECONDS):
            gone += conn.execute(delete(table).where(table.c.minute < int(now - LEDGER_S) // 60)).rowcount
    return gone


def _minute(partitions: int, offsets: Mapping[int, int], rows: Iterable[Mapping[str, Any]]) -> Minute:
    plumbing = 0
    fields: dict[tuple[bool, Audience], dict[str, int]] = defaultdict(lambda: defaultdict(int))
    for row in rows:
        general, kind = row["lane"] == Lane.GENERAL, Kind(row["kind"])
        if kind in _PLUMBING:
            plumbing += row["count"] if general else 0
        else:
            name = "excluded" if kind in _EXCLUDED else _COUNTED[kind]
            fields[general, Audience(row["population"])][name] += row["count"]
    lanes: dict[bool, dict[Audience, Tally]] = {True: {}, False: {}}
    for (general, who), tally in fields.items():
        lanes[general][who] = Tally(**tally)
    return Minute(partitions, offsets, plumbing, lanes[True], lanes[False])
