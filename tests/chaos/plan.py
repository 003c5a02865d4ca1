"""A seed's schedule: which faults strike, when, and where. Pure; the same seed always gives the same plan."""

import random
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Final

from ingestion.contracts.names import Lane
from ingestion.lanes.hooks import Point

GENERAL_SLOTS: Final = 4
OVERFLOW_SLOTS: Final = 2


class Kind(StrEnum):
    """What can be done to the pipeline."""

    KILL = "kill"
    STOP = "stop"
    REPLACE = "replace"
    ABORT = "abort"
    UNKNOWN = "unknown"
    CUT = "cut"
    HALF_OPEN = "half-open"
    STALL = "stall"
    DELAY = "delay"
    CUT_ALL = "cut-all"
    JOIN = "join"
    LEAVE = "leave"
    BROKER = "broker"
    CONTROLLER = "controller"


MEANING: Final = {
    Kind.KILL: "SIGKILL of a worker at a named point of its turn",
    Kind.STOP: "SIGSTOP of a worker at a named point, past the session timeout, then SIGCONT: a zombie",
    Kind.REPLACE: "SIGSTOP of a worker, another one started in its slot, then SIGCONT",
    Kind.ABORT: "a transaction aborts",
    Kind.UNKNOWN: "nobody knows whether a transaction was committed",
    Kind.CUT: "the worker's connections are reset at a point of its turn",
    Kind.HALF_OPEN: "the worker's requests arrive, the answers never do (at commit above all)",
    Kind.STALL: "the worker's requests arrive late (at commit above all)",
    Kind.DELAY: "everything on the line takes longer, for everybody",
    Kind.CUT_ALL: "all connections are reset",
    Kind.JOIN: "a worker joins: rebalance",
    Kind.LEAVE: "a worker leaves: rebalance",
    Kind.BROKER: "SIGKILL of the broker, and restart on the same data",
    Kind.CONTROLLER: "SIGKILL of the controller inside a move or restore, before or after its commit",
}
WEIGHTS: Final = {
    Kind.KILL: 7,
    Kind.STOP: 3,
    Kind.REPLACE: 1,
    Kind.ABORT: 4,
    Kind.UNKNOWN: 4,
    Kind.CUT: 2,
    Kind.HALF_OPEN: 2,
    Kind.STALL: 2,
    Kind.DELAY: 1,
    Kind.CUT_ALL: 1,
    Kind.JOIN: 3,
    Kind.LEAVE: 3,
}
POINTS: Final = {
    Kind.KILL: tuple(Point),
    Kind.STOP: (Point.TAKEN, Point.HANDLED, Point.PRODUCED, Point.OFFSETS_SENT, Point.COMMITTED),
    Kind.REPLACE: (Point.HANDLED, Point.OFFSETS_SENT),
    Kind.ABORT: (Point.PRODUCED, Point.FLUSHED, Point.OFFSETS_SENT),
    Kind.UNKNOWN: (Point.FLUSHED, Point.OFFSETS_SENT, Point.COMMITTED),
    Kind.CUT: (Point.PRODUCED, Point.OFFSETS_SENT),
    Kind.HALF_OPEN: (Point.FLUSHED, Point.OFFSETS_SENT, Point.OFFSETS_SENT),
    Kind.STALL: (Point.FLUSHED, Point.OFFSETS_SENT, Point.OFFSETS_SENT),
}

NAMED: Final = (Point.FLUSHED, Point.PRODUCED, Point.OFFSETS_SENT, Point.COMMITTED, Point.ASSIGNED)
"""Where every fifth seed at least kills a general worker: between any two steps of a transaction, and before the first chunk."""


@dataclass(frozen=True, slots=True)
class Step:
    """One fault. `pick` chooses among the workers that are there at the time; `forwarding`: strike only in a turn that forwards."""

    at_s: float
    kind: Kind
    lane: Lane = Lane.GENERAL
    pick: int = 0
    point: Point | None = None
    seconds: float = 0.0
    forwarding: bool = False

    def __str__(self) -> str:
        """As it is printed."""
        where = f" at {self.point}{' of a forwarding turn' if self.forwarding else ''}" if self.point else ""
        lasts = f" for {self.seconds:.1f} s" if self.seconds else ""
        return f"{self.at_s:5.1f} s  {self.kind} {self.lane} #{self.pick}{where}{lasts}"


@dataclass(frozen=True, slots=True)
class Schedule:
    """A run: the workers at the start, the load, and the steps in order of time."""

    seed: int
    length_s: float
    general: int
    overflow: int
    rate: int
    """Events a second."""
    flap_s: float
    """Seconds between two changes of a route."""
    steps: tuple[Step, ...]


def draw(seed: int, length_s: float = 40.0, faults: int = 18) -> Schedule:
    """The seed's schedule: `faults` steps over `length_s` seconds; broker and controller are killed among them, and a worker at one of NAMED, in turn."""
    chance = random.Random(seed)
    kinds = chance.choices(list(WEIGHTS), list(WEIGHTS.values()), k=max(0, faults - 4))
    named = NAMED[seed % len(NAMED)]
    kinds += [Kind.BROKER, Kind.CONTROLLER, chance.choice((Kind.BROKER, Kind.CONTROLLER, Kind.HALF_OPEN))]
    times = sorted(chance.uniform(1.0, length_s) for _ in kinds)
    chance.shuffle(kinds)
    drawn = [_step(chance, at_s, kind) for at_s, kind in zip(times, kinds, strict=True)]
    kill = Step(
        round(chance.uniform(1.0, length_s), 2), Kind.KILL, Lane.GENERAL, chance.randrange(GENERAL_SLOTS), named
    )
    steps = tuple(sorted([*drawn, replace(kill, forwarding=named is not Point.ASSIGNED)], key=lambda s: s.at_s))
    return Schedule(
        seed,
        length_s,
        general=chance.randint(2, GENERAL_SLOTS),
        overflow=chance.randint(1, OVERFLOW_SLOTS),
        rate=chance.choice((100, 150, 200)),
        flap_s=chance.choice((0.1, 0.2, 0.4)),
        steps=steps,
    )


def _step(chance: random.Random, at_s: float, kind: Kind) -> Step:
    lane = chance.choices(tuple(Lane), (7, 2, 1))[0] if kind in POINTS else Lane.GENERAL
    if kind in {Kind.JOIN, Kind.LEAVE}:
        lane = chance.choices((Lane.GENERAL, Lane.OVERFLOW), (4, 1))[0]
    points = [p for p in POINTS.get(kind, ()) if lane is Lane.GENERAL or p not in {Point.PRODUCED, Point.FLUSHED}]
    seconds = {
        Kind.STOP: chance.uniform(3.0, 6.0),  # the session timeout is 2 s
        Kind.REPLACE: chance.uniform(1.0, 4.0),
        Kind.HALF_OPEN: chance.uniform(2.0, 6.0),  # a transaction is given up after 3 s
        Kind.STALL: chance.uniform(0.5, 5.0),
        Kind.DELAY: chance.uniform(2.0, 4.0),
        Kind.BROKER: chance.uniform(0.0, 2.0),
        Kind.CONTROLLER: 0.0,
    }.get(kind, 0.0)
    return Step(
        round(at_s, 2),
        kind,
        lane,
        chance.randrange(GENERAL_SLOTS),
        chance.choice(points) if points else None,
        round(seconds, 2),
        forwarding=lane is Lane.GENERAL and chance.random() < 0.6,
    )
