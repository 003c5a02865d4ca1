"""A year of a pipeline's life for the SLA pages: quiet months, one that was broken, and an October with an incident, maintenance and a gap in the telemetry."""

import random
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final
from zoneinfo import ZoneInfo

from sqlalchemy import Engine

from fairlane.database import open_database
from fairlane.schema import VERDICTS
from fairlane.sla.crowd import NAME
from fairlane.sla.months import Months
from ingestion.contracts.names import Lane
from isolator.verdict import Reason, Verdict, VerdictKind
from slo.adjust import Adjustment, Adjustments
from slo.capacity.store import Samples
from slo.clock import ManualClock
from slo.days_roll import Roller
from slo.objective import Audience, Objective, Sli
from slo.presets import pipeline_objectives
from slo.slices import Slice
from slo.store import Booking, SliceStore

PIPELINE: Final = "events"
OBJECTIVES: Final = pipeline_objectives(PIPELINE)
PER_S: Final = 1_400
"""Events a second, on average."""
HOUR: Final = 3600
DAY: Final = 86_400
_BY_KIND: Final = {(o.sli, o.population): o.name for o in OBJECTIVES}
ALL: Final = _BY_KIND[Sli.FRESHNESS, Audience.ALL]
PROTECTED: Final = _BY_KIND[Sli.FRESHNESS, Audience.PROTECTED]
MOVED: Final = _BY_KIND[Sli.FRESHNESS, Audience.MOVED]
AGE: Final = _BY_KIND[Sli.OLDEST_AGE, Audience.ALL]
LAG: Final = _BY_KIND[Sli.LAG, Audience.ALL]
CAPTURE: Final = _BY_KIND[Sli.CAPTURE_AVAILABILITY, Audience.ALL]
MOVED_SHARE: Final = 0.004


@dataclass(frozen=True, slots=True)
class Moment:
    """A stretch of local minutes with a share of everything bad, by objective; `seen` False: no telemetry at all."""

    begin: datetime
    minutes: int
    shares: dict[str, float]
    seen: bool = True

    @property
    def until(self) -> datetime:
        """Its end."""
        return self.begin + timedelta(minutes=self.minutes)


def at(zone: str, *parts: int) -> datetime:
    """A local time."""
    return datetime(*parts, tzinfo=ZoneInfo(zone))


def october(zone: str) -> tuple[Moment, ...]:
    """What happened in October 2026."""
    everything = {o.name: 1.0 for o in OBJECTIVES}
    return (
        Moment(at(zone, 2026, 10, 6, 2, 0), 20, everything),
        Moment(at(zone, 2026, 10, 12, 3, 40), 9, {ALL: 0.25, PROTECTED: 0.011, AGE: 0.4, LAG: 0.2}),
        Moment(at(zone, 2026, 10, 17, 22, 10), 130, {}, seen=False),
        Moment(at(zone, 2026, 10, 21, 14, 2), 17, {ALL: 0.42, MOVED: 0.1, AGE: 0.35, LAG: 0.3}),
        Moment(at(zone, 2026, 10, 28, 9, 15), 3, {CAPTURE: 0.3}),
    )


def tell(engine: Engine, zone: str = "UTC", *, now: datetime | None = None, months: int = 12) -> ManualClock:
    """Book it all up to `now` (3 November 2026 by default), roll the days as the scheduler would, and give the clock that stands there."""
    now = now or at(zone, 2026, 11, 3, 9, 0)
    first = at(zone, 2026, 10, 1)
    for _ in range(months - 1):
        first = (first - timedelta(days=1)).replace(day=1)
    clock = ManualClock(first.timestamp())
    store = SliceStore(engine, clock)
    fine = at(zone, 2026, 10, 1)
    book(store, coarse(first, fine))
    roller = Roller(engine, {o.name: o.target for o in OBJECTIVES}, zone, most=1_000_000)
    maintenance(engine, zone)
    verdict(engine, zone)
    crowd(engine, fine)
    moment = fine
    while moment < now:
        until = min(moment + timedelta(days=3), now)
        book(store, days(moment, until, october(zone)))
        clock.advance(until.timestamp() - clock.now())
        roller.roll(clock.now())
        moment = until
    return clock


def book(store: SliceStore, bookings: Iterator[Booking]) -> None:
    """In handfuls."""
    some: list[Booking] = []
    for booking in bookings:
        some.append(booking)
        if len(some) == 600:
            store.book(some)
            some = []
    store.book(some)


def coarse(begin: datetime, end: datetime) -> Iterator[Booking]:
    """A slice a day for the months before; May was bad."""
    day = begin
    while day < end:
        after = (day + timedelta(days=1)).replace(hour=0)
        seconds = int(after.timestamp() - day.timestamp())
        for o in OBJECTIVES:
            rng = luck(o, day)
            wild = rng.random() < 0.06
            noise = (1 - float(o.target)) * rng.uniform(0.02, 0.35) * (4 if wild else 1)
            if (day.year, day.month) == (2026, 5) and day.day in {11, 12} and o.name in {ALL, AGE}:
                noise = 0.022
            yield one(o, day, seconds, noise, rng)
        day = after


def days(begin: datetime, end: datetime, moments: tuple[Moment, ...]) -> Iterator[Booking]:
    """A slice a day where nothing happened; finer ones where something did, and on a day that is not over."""
    day = begin
    while day < end:
        after = (day + timedelta(days=1)).replace(hour=0)
        if after > end or any(m.begin < after and m.until > day for m in moments):
            yield from hours(day, min(after, end), moments)
        else:
            for o in OBJECTIVES:
                rng, seconds = luck(o, day), int(after.timestamp() - day.timestamp())
                yield one(o, day, seconds, (1 - float(o.target)) * rng.uniform(0, 0.12), rng)
        day = after


def hours(begin: datetime, end: datetime, moments: tuple[Moment, ...]) -> Iterator[Booking]:
    """A slice an hour, and one a minute around what happened."""
    # in UTC: local hours come twice or not at all where clocks are changed
    zone, hour, end = begin.tzinfo, begin.astimezone(UTC), end.astimezone(UTC)
    moments = tuple(replace(m, begin=m.begin.astimezone(UTC)) for m in moments)
    while hour < end:
        near = [m for m in moments if m.begin < hour + timedelta(hours=1) and m.until > hour]
        for o in OBJECTIVES:
            rng = luck(o, hour)
            if not near:
                seconds = min(HOUR, int((end - hour).total_seconds()))
                yield one(o, hour.astimezone(zone), seconds, (1 - float(o.target)) * rng.uniform(0, 0.12), rng)
                continue
            for n in range(60):
                minute = hour + timedelta(minutes=n)
                if minute >= end:
                    break
                moment = next((m for m in near if m.begin <= minute < m.until), None)
                if moment is None:
                    yield one(o, minute.astimezone(zone), 60, 0.0, rng)
                elif moment.seen:
                    yield one(o, minute.astimezone(zone), 60, moment.shares.get(o.name, 0.0), rng)
        hour += timedelta(hours=1)


def luck(o: Objective, moment: datetime) -> random.Random:
    """The same for an objective and a time, whatever else is told."""
    return random.Random(f"{o.name} {int(moment.timestamp())}")


def one(o: Objective, moment: datetime, seconds: int, bad: float, rng: random.Random) -> Booking:
    """A slice of `seconds` with a share of it bad."""
    where = int(moment.timestamp())
    if o.unit == "seconds":
        total = seconds
    else:
        swing = 1 + 0.45 * ((moment.hour - 3) % 24 < 16) - 0.3 * (moment.weekday() >= 5)
        share = MOVED_SHARE if o.name == MOVED else 1.0
        total = int(PER_S * seconds * swing * share * rng.uniform(0.97, 1.03))
    lost = round(total * bad)
    if o.unit == "seconds" and 0 < total * bad < 1:
        lost = int(rng.random() < total * bad)
    return Booking(o.name, where, Slice(total - lost, total, total if o.unit != "seconds" else seconds, seconds), where)


def crowd(engine: Engine, begin: datetime) -> None:
    """Active tokens, counted in every hour of 31 days from `begin` but for two, the most on the fifth day."""
    first = int(begin.timestamp())
    Samples(engine).put(
        {
            (f"{PIPELINE}{NAME}", first + HOUR * n): 5_012.0 if n == 100 else 4_000.0 + n
            for n in range(745)
            if n not in {400, 401}
        }
    )


def maintenance(engine: Engine, zone: str) -> None:
    """Announced three days before, and one that was called off."""
    begin = at(zone, 2026, 10, 6, 2, 0)
    told_ms = int((begin - timedelta(days=3)).timestamp() * 1000)
    store = Adjustments(engine)
    store.announce(
        Adjustment(
            "m-1", "", int(begin.timestamp()), int(begin.timestamp()) + 1200, "R. Okafor", "broker upgrade", told_ms
        )
    )
    later = int(at(zone, 2026, 10, 20, 2, 0).timestamp())
    store.announce(Adjustment("m-2", "", later, later + 1800, "R. Okafor", "second broker upgrade", told_ms))
    store.cancel("m-2", told_ms + 5 * DAY * 1000, "R. Okafor", "not needed")


def verdict(engine: Engine, zone: str) -> None:
    """One tenant was moved in the incident of 21 October."""
    told = Verdict(
        "019a0000-0000-7000-8000-000000000021",
        PIPELINE,
        "phc_ab41c7de90f2e6d8a39f",
        VerdictKind.MOVE,
        Reason.NOISY_TENANT,
        int(at(zone, 2026, 10, 21, 14, 2, 9).timestamp() * 1000),
        Lane.GENERAL,
        Lane.OVERFLOW,
    )
    slow = Verdict(
        "019a0000-0000-7000-8000-000000000012",
        PIPELINE,
        "",
        VerdictKind.ALERT,
        Reason.DEPLOY,
        int(at(zone, 2026, 10, 12, 3, 41).timestamp() * 1000),
    )
    with engine.begin() as conn:
        for v in (told, slow):
            _, body = v.encode()
            conn.execute(
                VERDICTS.insert().values(
                    id=v.id, pipeline=v.pipeline, token=v.token, kind=str(v.kind), at_ms=v.at_ms, body=body.decode()
                )
            )


ZONE: Final = "Europe/Berlin"


@cache
def _told() -> tuple[bytes, float]:
    with TemporaryDirectory(prefix="fairlane-story-") as directory:
        file = Path(directory) / "fairlane.db"
        engine = open_database(f"sqlite:///{file}")
        clock = tell(engine, ZONE)
        engine.dispose()
        return file.read_bytes(), clock.now()


def copy(directory: Path) -> ManualClock:
    """The whole story (in ZONE) as `fairlane.db` in a directory, told once a process; gives the clock that stands at its end."""
    body, now = _told()
    (directory / "fairlane.db").write_bytes(body)
    return ManualClock(now)


def opened(directory: Path) -> Engine:
    """The database in a directory."""
    return open_database(f"sqlite:///{directory / 'fairlane.db'}")


def months_of(engine: Engine, clock: ManualClock, zone: str = ZONE) -> Months:
    """The months of the story."""
    return Months(engine, PIPELINE, OBJECTIVES, zone, clock)
